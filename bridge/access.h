/*
 * access.h
 *		Who is asking, and may a request that looks like this be believed?
 */
#ifndef BRIDGE_ACCESS_H
#define BRIDGE_ACCESS_H

#include <stdbool.h>

#include "error.h"
#include "http.h"
#include "options.h"

#define TOKEN_HASH_SIZE 67 /* "\\x", 64 hexadecimal digits, NUL */

/* As whom a request runs in the control database: one of the two is set. */
typedef struct Identity
{
	const char *role;                 /* lives as long as the options; NULL: the token's role */
	char token_hash[TOKEN_HASH_SIZE]; /* SHA-256 as a bytea; "" without a token */
} Identity;

/*
 * Decides who is asking, from the headers alone: the body stays unread.  Where
 * identity is NULL nobody needs to be known (/api/ishealthy).  Without a token
 * Host and Origin must be ours.
 */
bool access_check(const Options *options, const HttpRequest *request, Identity *identity,
				  Failure *failure);

/* True for an IPv4 or IPv6 literal (without brackets) of this machine's loopback. */
bool access_is_loopback(const char *address);

#endif /* BRIDGE_ACCESS_H */
