/*
 * http_url.c
 *		Reads and writes URLs.
 *
 * A URL that a server sends is taken apart by the library, never by its beginning: of
 * http://host:80@elsewhere/ the host is elsewhere.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define SAFE_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~"

static bool
is_ipv6(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, host, &address) == 1;
}

/* Is the host an address, and no name? */
bool
http_is_literal(const char *host)
{
	struct in_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || is_ipv6(host);
}

/* Write the origin of the session's server; false: a URL cannot have its host. */
bool
http_write_origin(Text *origin, const Session *session, bool encrypted)
{
	const char *host = session_login(session, LOGIN_HOST);
	bool brackets = host != NULL && is_ipv6(host);

	if (host == NULL || *host == '\0' || (!brackets && host[strspn(host, NAME_CHARACTERS)] != '\0'))
		return false;
	text_addf(origin, "%s://%s%s%s:%ld", encrypted ? "https" : "http", brackets ? "[" : "", host,
			  brackets ? "]" : "", session_login_number(session, LOGIN_PORT));
	return true;
}

/* Is a part of two URLs the same?  One that is missing in either is not. */
static bool
same_part(CURLU *one, CURLU *other, CURLUPart part)
{
	char *first = NULL;
	char *second = NULL;
	bool same = curl_url_get(one, part, &first, CURLU_DEFAULT_PORT) == CURLUE_OK &&
				curl_url_get(other, part, &second, CURLU_DEFAULT_PORT) == CURLUE_OK &&
				strcasecmp(first, second) == 0;

	curl_free(first);
	curl_free(second);
	return same;
}

static bool
has_part(CURLU *url, CURLUPart part)
{
	char *value = NULL;
	bool has = curl_url_get(url, part, &value, 0) == CURLUE_OK;

	curl_free(value);
	return has;
}

/* The path of a URL and its query, as they are written there. */
static bool
read_path(CURLU *url, Text *path)
{
	char *part = NULL;
	char *query = NULL;
	bool done = curl_url_get(url, CURLUPART_PATH, &part, 0) == CURLUE_OK;

	if (done)
		text_add(path, part);
	if (done && curl_url_get(url, CURLUPART_QUERY, &query, 0) == CURLUE_OK)
	{
		text_add(path, "?");
		text_add(path, query);
	}
	curl_free(part);
	curl_free(query);
	/* Nothing that could end the line of a request. */
	for (const char *at = done ? path->bytes : ""; *at != '\0'; at++)
		if ((unsigned char) *at <= ' ' || *at == 0x7F)
			return false;
	return done;
}

/*
 * Write into an empty text the path, with the query, of a URL that the server has sent to be
 * followed.  False: it leads to another server, and session_fault was called.
 */
bool
http_follow(const Http *http, const char *url, Text *path)
{
	CURLU *own = curl_url();
	CURLU *next = curl_url();
	bool same = own != NULL && next != NULL &&
				curl_url_set(own, CURLUPART_URL, http->origin.bytes, 0) == CURLUE_OK &&
				curl_url_set(next, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK &&
				same_part(own, next, CURLUPART_SCHEME) && same_part(own, next, CURLUPART_HOST) &&
				same_part(own, next, CURLUPART_PORT) && !has_part(next, CURLUPART_USER) &&
				!has_part(next, CURLUPART_PASSWORD) && read_path(next, path);

	curl_url_cleanup(own);
	curl_url_cleanup(next);
	if (!same && !http->is_aside)
		session_fault(http->session, FAULT_IS_KIND, 0, NULL,
					  "its answer leads to a URL that is not below %s", http->origin.bytes);
	return same;
}

/* Add a value as a part of a path, or of a query, each byte that could mean something escaped. */
void
http_add_encoded(Text *path, const char *value)
{
	for (; *value != '\0'; value++)
		if (strchr(SAFE_CHARACTERS, *value) != NULL)
			text_add_bytes(path, value, 1);
		else
			text_addf(path, "%%%02X", (unsigned char) *value);
}
