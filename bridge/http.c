/*
 * http.c
 *		One request as CivetWeb has read it: headers, body, writing.
 *
 * Reading and writing block the thread of the request.  A body has a deadline of
 * its own; an answer has that of the request.
 */
#include "http.h"

#include <civetweb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "clock.h"
#include "descriptor.h"
#include "watchdog.h"

/* For the body as a whole: a refusal must be sent within five seconds. */
#define BODY_TIMEOUT_MS 4500

/* ---- Headers ---- */

const char *
http_header(const HttpRequest *request, const char *name)
{
	const struct mg_request_info *info = mg_get_request_info(request->connection);

	for (int i = 0; i < info->num_headers; i++)
		if (strcasecmp(info->http_headers[i].name, name) == 0)
			return info->http_headers[i].value;
	return NULL;
}

int
http_count_header(const HttpRequest *request, const char *name)
{
	const struct mg_request_info *info = mg_get_request_info(request->connection);
	int count = 0;

	for (int i = 0; i < info->num_headers; i++)
		count += strcasecmp(info->http_headers[i].name, name) == 0;
	return count;
}

int
http_header_total(const HttpRequest *request)
{
	return mg_get_request_info(request->connection)->num_headers;
}

const char *
http_header_name(const HttpRequest *request, int index)
{
	return mg_get_request_info(request->connection)->http_headers[index].name;
}

/* ---- Body ---- */

bool
http_read_body(HttpRequest *request, size_t length, char **body, Failure *failure)
{
	static const char proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";
	Watch watch;
	bool too_late;
	int len;

	*body = malloc(length + 1);
	if (*body == NULL)
		return fail(failure, 503, "out of memory");
	if (!request->is_http10 && http_header(request, "Expect") != NULL)
		mg_write(request->connection, proceed, sizeof(proceed) - 1);

	/* without a descriptor there would be no deadline */
	if (http_descriptor(request) < 0)
		return fail(failure, 400, "the connection was reset");
	watchdog_add(&watch, http_descriptor(request), SHUT_RD, clock_now_ms() + BODY_TIMEOUT_MS);
	len = mg_read(request->connection, *body, length);
	too_late = watchdog_remove(&watch);

	if (len < 0 || (size_t) len != length)
		return too_late ? fail(failure, 408, "the body did not arrive in time")
						: fail(failure, 400, "the body is shorter than its Content-Length");
	request->body_was_read = true;
	(*body)[length] = '\0';
	if (strlen(*body) != length)
		return fail(failure, 400, "the body has a NUL byte, which JSON does not allow");
	return true;
}

/* ---- Answer ---- */

/*
 * CivetWeb reports a client that is gone and one that reads nothing for a while
 * alike.  But the latter takes it the full timeout, and may be tried again.
 */
bool
http_write(HttpRequest *request, const char *data, size_t len)
{
	while (len > 0)
	{
		int64_t began = clock_now_ms();
		int written = mg_write(request->connection, data, len);

		if (written > 0)
		{
			request->bytes_sent += (uint64_t) written;
			data += written;
			len -= (size_t) written;
		}
		else if (clock_now_ms() - began < HTTP_STALL_MS / 2)
			return false;
		if (len > 0 && clock_now_ms() >= request->deadline_ms)
			return false;
	}
	return true;
}

/*
 * To close the socket would look like a regular end where nothing else marks
 * one.  Dissolving the connection resets it, behind what was sent already.
 */
void
http_reset(HttpRequest *request)
{
	static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	int descriptor = http_descriptor(request);

	if (descriptor >= 0 && connect(descriptor, &nowhere, sizeof(nowhere)) != 0)
		shutdown(descriptor, SHUT_RDWR);
}

int
http_descriptor(HttpRequest *request)
{
	const struct mg_request_info *info = mg_get_request_info(request->connection);

	if (request->descriptor < 0)
		request->descriptor = descriptor_of_peer(info->remote_addr, info->remote_port,
												 info->server_port, request->several_addresses);
	return request->descriptor;
}
