/*
 * http.h
 *		One HTTP request as the rest of the bridge sees it, without CivetWeb.
 */
#ifndef BRIDGE_HTTP_H
#define BRIDGE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* CivetWeb's timeout: for the header as a whole, and for a write that makes no progress. */
#define HTTP_STALL_MS 5000

struct mg_connection;
struct Seat;

/* Belongs to the thread that serves it; everything in it dies when the handler returns. */
typedef struct HttpRequest
{
	struct mg_connection *connection; /* for http.c and http_server.c */
	struct Seat *seat;                /* the worker thread, as seats.c counts it */
	const char *peer;                 /* the address that the request comes from */
	const char *method;               /* "-" when the request could not be read */
	const char *path;                 /* as sent, still percent-encoded; "" when unknown */
	const char *query;                /* what followed the "?", or NULL */
	bool is_http10;
	int64_t started_ms;
	int64_t deadline_ms;    /* when an answer, or the giving up, is due */
	int descriptor;         /* of the socket; -1 until http_descriptor() looked */
	bool several_addresses; /* as in descriptor_of_peer() */
	bool body_was_read;

	/* What is known of the answer, for the log. */
	int status;
	uint64_t bytes_sent;
	char role[64]; /* "": none was taken on */
} HttpRequest;

/* The value of the first header of that name, or NULL. */
const char *http_header(const HttpRequest *request, const char *name);
int http_count_header(const HttpRequest *request, const char *name);

/* All headers, by their index. */
int http_header_total(const HttpRequest *request);
const char *http_header_name(const HttpRequest *request, int index);

/*
 * Reads the whole body, which has length bytes (framing_check_body).  *body is the
 * caller's to free, also after a failure; a NUL stands behind it, and none in it.
 */
bool http_read_body(HttpRequest *request, size_t length, char **body, Failure *failure);

/*
 * Writes all of data; blocks while the client reads slowly, until the request's
 * deadline.  Returns false when the client is gone or too slow.
 */
bool http_write(HttpRequest *request, const char *data, size_t len);

/* Resets the connection, so that the client sees that the answer is not whole where neither a length nor chunks show it. */
void http_reset(HttpRequest *request);

/* The descriptor of the client's socket, or -1.  The first call costs a search. */
int http_descriptor(HttpRequest *request);

#endif /* BRIDGE_HTTP_H */
