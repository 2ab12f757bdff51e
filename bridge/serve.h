/*
 * serve.h
 *		One request, from its header to its answer and its line in the log.
 */
#ifndef BRIDGE_SERVE_H
#define BRIDGE_SERVE_H

#include "error.h"
#include "http.h"
#include "options.h"

/* To be called once, before the first request. */
void serve_setup(const Options *options);

void serve_request(HttpRequest *request);

/* A request that could not be read: answers with the failure. */
void serve_failure(HttpRequest *request, const Failure *failure);

#endif /* BRIDGE_SERVE_H */
