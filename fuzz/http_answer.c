/*
 * http_answer.c
 *		Checks the form of an answer, and of its lines in the log.
 *
 * No bytes from a client may get into the header of an answer, and none may end
 * a line of the log.
 */
#include "http_answer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "require.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The text that is checked: from at to end. */
typedef struct Text
{
	const char *at;
	const char *end;
} Text;

static bool
skip(Text *text, const char *expected)
{
	size_t size = strlen(expected);

	if ((size_t) (text->end - text->at) < size || memcmp(text->at, expected, size) != 0)
		return false;
	text->at += size;
	return true;
}

/* ---- JSON, by RFC 8259; strict, and without a stack ------------------------------------------ */

#define MAX_DEPTH 64

static void
skip_blanks(Text *text)
{
	while (text->at < text->end && memchr(" \t\r\n", *text->at, 4) != NULL)
		text->at++;
}

static bool
skip_string(Text *text)
{
	if (!skip(text, "\""))
		return false;
	while (text->at < text->end && *text->at != '"')
	{
		if ((unsigned char) *text->at < 0x20)
			return false;
		if (*text->at == '\\')
		{
			text->at++;
			if (text->at == text->end || memchr("\"\\/bfnrtu", *text->at, 9) == NULL)
				return false;
		}
		text->at++;
	}
	return skip(text, "\"");
}

static bool
skip_number(Text *text)
{
	const char *begin = text->at;

	while (text->at < text->end && memchr("+-.eE0123456789", *text->at, 15) != NULL)
		text->at++;
	return text->at > begin;
}

static bool
skip_scalar(Text *text)
{
	return skip(text, "true") || skip(text, "false") || skip(text, "null") || skip_string(text) ||
		   skip_number(text);
}

/* A member's name, where we are in an object. */
static bool
skip_name(Text *text, char container)
{
	if (container != '{')
		return true;
	skip_blanks(text);
	if (!skip_string(text))
		return false;
	skip_blanks(text);
	return skip(text, ":");
}

static bool
skip_json(Text *text)
{
	char stack[MAX_DEPTH];
	int depth = 0;

	for (;;)
	{
		skip_blanks(text);
		if (text->at < text->end && (*text->at == '{' || *text->at == '['))
		{
			if (depth == MAX_DEPTH)
				return false;
			stack[depth++] = *text->at++;
			skip_blanks(text);
			if (!skip(text, stack[depth - 1] == '{' ? "}" : "]"))
			{
				if (!skip_name(text, stack[depth - 1]))
					return false;
				continue;
			}
			depth--;
		}
		else if (!skip_scalar(text))
			return false;
		skip_blanks(text);
		while (depth > 0 && skip(text, stack[depth - 1] == '{' ? "}" : "]"))
		{
			depth--;
			skip_blanks(text);
		}
		if (depth == 0)
			return true;
		if (!skip(text, ",") || !skip_name(text, stack[depth - 1]))
			return false;
	}
}

static bool
is_json(const char *at, const char *end)
{
	Text text = {at, end};

	return skip_json(&text) && text.at == text.end;
}

/* ---- the header --------------------------------------------------------------------------------- */

/* Contract, 4. 500 is not among them, because the database works. */
static const int known_statuses[] = {200, 201, 204, 400, 401, 403, 404, 405, 406, 408,
									 409, 411, 413, 415, 417, 431, 503, 504, 505};

static const char *const known_headers[] = {"Date",
											"Content-Type",
											"Content-Length",
											"Transfer-Encoding",
											"Cache-Control",
											"X-Content-Type-Options",
											"WWW-Authenticate",
											"Allow",
											"Retry-After",
											"Connection"};

typedef struct Head
{
	int status;
	bool has[LENGTH(known_headers)];
	long content_length; /* -1: none */
	bool chunked;
} Head;

static bool
has(const Head *head, const char *name)
{
	for (size_t i = 0; i < LENGTH(known_headers); i++)
		if (strcmp(known_headers[i], name) == 0)
			return head->has[i];
	return false;
}

static void
read_status(Text *text, Head *head)
{
	bool known = false;

	fuzz_require(skip(text, "HTTP/1.1 ") && text->end - text->at > 4, "no status line");
	head->status = atoi(text->at);
	for (size_t i = 0; i < LENGTH(known_statuses); i++)
		known = known || known_statuses[i] == head->status;
	fuzz_require(known, "the status %d", head->status);
}

static size_t
line_size(const Text *text)
{
	const char *end = memmem(text->at, (size_t) (text->end - text->at), "\r\n", 2);

	fuzz_require(end != NULL, "the header has no end");
	for (const char *c = text->at; c < end; c++)
		fuzz_require((unsigned char) *c >= ' ' && (unsigned char) *c < 0x7f,
					 "a character in the header that has no place there");
	return (size_t) (end - text->at);
}

static void
read_header(Text *text, Head *head)
{
	for (size_t i = 0; i < LENGTH(known_headers); i++)
	{
		Text value = *text;

		if (!skip(&value, known_headers[i]) || !skip(&value, ": "))
			continue;
		fuzz_require(!head->has[i], "two headers %s", known_headers[i]);
		head->has[i] = true;
		if (strcmp(known_headers[i], "Content-Length") == 0)
			head->content_length = atol(value.at);
		head->chunked = head->chunked || strcmp(known_headers[i], "Transfer-Encoding") == 0;
		return;
	}
	fuzz_require(false, "an unknown header: %.40s", text->at);
}

static void
read_head(Text *text, Head *head)
{
	size_t size;

	*head = (Head){.content_length = -1};
	read_status(text, head);
	text->at += line_size(text) + 2;
	while ((size = line_size(text)) > 0)
	{
		read_header(text, head);
		text->at += size + 2;
	}
	text->at += 2;
	fuzz_require(has(head, "Date") && has(head, "Cache-Control") &&
					 has(head, "X-Content-Type-Options") && has(head, "Connection"),
				 "a header is missing");
	fuzz_require(head->status != 401 || has(head, "WWW-Authenticate"), "401 without its header");
	fuzz_require(head->status != 405 || has(head, "Allow"), "405 without Allow");
	fuzz_require(head->status != 503 || has(head, "Retry-After"), "503 without Retry-After");
	fuzz_require(!head->chunked || head->content_length < 0, "a length, and chunks");
}

/* ---- the body --------------------------------------------------------------------------------------- */

/* Joins the chunks in place; returns the end of what they hold. */
static char *
join_chunks(Text *text, char *to)
{
	for (;;)
	{
		char *end;
		size_t size = strtoul(text->at, &end, 16);

		fuzz_require(end > text->at, "a chunk without a size");
		text->at = end;
		fuzz_require(skip(text, "\r\n") && (size_t) (text->end - text->at) >= size,
					 "a broken chunk");
		memmove(to, text->at, size);
		to += size;
		text->at += size;
		fuzz_require(skip(text, "\r\n"), "a chunk without an end");
		if (size == 0)
			return to;
	}
}

static void
check_body(Text *text, const Head *head, bool is_head)
{
	char *body = (char *) text->at;
	char *end = (char *) text->end;

	/* If a request cannot be read, its method may be unknown. */
	if ((is_head && head->status != 400) || head->status == 204)
	{
		fuzz_require(text->at == text->end, "a body where there may be none");
		return;
	}
	if (head->chunked)
	{
		end = join_chunks(text, body);
		fuzz_require(text->at == text->end, "bytes behind the last chunk");
	}
	else
		fuzz_require(head->content_length < 0 || head->content_length == end - body ||
						 (is_head && body == end),
					 "%ld bytes announced, %ld sent", head->content_length, (long) (end - body));
	fuzz_require(body == end || is_json(body, end), "the body is no JSON: %.*s", (int) (end - body),
				 body);
}

int
answer_check(const char *bytes, size_t size, bool is_head)
{
	/* The copy ends with a NUL, for parsing numbers. */
	char *copy = malloc(size + 1);
	Text text = {copy, copy + size};
	Head head = {0};

	memcpy(copy, bytes, size);
	copy[size] = '\0';
	(void) skip(&text, "HTTP/1.1 100 Continue\r\n\r\n");
	if (text.at < text.end)
	{
		read_head(&text, &head);
		check_body(&text, &head, is_head);
	}
	free(copy);
	return head.status;
}

/* ---- the log ------------------------------------------------------------------------------------------ */

/* "2026-11-23T14:00:00.000Z info ..." */
static bool
is_text_line(const char *line, size_t size)
{
	static const char form[] = "0000-00-00T00:00:00.000Z ";

	if (size < sizeof(form))
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '0' ? !isdigit((unsigned char) line[i]) : form[i] != line[i])
			return false;
	return true;
}

static bool
is_about_request(const char *line, size_t size, bool as_json)
{
	return as_json ? memmem(line, size, ",\"method\":", 10) != NULL
				   : memmem(line, size, "B role=", 7) != NULL;
}

int
log_check(const char *bytes, size_t size, bool as_json)
{
	const char *end = bytes + size;
	int count = 0;

	while (bytes < end)
	{
		const char *line_end = memchr(bytes, '\n', (size_t) (end - bytes));
		size_t line;

		fuzz_require(line_end != NULL, "a line of the log has no end");
		line = (size_t) (line_end - bytes);
		for (const char *c = bytes; c < line_end; c++)
			fuzz_require((unsigned char) *c >= ' ' && *c != 0x7f, "a control character in the log");
		fuzz_require(as_json ? is_json(bytes, line_end) : is_text_line(bytes, line),
					 "a line of the log: %.*s", (int) line, bytes);
		count += is_about_request(bytes, line, as_json);
		bytes = line_end + 1;
	}
	return count;
}
