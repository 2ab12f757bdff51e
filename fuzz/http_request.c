/*
 * http_request.c
 *		Decides whether a request may be granted by the letter of the contract.
 *
 * Written from the contract alone, so that it does not repeat the mistakes that
 * bridge/ may have.  It is used only for requests that were granted, so it may
 * be too lenient, but must not be too strict.
 */
#include "http_request.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_HEADERS  63
#define MAX_SEGMENTS 8
#define MAX_SEGMENT  8192

/* A piece of the request. */
typedef struct Piece
{
	const char *at;
	size_t size;
} Piece;

typedef struct Request
{
	Piece method;
	Piece path;
	Piece version;
	struct
	{
		Piece name;
		Piece value;
	} headers[MAX_HEADERS];
	int nheaders;
	Piece rest; /* behind the header */
} Request;

static bool
is(Piece piece, const char *text)
{
	return piece.size == strlen(text) && memcmp(piece.at, text, piece.size) == 0;
}

static bool
is_anyhow(Piece piece, const char *text)
{
	return piece.size == strlen(text) && strncasecmp(piece.at, text, piece.size) == 0;
}

/* ---- lines and headers ------------------------------------------------------------------- */

/* The next line without its end; returns false if there is no complete line. */
static bool
take_line(Piece *rest, Piece *line)
{
	const char *end = memchr(rest->at, '\n', rest->size);

	if (end == NULL)
		return false;
	*line = (Piece){rest->at, (size_t) (end - rest->at)};
	rest->size -= line->size + 1;
	rest->at = end + 1;
	if (line->size > 0 && line->at[line->size - 1] == '\r')
		line->size--;
	return true;
}

static bool
is_header_end(Piece rest)
{
	return rest.at[-1] == '\n' &&
		   (rest.at[0] == '\n' || (rest.size > 1 && rest.at[0] == '\r' && rest.at[1] == '\n'));
}

/* CivetWeb ends it at a bare CR as well, and skips blanks before the first header. */
static bool
take_request_line(Piece *rest, Piece *line)
{
	const char *cr;

	if (!take_line(rest, line))
		return false;
	cr = memchr(line->at, '\r', line->size);
	if (cr != NULL)
	{
		*rest = (Piece){cr + 1, (size_t) (rest->at + rest->size - cr - 1)};
		line->size = (size_t) (cr - line->at);
	}
	while (rest->size > 0 && isspace((unsigned char) *rest->at) && !is_header_end(*rest))
		rest->at++, rest->size--;
	return true;
}

static Piece
take_word(Piece *line)
{
	Piece word;

	while (line->size > 0 && *line->at == ' ')
		line->at++, line->size--;
	word = (Piece){line->at, 0};
	while (word.size < line->size && word.at[word.size] != ' ')
		word.size++;
	line->at += word.size;
	line->size -= word.size;
	return word;
}

static bool
is_token(Piece piece)
{
	for (size_t i = 0; i < piece.size; i++)
		if (!isalnum((unsigned char) piece.at[i]) &&
			memchr("!#$%&'*+-.^_`|~", piece.at[i], 15) == NULL)
			return false;
	return piece.size > 0;
}

static const char *
read_header(Request *request, Piece line)
{
	const char *colon = memchr(line.at, ':', line.size);
	Piece name;
	Piece value;

	if (request->nheaders == MAX_HEADERS)
		return "it has more than 63 headers";
	if (colon == NULL)
		return "a header has no colon";
	name = (Piece){line.at, (size_t) (colon - line.at)};
	value = (Piece){colon + 1, line.size - name.size - 1};
	while (name.size > 0 && name.at[name.size - 1] == ' ')
		name.size--;
	if (!is_token(name))
		return "the name of a header is no token";
	while (value.size > 0 && (*value.at == ' ' || *value.at == '\t'))
		value.at++, value.size--;
	while (value.size > 0 && value.at[value.size - 1] == ' ')
		value.size--;
	request->headers[request->nheaders].name = name;
	request->headers[request->nheaders++].value = value;
	return NULL;
}

/*
 * A folded line, or another one that cannot be a header: CivetWeb drops it and
 * all that follow.  That does no harm, because the connection ends here.
 */
static bool
hides_headers(Piece line)
{
	return line.at[0] == ':' || line.at[0] <= ' ' || line.at[0] == 0x7f;
}

static const char *
read_request(const char *data, size_t size, Request *request)
{
	Piece rest = {data, size};
	Piece line;
	const char *why;
	bool hidden = false;

	memset(request, 0, sizeof(*request));
	while (rest.size > 0 && isspace((unsigned char) *rest.at))
		rest.at++, rest.size--;
	if (!take_request_line(&rest, &line))
		return "it has no request line";
	request->method = take_word(&line);
	request->path = take_word(&line);
	request->version = take_word(&line);
	if (!is(request->version, "HTTP/1.0") && !is(request->version, "HTTP/1.1"))
		return "its version is not 1.0 or 1.1";
	for (;;)
	{
		if (!take_line(&rest, &line))
			return "its header has no end";
		if (line.size == 0)
			break;
		hidden = hidden || hides_headers(line);
		why = hidden ? NULL : read_header(request, line);
		if (why != NULL)
			return why;
	}
	request->rest = rest;
	return NULL;
}

static int
count_headers(const Request *request, const char *name)
{
	int count = 0;

	for (int i = 0; i < request->nheaders; i++)
		count += is_anyhow(request->headers[i].name, name);
	return count;
}

/* The value of the first header of that name; at is NULL when there is none. */
static Piece
header(const Request *request, const char *name)
{
	for (int i = 0; i < request->nheaders; i++)
		if (is_anyhow(request->headers[i].name, name))
			return request->headers[i].value;
	return (Piece){NULL, 0};
}

/* ---- the path -------------------------------------------------------------------------------- */

static int
hex(char c)
{
	return isdigit((unsigned char) c)    ? c - '0'
		   : isxdigit((unsigned char) c) ? (c | 32) - 'a' + 10
										 : -1;
}

/* The next character of valid UTF-8; 0 when there is none. */
static size_t
utf8_size(const unsigned char *s, size_t left)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = s[0] < 0x80             ? 1
				  : (s[0] & 0xe0) == 0xc0 ? 2
				  : (s[0] & 0xf0) == 0xe0 ? 3
				  : (s[0] & 0xf8) == 0xf0 ? 4
										  : 0;
	uint32_t c = size == 1 ? s[0] : s[0] & (0x7f >> size);

	if (size == 0 || size > left)
		return 0;
	for (size_t i = 1; i < size; i++)
	{
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return (size > 1 && c < smallest[size]) || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0
																							: size;
}

/* Is it percent-encoded UTF-8 without a NUL? */
static bool
can_be_decoded(Piece piece)
{
	unsigned char *out = malloc(piece.size + 1);
	size_t size = 0;
	bool good = true;

	for (size_t i = 0; i < piece.size && good; i++)
	{
		int c = (unsigned char) piece.at[i];

		if (c == '%')
		{
			good = i + 2 < piece.size && hex(piece.at[i + 1]) >= 0 && hex(piece.at[i + 2]) >= 0;
			c = good ? hex(piece.at[i + 1]) * 16 + hex(piece.at[i + 2]) : 0;
			i += 2;
		}
		good = good && c != 0;
		out[size++] = (unsigned char) c;
	}
	for (size_t at = 0, step; at < size && good; at += step)
		good = (step = utf8_size(out + at, size - at)) > 0;
	free(out);
	return good;
}

/* Contract, 4.  {} is a name; a body is marked by a +. */
static const struct
{
	const char *method;
	const char *path;
} routes[] = {
	{"+POST", "/api/datasource/testconnection"},
	{"GET", "/api/datasource/connections/{}/schemas"},
	{"GET", "/api/datasource/connections/{}/schemas/{}/tables"},
	{"GET", "/api/datasource/connections/{}/schemas/{}/tables/{}/columns"},
	{"GET", "/api/datasource/connections/{}/schemas/{}/tables/{}/constraints"},
	{"GET", "/api/datasource/connections/{}/schemas/{}/tables/{}/indexes"},
	{"GET", "/api/connections"},
	{"GET", "/api/connections/{}/basic"},
	{"+POST", "/api/connections/{}/basic"},
	{"+PUT", "/api/connections/{}/basic"},
	{"GET", "/api/connections/{}"},
	{"DELETE", "/api/connections/{}"},
	{"GET", "/api/connections/{}/schemas"},
	{"GET", "/api/connections/{}/schemas/{}/tables"},
	{"+POST", "/api/jobs/importtables"},
	{"GET", "/api/jobs/jobs/{}"},
	{"GET", "/api/jobs/jobs/{}/wait"},
	{"GET", "/api/ishealthy"},
};

static bool
is_on_path(Piece path, const char *pattern)
{
	const char *at = path.at;
	const char *end = path.at + path.size;

	for (; *pattern != '\0'; pattern++)
	{
		if (*pattern == '{')
		{
			const char *begin = at;

			while (at < end && *at != '/')
				at++;
			if (at == begin)
				return false;
			pattern++;
		}
		else if (at == end || *at++ != *pattern)
			return false;
	}
	return at == end;
}

/* The method of the route, with its +; NULL: there is none. */
static const char *
find_route(const Request *request, Piece path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
	{
		const char *method = routes[i].method;

		if (is_on_path(path, routes[i].path) &&
			(is(request->method, method + (*method == '+')) ||
			 (strcmp(method, "GET") == 0 && is(request->method, "HEAD"))))
			return method;
	}
	return NULL;
}

/*
 * ---- the caller
 * ----------------------------------------------------------------------------------
 */

static bool
is_loopback(Piece host)
{
	char text[64];
	unsigned char bytes[16];

	if (is_anyhow(host, "localhost") || is_anyhow(host, FUZZ_HOST_NAME) || is_anyhow(host, "::1"))
		return true;
	if (host.size >= sizeof(text))
		return false;
	memcpy(text, host.at, host.size);
	text[host.size] = '\0';
	(void) bytes;
	return strncmp(text, "127.", 4) == 0 && strspn(text, "0123456789.") == host.size;
}

/* "host", "host:port", "[v6]" or "[v6]:port". */
static bool
is_ours(Piece authority)
{
	const char *end = authority.size > 0 && *authority.at == '['
						  ? memchr(authority.at, ']', authority.size)
						  : memchr(authority.at, ':', authority.size);
	Piece host = authority;

	if (authority.size > 0 && *authority.at == '[')
	{
		/* An address in brackets can be spelled in many ways. */
		return end != NULL;
	}
	if (end != NULL)
		host.size = (size_t) (end - authority.at);
	return is_loopback(host);
}

static const char *
check_asker(const Request *request)
{
	Piece host = header(request, "Host");
	Piece origin = header(request, "Origin");
	Piece authorization = header(request, "Authorization");

	if (count_headers(request, "Authorization") > 1)
		return "it has two Authorization headers";
	if (authorization.at != NULL)
	{
		if (authorization.size < 8 || strncasecmp(authorization.at, "Bearer ", 7) != 0)
			return "its Authorization is no bearer token";
		authorization.at += 7;
		authorization.size -= 7;
		while (authorization.size > 0 && *authorization.at == ' ')
			authorization.at++, authorization.size--;
		return is(authorization, FUZZ_TOKEN) ? NULL : "its token is not known";
	}
	if (host.at != NULL && !is_ours(host))
		return "its Host is not ours";
	if (origin.at == NULL)
		return NULL;
	if (count_headers(request, "Origin") > 1)
		return "it has two Origin headers";
	if (origin.size > 7 && strncasecmp(origin.at, "http://", 7) == 0)
		return is_ours((Piece){origin.at + 7, origin.size - 7}) ? NULL : "its Origin is not ours";
	if (origin.size > 8 && strncasecmp(origin.at, "https://", 8) == 0)
		return is_ours((Piece){origin.at + 8, origin.size - 8}) ? NULL : "its Origin is not ours";
	return "its Origin is none";
}

/* ---- the body ------------------------------------------------------------------------------------- */

static const char *
check_body(const Request *request, bool wanted)
{
	Piece length = header(request, "Content-Length");
	size_t announced = 0;

	if (header(request, "Transfer-Encoding").at != NULL)
		return "it has a Transfer-Encoding";
	if (count_headers(request, "Content-Length") > 1)
		return "it has two Content-Length headers";
	if (length.at == NULL)
		return wanted ? "it has no Content-Length" : NULL;
	for (size_t i = 0; i < length.size; i++)
	{
		if (!isdigit((unsigned char) length.at[i]))
			return "its Content-Length is no number";
		if (announced < SIZE_MAX / 100)
			announced = announced * 10 + (size_t) (length.at[i] - '0');
	}
	if (length.size == 0)
		return "its Content-Length is empty";
	if (!wanted)
		return NULL;
	if (announced == 0 || announced > FUZZ_MAX_BODY || announced > request->rest.size)
		return "its body is empty, too long or too short";
	return memchr(request->rest.at, '\0', announced) == NULL ? NULL : "its body has a NUL byte";
}

/* ---- all of it -------------------------------------------------------------------------------------- */

const char *
request_why_not(const char *data, size_t size)
{
	Request request;
	Piece path;
	const char *why = read_request(data, size, &request);
	const char *query;
	const char *method;

	if (why != NULL)
		return why;
	path = request.path;
	query = memchr(path.at, '?', path.size);
	if (query != NULL)
		path.size = (size_t) (query - path.at);
	if (!can_be_decoded(path))
		return "its path is not percent-encoded UTF-8";
	method = find_route(&request, path);
	if (method == NULL)
		return "there is no such route";
	if (count_headers(&request, "Host") != 1 && !is(request.version, "HTTP/1.0"))
		return "it does not have one Host header";
	if (is_on_path(path, "/api/ishealthy"))
		return check_body(&request, false);
	why = check_asker(&request);
	return why != NULL ? why : check_body(&request, *method == '+');
}

bool
request_is_head(const char *data, size_t size)
{
	Request request;

	(void) read_request(data, size, &request);
	return request.method.at != NULL && is(request.method, "HEAD");
}
