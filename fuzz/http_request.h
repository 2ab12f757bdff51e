/*
 * http_request.h
 *		A request by the letter of the contract: may it be granted?
 */
#ifndef FUZZ_HTTP_REQUEST_H
#define FUZZ_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* What the bridge was told, and what the database knows. */
#define FUZZ_HOST_NAME "bridge.fuzz.example"
#define FUZZ_TOKEN     "fuzz-token-of-an-editor"
#define FUZZ_MAX_BODY  65536

/* The reason why an answer of status 2xx would be wrong, or NULL. */
const char *request_why_not(const char *data, size_t size);

/* Is the method HEAD, as far as can be told? */
bool request_is_head(const char *data, size_t size);

#endif /* FUZZ_HTTP_REQUEST_H */
