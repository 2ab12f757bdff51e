/*
 * http_request.h
 *		Decides whether a request may be granted by the letter of the contract.
 */
#ifndef FUZZ_HTTP_REQUEST_H
#define FUZZ_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* The options of the bridge, and the contents of the database. */
#define FUZZ_HOST_NAME "bridge.fuzz.example"
#define FUZZ_TOKEN     "fuzz-token-of-an-editor"
#define FUZZ_MAX_BODY  65536

/* The reason why an answer of status 2xx would be wrong, or NULL. */
const char *request_why_not(const char *data, size_t size);

/* Is the method HEAD, as far as it can be read? */
bool request_is_head(const char *data, size_t size);

#endif /* FUZZ_HTTP_REQUEST_H */
