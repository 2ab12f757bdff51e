/*
 * access.c
 *		Identifies the caller of a request, and checks where it seems to come from.
 *
 * The database decides which role a token stands for and what that may do; here
 * a well-formed token becomes its hash, which control.c sends along in the same
 * round trip.  The token itself is not passed on.
 *
 * Without a token nothing proves where a request comes from.  A
 * web page on evil.example may resolve to 127.0.0.1 (DNS rebinding), but its
 * browser then says so in Host and Origin.  And a page of any site may let its
 * browser send requests here without an Origin, as for an image: the browser then
 * says in Sec-Fetch-Site that they come from another site.
 */
#include "access.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "address.h"

/* Copies the host of "host", "host:port", "[v6]" or "[v6]:port"; false when it is none of these. */
static bool
split_host(const char *authority, char *host, size_t size)
{
	bool bracket = authority[0] == '[';
	const char *begin = authority + bracket;
	size_t len = strcspn(begin, bracket ? "]" : ":");
	const char *rest = begin + len;

	if (len == 0 || len >= size)
		return false;
	memcpy(host, begin, len);
	host[len] = '\0';
	if (bracket && *rest++ != ']')
		return false;
	if (*rest == '\0')
		return true;
	return rest[0] == ':' && strspn(rest + 1, "0123456789") == strlen(rest + 1) &&
		   strlen(rest + 1) <= 5;
}

static bool
is_our_name(const Options *options, const char *authority)
{
	char host[256];

	if (!split_host(authority, host, sizeof(host)))
		return false;
	if (strcasecmp(host, "localhost") == 0 || address_is_loopback(host))
		return true;
	for (size_t i = 0; i < options->host_name_count; i++)
		if (strcasecmp(host, options->host_names[i]) == 0)
			return true;
	return false;
}

/* An origin is "scheme://host[:port]" and nothing behind; "null" is the origin of no page of ours. */
static bool
is_our_origin(const Options *options, const char *origin)
{
	if (strncasecmp(origin, "http://", 7) == 0)
		return is_our_name(options, origin + 7);
	if (strncasecmp(origin, "https://", 8) == 0)
		return is_our_name(options, origin + 8);
	return false;
}

/* A request of HTTP/1.0 may lack a Host: no browser sends such, and load balancers do. */
static bool
check_host_and_origin(const Options *options, const HttpRequest *request, Failure *failure)
{
	const char *host = http_header(request, "Host");
	const char *origin = http_header(request, "Origin");
	const char *site = http_header(request, "Sec-Fetch-Site");

	if (host != NULL && !is_our_name(options, host))
		return fail(failure, 403, "the Host header does not name this service");
	if (origin != NULL &&
		(http_count_header(request, "Origin") > 1 || !is_our_origin(options, origin)))
		return fail(failure, 403, "requests from this Origin are not allowed");
	if (site != NULL && strcasecmp(site, "cross-site") == 0)
		return fail(failure, 403, "requests from other sites are not allowed");
	return true;
}

/* Malformed, unknown or expired: all refusals are the same, so that they reveal nothing. */
static bool
refuse(Failure *failure)
{
	return fail(failure, 401, "a valid bearer token is required");
}

/* The token of "Bearer TOKEN", which may hold the characters of RFC 6750; NULL when it is none. */
static const char *
bearer_token(const char *authorization)
{
	static const char characters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
	const char *token = authorization + strlen("Bearer ");

	if (strncasecmp(authorization, "Bearer ", strlen("Bearer ")) != 0)
		return NULL;
	token += strspn(token, " ");
	return *token != '\0' && token[strspn(token, characters)] == '\0' ? token : NULL;
}

static bool
hash_token(const char *token, char *hash)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length;

	if (!EVP_Digest(token, strlen(token), digest, &length, EVP_sha256(), NULL))
		return false;
	strcpy(hash, "\\x");
	for (unsigned int i = 0; i < length; i++)
		sprintf(hash + 2 + 2 * i, "%02x", digest[i]);
	return true;
}

static bool
identify(const Options *options, const HttpRequest *request, Identity *identity, Failure *failure)
{
	const char *authorization = http_header(request, "Authorization");
	const char *token;

	if (authorization == NULL)
	{
		identity->role = options->anonymous_role;
		return identity->role != NULL || refuse(failure);
	}
	token = bearer_token(authorization);
	return (token != NULL && hash_token(token, identity->token_hash)) || refuse(failure);
}

bool
access_check(const Options *options, const HttpRequest *request, Identity *identity,
			 Failure *failure)
{
	if (identity != NULL && !identify(options, request, identity, failure))
		return false;
	/* A web page knows no token.  And asking for health from elsewhere does no harm. */
	if (identity == NULL ? !options->is_loopback : identity->token_hash[0] != '\0')
		return true;
	return check_host_and_origin(options, request, failure);
}
