/*
 * hostile_agent.h
 *		Sessions of an agent that send whatever a fuzz input contains.
 */
#ifndef FUZZ_HOSTILE_AGENT_H
#define FUZZ_HOSTILE_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How the bytes are sent. */
typedef enum AgentDelivery
{
	AGENT_IN_TURN, /* up to a frame that ends a login or an answer, and on after the next question */
	AGENT_AT_ONCE,
	AGENT_IN_PIECES,
	AGENT_AND_HOLD,    /* in turn, but the socket is not closed after the last one */
	AGENT_WITHOUT_END, /* over and over, as fast as they are taken */
	NUM_AGENT_DELIVERIES
} AgentDelivery;

typedef struct AgentScript
{
	AgentDelivery delivery;
	const uint8_t *bytes;
	size_t size;
} AgentScript;

/* Starts the thread of the sessions, once; false: there is none. */
bool hostile_agent_start(bool (*start_thread)(void *(*thread_main)(void *), void *argument));

/*
 * From now on every session sends these bytes, on from where the last one has come to.  They
 * must stay valid until hostile_agent_end().
 */
void hostile_agent_play(const AgentScript *script);

/* Are there bytes left to send? */
bool hostile_agent_has_more(void);

/* Takes the other end of a session's socket; it closes it.  False: nothing is played, or there is no room. */
bool hostile_agent_serve(int fd);

/* Closes all sessions; the backend has closed its ends before. */
void hostile_agent_end(void);

#endif /* FUZZ_HOSTILE_AGENT_H */
