/*
 * access.h
 *		Identifies the caller of a request, and checks where it seems to come from.
 */
#ifndef BRIDGE_ACCESS_H
#define BRIDGE_ACCESS_H

#include <stdbool.h>

#include "caller.h"
#include "error.h"
#include "http.h"
#include "configuration.h"

/* The role of a request in the control database, by name or by a token: one of the two is set. */
typedef struct Identity
{
	const char *role;                 /* lives as long as the options; NULL: the token's role */
	char token_hash[TOKEN_HASH_SIZE]; /* SHA-256 as a bytea; "" without a token */
	char caller[CALLER_SIZE];         /* that the request counts for; set by serve.c */
	bool is_proved;                   /* the control database knows the token; set by serve.c */
} Identity;

/*
 * Identifies the caller from the headers alone: the body stays unread.  Where
 * identity is NULL the caller need not be known (/api/ishealthy).  Without a token
 * Host and Origin must be ours, and Sec-Fetch-Site must not be cross-site.
 */
bool access_check(const Options *options, const HttpRequest *request, Identity *identity,
				  Failure *failure);

#endif /* BRIDGE_ACCESS_H */
