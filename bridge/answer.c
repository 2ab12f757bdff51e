/*
 * answer.c
 *		The answer to a request: status line, headers, body.
 *
 * A small answer is one write.  A large one is sent in chunks to HTTP/1.1, and
 * to HTTP/1.0 until the connection closes.  Writing blocks while the client
 * reads slowly, and with it the reading from the control database: the memory
 * for an answer does not grow with it.  Each body, which is JSON, ends in a line
 * end, so that what a terminal prints next has a line of its own.
 *
 * No header value comes from outside, so none can hold a line end.
 */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* In front of the body: all headers, or the size line of a chunk. */
#define HEAD_ROOM 768

/* A body up to this size is sent with its length; beyond, pieces of it are chunks. */
#define BODY_ROOM 65536

typedef enum BodyKind
{
	BODY_NONE,
	BODY_WHOLE,
	BODY_STREAMED
} BodyKind;

static bool
is_head_request(const HttpRequest *request)
{
	return strcmp(request->method, "HEAD") == 0;
}

/* Appends one header line; names and values are our own. */
static size_t
add_header(char *head, size_t len, const char *name, const char *value)
{
	return len + (size_t) snprintf(head + len, HEAD_ROOM - len, "%s: %s\r\n", name, value);
}

/* A status that asks for a further header. */
static size_t
add_status_headers(char *head, size_t len, int status, const char *allow)
{
	if (status == 401)
		return add_header(head, len, "WWW-Authenticate", "Bearer");
	if (status == 405)
		return add_header(head, len, "Allow", allow);
	if (status == 503)
		return add_header(head, len, "Retry-After", "1");
	return len;
}

/* Writes status line and headers into head; returns their length. */
static size_t
format_head(char *head, const HttpRequest *request, BodyKind kind, size_t body_len,
			const char *allow)
{
	time_t now = time(NULL);
	struct tm utc;
	char value[64];
	size_t len = (size_t) snprintf(head, HEAD_ROOM, "HTTP/1.1 %d %s\r\n", request->status,
								   reason_phrase(request->status));

	gmtime_r(&now, &utc);
	strftime(value, sizeof(value), "%a, %d %b %Y %H:%M:%S GMT", &utc);
	len = add_header(head, len, "Date", value);
	if (kind != BODY_NONE)
		len = add_header(head, len, "Content-Type", "application/json");
	snprintf(value, sizeof(value), "%zu", body_len);
	if (kind == BODY_WHOLE || (kind == BODY_NONE && request->status != 204))
		len = add_header(head, len, "Content-Length", value);
	else if (kind == BODY_STREAMED && !request->is_http10)
		len = add_header(head, len, "Transfer-Encoding", "chunked");
	len = add_header(head, len, "Cache-Control", "no-store");
	len = add_header(head, len, "X-Content-Type-Options", "nosniff");
	len = add_status_headers(head, len, request->status, allow);
	len = add_header(head, len, "Connection", "close");
	return len + (size_t) snprintf(head + len, HEAD_ROOM - len, "\r\n");
}

/* ---- A body of unknown length ---- */

bool
answer_begin(Answer *answer, HttpRequest *request, int status)
{
	*answer = (Answer){.request = request, .status = status};
	answer->buffer = malloc(HEAD_ROOM + BODY_ROOM + 2);
	return answer->buffer != NULL;
}

/* Puts head in front of the body in the buffer, and sends both in one write. */
static void
send_with_head(Answer *answer, const char *head, size_t head_len, size_t body_len)
{
	char *begin = answer->buffer + HEAD_ROOM - head_len;

	memcpy(begin, head, head_len);
	if (!http_write(answer->request, begin, head_len + body_len))
		answer->broken = true;
	answer->len = 0;
}

static void
start_streaming(Answer *answer)
{
	HttpRequest *request = answer->request;
	char head[HEAD_ROOM];

	answer->streaming = true;
	watchdog_add(&answer->watch, http_descriptor(request), SHUT_RDWR, request->deadline_ms);
	request->status = answer->status;
	if (!http_write(request, head, format_head(head, request, BODY_STREAMED, 0, "")))
		answer->broken = true;
}

/* Sends the buffer as a chunk.  A HEAD request has its answer with the headers, and needs no more. */
static void
send_chunk(Answer *answer)
{
	char size[16];
	size_t size_len = (size_t) snprintf(size, sizeof(size), "%zx\r\n", answer->len);

	if (is_head_request(answer->request))
		answer->broken = true;
	else if (answer->request->is_http10)
		send_with_head(answer, "", 0, answer->len);
	else
	{
		memcpy(answer->buffer + HEAD_ROOM + answer->len, "\r\n", 2);
		send_with_head(answer, size, size_len, answer->len + 2);
	}
}

bool
answer_append(Answer *answer, const char *data, size_t len)
{
	while (len > 0 && !answer->broken)
	{
		size_t room = BODY_ROOM - answer->len;
		size_t part = len < room ? len : room;

		memcpy(answer->buffer + HEAD_ROOM + answer->len, data, part);
		answer->len += part;
		data += part;
		len -= part;
		if (len == 0)
			break;
		if (!answer->streaming)
			start_streaming(answer);
		if (!answer->broken)
			send_chunk(answer);
	}
	return !answer->broken;
}

void
answer_finish(Answer *answer)
{
	HttpRequest *request = answer->request;
	char head[HEAD_ROOM];

	if (!answer_append(answer, "\n", 1))
		return;
	if (!answer->streaming)
	{
		request->status = answer->status;
		send_with_head(answer, head, format_head(head, request, BODY_WHOLE, answer->len, ""),
					   is_head_request(request) ? 0 : answer->len);
		return;
	}
	if (answer->len > 0)
		send_chunk(answer);
	if (!answer->broken && !request->is_http10)
		answer->broken = !http_write(request, "0\r\n\r\n", 5);
}

void
answer_release(Answer *answer)
{
	if (answer->streaming)
		watchdog_remove(&answer->watch);
	free(answer->buffer);
}

/* ---- Whole answers ---- */

static void
send_whole(HttpRequest *request, int status, const char *body, const char *allow)
{
	size_t body_len = body ? strlen(body) + 1 : 0; /* with its line end */
	char *buffer = malloc(HEAD_ROOM + body_len);
	size_t len;

	request->status = status;
	if (buffer == NULL)
		return;
	len = format_head(buffer, request, body ? BODY_WHOLE : BODY_NONE, body_len, allow);
	if (body != NULL && !is_head_request(request))
	{
		memcpy(buffer + len, body, body_len - 1);
		buffer[len + body_len - 1] = '\n';
		len += body_len;
	}
	http_write(request, buffer, len);
	free(buffer);
}

void
answer_whole(HttpRequest *request, int status, const char *body)
{
	send_whole(request, status, body, "");
}

void
answer_failure(HttpRequest *request, const Failure *failure)
{
	Text body = {0};

	append_error_body(&body, failure, request->path);
	send_whole(request, failure->status, body.failed ? NULL : body.data, failure->allow);
	text_free(&body);
}
