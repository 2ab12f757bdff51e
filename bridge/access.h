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

/* As whom a request runs in the control database. */
typedef struct Identity
{
	const char *role; /* lives as long as the options; NULL where nobody needs to be anybody */
} Identity;

/*
 * Decides who is asking, from the headers alone: the body stays unread.  Where
 * identity is NULL nobody needs to be known (/api/ishealthy), but Host and
 * Origin must be ours all the same.
 */
bool access_check(const Options *options, const HttpRequest *request, Identity *identity,
				  Failure *failure);

/* True for an IPv4 or IPv6 literal (without brackets) of this machine's loopback. */
bool access_is_loopback(const char *address);

#endif /* BRIDGE_ACCESS_H */
