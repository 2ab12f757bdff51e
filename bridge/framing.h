/*
 * framing.h
 *		Refuses requests whose header is not plain, unambiguous HTTP.
 */
#ifndef BRIDGE_FRAMING_H
#define BRIDGE_FRAMING_H

#include "http.h"

/* The header as a whole: to be called first. */
bool framing_check(const HttpRequest *request, Failure *failure);

/* What can be said of the body before a byte of it is read: its type, and its length in *length. */
bool framing_check_body(const HttpRequest *request, size_t limit, size_t *length, Failure *failure);

#endif /* BRIDGE_FRAMING_H */
