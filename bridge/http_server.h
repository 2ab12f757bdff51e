/*
 * http_server.h
 *		Runs the web server: start, stop, and the functions that it calls.
 */
#ifndef BRIDGE_HTTP_SERVER_H
#define BRIDGE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "http.h"
#include "options.h"

/* The one function that serves a request; it must send an answer. */
typedef void (*HttpHandler)(HttpRequest *request);

/* Called instead when a request could not even be read. */
typedef void (*HttpFailureHandler)(HttpRequest *request, const Failure *failure);

/*
 * Begins to listen.  Returns false when it cannot, with the reason in why.
 * The port that was taken, where the options ask for any, is in *port.
 */
bool http_start(const Options *options, HttpHandler handler, HttpFailureHandler failure_handler,
				int *port, char *why, size_t why_size);

/* From now on http_is_draining() is true; requests that come are still handled. */
void http_drain(void);
bool http_is_draining(void);

/* From now on answers are not waited for any more: http_is_broken_off() is true. */
void http_break_off(void);
bool http_is_broken_off(void);

/* Requests whose handler has begun and not ended. */
int http_in_flight(void);

/* Stops listening, lets requests that are already here end (briefly), and ends all threads. */
void http_stop(void);

#endif /* BRIDGE_HTTP_SERVER_H */
