/*
 * hostile_server.c
 *		A server that sends whatever a fuzz input contains.
 *
 * It runs in a thread of the backend that connects to it, and so must not call
 * PostgreSQL.  It serves one connection after the other; any other connection
 * meanwhile is a cancel request, which is read and closed.
 */
#include "hostile_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SSL_REQUEST    80877103u
#define GSSENC_REQUEST 80877104u

/* How long the server waits for the client to send something. */
#define TURN_MS 5

/* Between the pieces of an answer. */
#define PIECE_US 200

#define READY_SIZE 6 /* of a ReadyForQuery */

static struct
{
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const HostileScript *script; /* NULL: send nothing, close everything */
	bool serving;                /* the thread is using the script */
	size_t said;
	int listener;
	int wakeup; /* readable: the script has ended */
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- waiting and reading ------------------------------------------------------------- */

/* A client that connects while another is served sends a cancel request. */
static void
turn_away(void)
{
	int fd = accept(server.listener, NULL, NULL);
	char packet[64];
	struct pollfd client = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return;
	if (poll(&client, 1, TURN_MS) > 0)
		(void) !read(fd, packet, sizeof(packet));
	close(fd);
}

/*
 * Wait until the client has sent something or disconnected; returns false if
 * the time is over, or the script has ended.
 */
static bool
await(int client, int timeout_ms)
{
	struct pollfd fds[] = {{.fd = client, .events = POLLIN},
						   {.fd = server.wakeup, .events = POLLIN},
						   {.fd = server.listener, .events = POLLIN}};

	while (poll(fds, 3, timeout_ms) > 0)
	{
		if (fds[1].revents != 0)
			return false;
		if (fds[0].revents != 0)
			return true;
		turn_away();
	}
	return false;
}

static bool
read_exactly(int client, void *buffer, size_t size)
{
	char *to = buffer;

	while (size > 0)
	{
		ssize_t n = await(client, -1) ? read(client, to, size) : 0;

		if (n <= 0)
			return false;
		to += n;
		size -= (size_t) n;
	}
	return true;
}

static uint32_t
read_number(const unsigned char *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 |
		   bytes[3];
}

static bool
skip(int client, uint32_t size)
{
	char buffer[1024];

	for (; size > 0; size -= size < sizeof(buffer) ? size : sizeof(buffer))
		if (!read_exactly(client, buffer, size < sizeof(buffer) ? size : sizeof(buffer)))
			return false;
	return true;
}

/* A packet of the startup, which has no type; returns its code, 0 at the end. */
static uint32_t
read_startup(int client)
{
	unsigned char head[8];

	if (!read_exactly(client, head, sizeof(head)) || read_number(head) < 8 ||
		!skip(client, read_number(head) - 8))
		return 0;
	return read_number(head + 4);
}

/* A message; returns its type, 0 at the end. */
static char
read_message(int client)
{
	unsigned char head[5];

	if (!read_exactly(client, head, sizeof(head)) || read_number(head + 1) < 4 ||
		!skip(client, read_number(head + 1) - 4))
		return 0;
	return (char) head[0];
}

/*
 * Read until the client has sent a query and waits for the answer; returns
 * false if it has disconnected.
 */
static bool
read_question(int client)
{
	char type;

	do
		type = read_message(client);
	while (type != 0 && type != 'S' && type != 'Q' && type != 'X');
	return type == 'S' || type == 'Q';
}

/* ---- what it says ------------------------------------------------------------------------ */

static bool
say(int client, const void *bytes, size_t size)
{
	return send(client, bytes, size, MSG_NOSIGNAL) == (ssize_t) size;
}

#define SAY(client, bytes) say((client), (bytes), sizeof(bytes) - 1)

/*
 * Behave correctly up to the point where the input begins; returns 0 if the
 * client has disconnected.
 */
static bool
behave(int client, HostileBegin begin)
{
	static const char md5[] = "R\0\0\0\x0c\0\0\0\x05salt";
	static const char welcome[] = "R\0\0\0\x08\0\0\0\0"
								  "S\0\0\0\x18server_version\00015.0\0"
								  "S\0\0\0\x19server_encoding\0UTF8\0"
								  "S\0\0\0\x19"
								  "client_encoding\0UTF8\0"
								  "K\0\0\0\x0c\0\0\0\x01\0\0\0\x01"
								  "Z\0\0\0\x05I";
	uint32_t code = read_startup(client);

	while (begin > BEGIN_AT_ONCE && (code == SSL_REQUEST || code == GSSENC_REQUEST))
	{
		if (!SAY(client, "N"))
			return false;
		code = read_startup(client);
	}
	if (code == 0 || begin <= BEGIN_LOGIN)
		return code != 0;
	if (!SAY(client, md5) || read_message(client) != 'p')
		return false;
	return begin == BEGIN_PASSWORD_IN || (SAY(client, welcome) && read_question(client));
}

/* How many bytes are sent before it is the client's turn: up to the end of a ReadyForQuery. */
static size_t
turn_size(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i + READY_SIZE <= size; i++)
		if (memcmp(bytes + i, "Z\0\0\0\x05", READY_SIZE - 1) == 0)
			return i + READY_SIZE;
	return size;
}

static size_t
piece_size(HostileDelivery delivery, const uint8_t *bytes, size_t size)
{
	switch (delivery)
	{
		case DELIVER_IN_TURN:
		case DELIVER_AND_HOLD:
			return turn_size(bytes, size);
		case DELIVER_IN_PIECES:
			return size / 4 + 1;
		default:
			return size;
	}
}

static void
misbehave(int client, const HostileScript *script)
{
	while (server.said < script->size)
	{
		const uint8_t *bytes = script->bytes + server.said;
		size_t size = piece_size(script->delivery, bytes, script->size - server.said);

		__atomic_add_fetch(&server.said, size, __ATOMIC_SEQ_CST);
		if (!say(client, bytes, size))
			return;
		if (script->delivery == DELIVER_IN_PIECES)
			usleep(PIECE_US);
		else if (server.said < script->size && await(client, TURN_MS) && !read_question(client))
			return;
	}
	if (script->delivery != DELIVER_AND_HOLD)
		shutdown(client, SHUT_WR);
}

static void
serve(int client, const HostileScript *script)
{
	char ignored[1024];
	int one = 1;

	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (behave(client, script->begin))
		misbehave(client, script);
	/* A socket that is closed with unread data in it is reset, and the reset may overtake what was said. */
	while (await(client, -1) && read(client, ignored, sizeof(ignored)) > 0)
		;
}

/* ---- the thread --------------------------------------------------------------------------------- */

static const HostileScript *
await_script(void)
{
	const HostileScript *script;

	pthread_mutex_lock(&server.lock);
	server.serving = false;
	pthread_cond_broadcast(&server.changed);
	while (server.script == NULL)
		pthread_cond_wait(&server.changed, &server.lock);
	server.serving = true;
	script = server.script;
	pthread_mutex_unlock(&server.lock);
	return script;
}

static void *
thread_main(void *unused)
{
	(void) unused;
	for (;;)
	{
		const HostileScript *script = await_script();
		int client;

		if (!await(server.listener, -1))
			continue;
		client = accept(server.listener, NULL, NULL);
		if (client < 0)
			continue;
		serve(client, script);
		close(client);
	}
	return NULL;
}

/* ---- for the target -------------------------------------------------------------------------------- */

int
hostile_start(bool (*start_thread)(void *(*thread_main)(void *), void *argument))
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);

	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	server.wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (server.listener < 0 || server.wakeup < 0 ||
		bind(server.listener, (struct sockaddr *) &address, len) != 0 ||
		listen(server.listener, 64) != 0 ||
		getsockname(server.listener, (struct sockaddr *) &address, &len) != 0 ||
		!start_thread(thread_main, NULL))
		return -1;
	return ntohs(address.sin_port);
}

void
hostile_play(const HostileScript *script)
{
	pthread_mutex_lock(&server.lock);
	server.script = script;
	server.said = 0;
	pthread_cond_broadcast(&server.changed);
	pthread_mutex_unlock(&server.lock);
}

bool
hostile_has_more(void)
{
	return __atomic_load_n(&server.said, __ATOMIC_SEQ_CST) < server.script->size;
}

void
hostile_end(void)
{
	uint64_t count = 1;

	pthread_mutex_lock(&server.lock);
	server.script = NULL;
	(void) !write(server.wakeup, &count, sizeof(count));
	while (server.serving)
		pthread_cond_wait(&server.changed, &server.lock);
	(void) !read(server.wakeup, &count, sizeof(count));
	pthread_mutex_unlock(&server.lock);
	/* Close connections that have not been accepted. */
	for (;;)
	{
		struct pollfd listener = {.fd = server.listener, .events = POLLIN};

		if (poll(&listener, 1, 0) != 1)
			return;
		turn_away();
	}
}
