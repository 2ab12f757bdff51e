/*
 * hostile_server.h
 *		A server that sends whatever a fuzz input contains.
 */
#ifndef FUZZ_HOSTILE_SERVER_H
#define FUZZ_HOSTILE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the input's bytes begin; up to there the server behaves. */
typedef enum HostileBegin
{
	BEGIN_AT_ONCE,     /* as the answer to the first packet, for TLS or not */
	BEGIN_LOGIN,       /* as the answer to the startup packet */
	BEGIN_PASSWORD_IN, /* once a password has been sent */
	BEGIN_QUERY,       /* as the answer to the first query */
	NUM_BEGINS
} HostileBegin;

/* How they are sent. */
typedef enum HostileDelivery
{
	DELIVER_IN_TURN, /* up to a ReadyForQuery, and on after the client's next query */
	DELIVER_AT_ONCE,
	DELIVER_IN_PIECES,
	DELIVER_AND_HOLD, /* in turn, but the connection is not closed after the last one */
	NUM_DELIVERIES
} HostileDelivery;

typedef struct HostileScript
{
	HostileBegin begin;
	HostileDelivery delivery;
	const uint8_t *bytes;
	size_t size;
} HostileScript;

/* Starts the server, in a thread, once; returns its port on 127.0.0.1, or -1. */
int hostile_start(bool (*start_thread)(void *(*thread_main)(void *), void *argument));

/*
 * From now on every client gets these bytes, across connections.  They must
 * stay valid until hostile_end().
 */
void hostile_play(const HostileScript *script);

/* Are there bytes left to send? */
bool hostile_has_more(void);

/* Closes all connections; when it returns, nothing is open but the listener. */
void hostile_end(void);

#endif /* FUZZ_HOSTILE_SERVER_H */
