/*
 * http_server.c
 *		Runs CivetWeb: what it may do, its callbacks, start and stop.
 *
 * CivetWeb accepts connections, reads and splits the header, and gives each
 * request a thread with a stack of 100 KiB.  Everything else that it offers is
 * off or is not reached: on_request() handles every request, so that there are
 * no files, no authentication files, no directory listings, no websockets.
 * One connection serves one request: with keep-alive, the headers that CivetWeb
 * drops (behind a folded one, or after the 64th) would let requests be smuggled.
 *
 * CivetWeb closes a connection whose request target is not a path of this
 * server without an answer; on_close() answers it.
 *
 * No file but this one and http.c calls CivetWeb.  Which requests are served,
 * and what is answered, is not decided here.
 */
#include "http_server.h"

#include <civetweb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "descriptor.h"
#include "seats.h"
#include "watchdog.h"

/* How long a client may take to read a refusal while it still sends the body of its request. */
#define LINGER_MS 200

/* After the listener has closed: time for headers that are on their way. */
#define STOP_GRACE_MS 100

/* And for their refusals. */
#define STOP_PATIENCE_MS 2000

static struct
{
	const Options *options;
	HttpHandler handler;
	HttpFailureHandler failure_handler;
	struct mg_context *context;
	int port;
	bool several_addresses;  /* it listens on all that this machine has */
	char start_message[256]; /* CivetWeb's first words when it does not start */
	atomic_int in_flight;
	atomic_bool draining;
	atomic_bool broken_off;
} server;

/* ---- CivetWeb's callbacks ---- */

/*
 * CivetWeb fills in the address before it reports a connection, but makes it
 * available a moment later; until then there is no request info.
 */
static bool
find_peer(const void *connection, Peer *peer)
{
	const struct mg_request_info *info = mg_get_request_info(connection);

	if (info != NULL)
		*peer = (Peer){info->remote_addr, info->remote_port, info->server_port};
	return info != NULL;
}

static HttpRequest
new_request(struct mg_connection *connection)
{
	int64_t now = clock_now_ms();
	Seat *seat = mg_get_user_connection_data(connection);
	Peer peer;

	find_peer(connection, &peer);
	seat_begin(seat, &peer);
	return (HttpRequest){.connection = connection,
						 .seat = seat,
						 .peer = peer.address,
						 .method = "-",
						 .path = "",
						 .started_ms = now,
						 .deadline_ms = now + (int64_t) server.options->request_timeout * 1000,
						 .descriptor = -1,
						 .several_addresses = server.several_addresses};
}

/*
 * A socket that is closed with unread data in it is reset, and the reset may
 * overtake the answer.  So the rest is read and discarded, for a moment; or
 * only as far as it is there, when the caller has many of the threads it may have.
 */
static void
linger(HttpRequest *request)
{
	struct pollfd client = {.fd = http_descriptor(request), .events = POLLIN};
	int64_t deadline_ms = clock_now_ms() + LINGER_MS;
	bool may_wait = seat_may_linger(request->seat);
	char discarded[4096];

	if (client.fd < 0)
		return;
	shutdown(client.fd, SHUT_WR);
	while (clock_ms_until(deadline_ms) > 0 &&
		   poll(&client, 1, may_wait ? clock_ms_until(deadline_ms) : 0) == 1 &&
		   recv(client.fd, discarded, sizeof(discarded), MSG_DONTWAIT) > 0)
		;
}

static bool
has_unread_body(const HttpRequest *request)
{
	const char *length = http_header(request, "Content-Length");

	return !request->body_was_read && ((length != NULL && strcmp(length, "0") != 0) ||
									   http_header(request, "Transfer-Encoding") != NULL);
}

/* CivetWeb leaves spaces at the end of a value.  The header lies in its buffer, which is ours now. */
static void
trim_values(const struct mg_request_info *info)
{
	for (int i = 0; i < info->num_headers; i++)
	{
		char *value = (char *) info->http_headers[i].value;
		size_t len = strlen(value);

		while (len > 0 && value[len - 1] == ' ')
			value[--len] = '\0';
	}
}

/* A result above 0 tells CivetWeb that the request has been handled. */
static int
on_request(struct mg_connection *connection)
{
	const struct mg_request_info *info = mg_get_request_info(connection);
	HttpRequest request = new_request(connection);

	/* First of all, or CivetWeb would wait for the rest of an unread body. */
	mg_disable_connection_keep_alive(connection);

	atomic_fetch_add(&server.in_flight, 1);
	trim_values(info);
	request.method = info->request_method;
	request.path = info->request_uri;
	request.query = info->query_string;
	request.is_http10 = strcmp(info->http_version, "1.0") == 0;
	server.handler(&request);
	if (has_unread_body(&request))
		linger(&request);
	atomic_fetch_sub(&server.in_flight, 1);
	return request.status > 0 ? request.status : 500;
}

/* Of a header that could not be read, only what looks like a path is taken: a token may follow. */
static void
copy_path(char *path, size_t size, const char *target)
{
	if (target != NULL && target[0] == '/')
		for (size_t i = 0; i + 1 < size && (unsigned char) target[i] > ' ' && target[i] != '?'; i++)
			path[i] = target[i];
}

/* CivetWeb's own words are written for developers, and may quote the request. */
static const char *
explain_status(int status)
{
	switch (status)
	{
		case 400:
			return "the request cannot be read";
		case 411:
			return "Content-Length must be a number";
		case 505:
			return "only HTTP/1.0 and HTTP/1.1 are spoken here";
		default:
			return "the request is refused";
	}
}

static void
refuse_unserved(struct mg_connection *connection, int status, const char *why)
{
	const struct mg_request_info *info = mg_get_request_info(connection);
	HttpRequest request = new_request(connection);
	Failure failure = {0};
	char path[512] = "";

	copy_path(path, sizeof(path), info->request_uri);
	request.path = path;
	/* Of what may not even be a method, only the one that counts: its answer has no body. */
	if (info->request_method != NULL && strcmp(info->request_method, "HEAD") == 0)
		request.method = "HEAD";
	fail(&failure, status, "%s", why);

	atomic_fetch_add(&server.in_flight, 1);
	server.failure_handler(&request, &failure);
	linger(&request);
	atomic_fetch_sub(&server.in_flight, 1);
}

/* What CivetWeb itself refuses is answered in the same form as all else.  0: it was. */
static int
on_error(struct mg_connection *connection, int status, const char *message)
{
	(void) message;
	refuse_unserved(connection, status, explain_status(status));
	return 0;
}

/* A worker thread has taken a connection; its header is still to come. */
static int
on_connection(const struct mg_connection *connection, void **data)
{
	*data = seat_take(connection);
	return 0;
}

/* Just before the socket is closed: a request that was read, and not answered, is refused. */
static void
on_close(const struct mg_connection *connection)
{
	Seat *seat = mg_get_user_connection_data(connection);

	if (!seat_has_begun(seat) && mg_get_request_info(connection)->request_uri != NULL)
		refuse_unserved((struct mg_connection *) connection, 400,
						"the request target must be a path");
	seat_leave(seat);
}

/* During the start, the reason of a failure; later nothing that an operator could act on. */
static int
on_message(const struct mg_connection *connection, const char *message)
{
	(void) connection;
	if (server.context == NULL && server.start_message[0] == '\0')
		snprintf(server.start_message, sizeof(server.start_message), "%s", message);
	return 1;
}

/* ---- Start and stop ---- */

/* "cannot bind to 127.0.0.1:80: 13 (Permission denied)" -> "Permission denied" */
static void
explain_start_failure(char *why, size_t size)
{
	char *reason = strrchr(server.start_message, '(');
	char *end = strrchr(server.start_message, ')');

	if (reason != NULL && end != NULL && end > reason)
	{
		*end = '\0';
		snprintf(why, size, "%s", reason + 1);
	}
	else
		snprintf(why, size, "the web server does not start");
}

bool
http_start(const Options *options, HttpHandler handler, HttpFailureHandler failure_handler,
		   int *port, char *why, size_t why_size)
{
	static const struct mg_callbacks callbacks = {.init_connection = on_connection,
												  .begin_request = on_request,
												  .http_error = on_error,
												  .connection_close = on_close,
												  .log_message = on_message};
	struct mg_server_port taken;
	char threads[16];
	char timeout[16];
	/* clang-format off */
	const char *settings[] = {
		"listening_ports", options->listen_address,
		"num_threads", threads,
		"request_timeout_ms", timeout,
		"listen_backlog", "512",
		"enable_keep_alive", "no",
		"decode_url", "no",
		"tcp_nodelay", "1",
		"enable_auth_domain_check", "no",
		NULL
	};
	/* clang-format on */

	snprintf(threads, sizeof(threads), "%d", options->threads);
	snprintf(timeout, sizeof(timeout), "%d", HTTP_STALL_MS);
	server.options = options;
	server.several_addresses = strncmp(options->listen_address, "0.0.0.0:", 8) == 0 ||
							   strncmp(options->listen_address, "[::]:", 5) == 0;
	server.handler = handler;
	server.failure_handler = failure_handler;

	/* Debian builds it without */
	if (options->listen_address[0] == '[' && !mg_check_feature(MG_FEATURES_IPV6))
	{
		snprintf(why, why_size, "this build of CivetWeb has no IPv6");
		return false;
	}
	if (!watchdog_start() || !seats_start(options->threads, server.several_addresses, find_peer))
	{
		snprintf(why, why_size, "out of memory or threads");
		return false;
	}
	server.context = mg_start(&callbacks, NULL, settings);
	if (server.context == NULL)
	{
		explain_start_failure(why, why_size);
		return false;
	}
	if (mg_get_server_ports(server.context, 1, &taken) == 1)
		server.port = taken.port;
	*port = server.port;
	return true;
}

void
http_drain(void)
{
	atomic_store(&server.draining, true);
}

bool
http_is_draining(void)
{
	return atomic_load(&server.draining);
}

void
http_break_off(void)
{
	atomic_store(&server.broken_off, true);
}

bool
http_is_broken_off(void)
{
	return atomic_load(&server.broken_off);
}

int
http_in_flight(void)
{
	return atomic_load(&server.in_flight);
}

/*
 * mg_stop() alone would drop the answers of threads that are still writing, and
 * its accepting thread would sleep up to two seconds before it noticed.  A
 * listener that is shut down wakes it, and takes no new connections.
 */
void
http_stop(void)
{
	int listener = descriptor_of_listener(server.port);
	int64_t deadline_ms;

	if (listener >= 0)
		shutdown(listener, SHUT_RDWR);
	usleep(STOP_GRACE_MS * 1000);
	/* requests that came in between are refused, which takes no time */
	deadline_ms = clock_now_ms() + STOP_PATIENCE_MS;
	while (http_in_flight() > 0 && !http_is_broken_off() && clock_now_ms() < deadline_ms)
		usleep(10000);
	mg_stop(server.context);
	mg_exit_library();
	seats_stop();
}
