/*
 * framing.c
 *		Refuses requests whose header is not plain, unambiguous HTTP.
 *
 * CivetWeb is lenient: it takes the first of two headers, reads numbers with
 * what follows them, and drops what it has no room for.  Everything that two readers
 * of a request could understand differently is refused here.
 */
#define _GNU_SOURCE /* strcasestr */
#include "framing.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* CivetWeb keeps so many headers (MG_MAX_HEADERS), and silently drops the rest. */
#define CIVETWEB_HEADERS 64

static bool
is_token(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char) *c) && strchr("!#$%&'*+-.^_`|~", *c) == NULL)
			return false;
	return *name != '\0';
}

/* Digits and nothing else.  What is too large for a number is just very large. */
static bool
parse_length(const char *value, int64_t *length)
{
	*length = 0;
	for (const char *c = value; *c; c++)
	{
		if (!isdigit((unsigned char) *c))
			return false;
		*length = *length > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : *length * 10 + (*c - '0');
	}
	return *value != '\0';
}

/* Two of these would mean that two readers of the request may understand two different things. */
static const char *const single_headers[] = {"Host",         "Authorization", "Content-Length",
											 "Content-Type", "Expect",        "Sec-Fetch-Site"};

static bool
check_headers(const HttpRequest *request, Failure *failure)
{
	int total = http_header_total(request);

	/* CivetWeb silently drops the 65th: at 64 it is not known whether there was one. */
	if (total >= CIVETWEB_HEADERS)
		return fail(failure, 431, "a request may have at most %d headers", CIVETWEB_HEADERS - 1);
	for (int i = 0; i < total; i++)
		if (!is_token(http_header_name(request, i)))
			return fail(failure, 400, "a header has a name that is not a token");
	for (size_t i = 0; i < sizeof(single_headers) / sizeof(single_headers[0]); i++)
		if (http_count_header(request, single_headers[i]) > 1)
			return fail(failure, 400, "there is more than one %s header", single_headers[i]);
	if (!request->is_http10 && http_header(request, "Host") == NULL)
		return fail(failure, 400, "the Host header is missing");
	return true;
}

static bool
check_length(const HttpRequest *request, Failure *failure)
{
	const char *length = http_header(request, "Content-Length");
	bool has_encoding = http_header(request, "Transfer-Encoding") != NULL;
	int64_t ignored;

	if (has_encoding && length != NULL)
		return fail(failure, 400, "Content-Length and Transfer-Encoding exclude each other");
	if (has_encoding)
		return fail(failure, 411, "a body needs a Content-Length");
	if (length != NULL && !parse_length(length, &ignored))
		return fail(failure, 400, "Content-Length must be a number");
	return true;
}

bool
framing_check(const HttpRequest *request, Failure *failure)
{
	const char *expect = http_header(request, "Expect");

	if (request->path[0] != '/')
		return fail(failure, 400, "the request target must be a path");
	if (!check_headers(request, failure) || !check_length(request, failure))
		return false;
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return fail(failure, 417, "only 100-continue can be expected");
	return true;
}

static bool
is_json_type(const char *type)
{
	static const char json[] = "application/json";
	size_t len = sizeof(json) - 1;

	const char *charset;

	if (type == NULL || strncasecmp(type, json, len) != 0 ||
		(type[len] != '\0' && type[len] != ';' && type[len] != ' '))
		return false;
	/* JSON is UTF-8, but a client that names another charset sends something else */
	charset = strcasestr(type + len, "charset=");
	if (charset == NULL)
		return true;
	charset += strlen("charset=");
	return strncasecmp(charset + (*charset == '"'), "utf-8", 5) == 0;
}

bool
framing_check_body(const HttpRequest *request, size_t limit, size_t *length, Failure *failure)
{
	const char *value = http_header(request, "Content-Length");
	int64_t announced;

	if (value == NULL || !parse_length(value, &announced))
		return fail(failure, 411, "a body needs a Content-Length");
	if (announced > (int64_t) limit)
		return fail(failure, 413, "the body may have at most %zu bytes", limit);
	if (announced == 0)
		return fail(failure, 400, "the request has no body");
	if (!is_json_type(http_header(request, "Content-Type")))
		return fail(failure, 415, "the Content-Type must be application/json");
	if (http_header(request, "Content-Encoding") != NULL)
		return fail(failure, 415, "a body must not have a Content-Encoding");
	*length = (size_t) announced;
	return true;
}
