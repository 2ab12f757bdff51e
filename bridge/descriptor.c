/*
 * descriptor.c
 *		Finds the sockets that CivetWeb does not show.
 *
 * Its API gives no descriptor, but a deadline on a body, a client that went
 * away and a stop without a two second sleep all need one.  So the process's
 * own descriptors are searched, from the lowest: the kernel hands out the
 * lowest free one, so the search ends within as many steps as sockets are open.
 *
 * A descriptor found here stays valid until CivetWeb closes it: for a peer, as
 * long as the handler of its request runs, or seats.c knows that it is open.
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "descriptor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Beyond what any number of threads opens; a bound for when the socket is not there. */
#define SEARCH_LIMIT 16384

typedef union SocketAddress
{
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} SocketAddress;

static int
port_of(const SocketAddress *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	if (address->any.sa_family == AF_INET6)
		return ntohs(address->v6.sin6_port);
	return -1;
}

static bool
has_local_port(int descriptor, int port)
{
	SocketAddress local;
	socklen_t len = sizeof(local);

	return getsockname(descriptor, &local.any, &len) == 0 && port_of(&local) == port;
}

static bool
has_peer(int descriptor, const char *address, int port)
{
	SocketAddress peer;
	socklen_t len = sizeof(peer);
	char text[INET6_ADDRSTRLEN] = "";

	if (getpeername(descriptor, &peer.any, &len) != 0 || port_of(&peer) != port)
		return false;
	if (peer.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &peer.v4.sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &peer.v6.sin6_addr, text, sizeof(text));
	return strcmp(text, address) == 0;
}

static bool
is_listening(int descriptor)
{
	int listening = 0;
	socklen_t len = sizeof(listening);

	return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

static int
search_limit(void)
{
	long limit = sysconf(_SC_OPEN_MAX);

	return limit > 0 && limit < SEARCH_LIMIT ? (int) limit : SEARCH_LIMIT;
}

int
descriptor_of_peer(const char *address, int peer_port, int local_port, bool several_addresses)
{
	int limit = search_limit();
	int found = -1;

	for (int i = STDERR_FILENO + 1; i < limit; i++)
	{
		if (!has_peer(i, address, peer_port) || !has_local_port(i, local_port))
			continue;
		if (!several_addresses)
			return i;
		if (found >= 0)
			return -1;
		found = i;
	}
	return found;
}

static bool
has_unread_data(int descriptor)
{
	int unread = 0;

	return ioctl(descriptor, FIONREAD, &unread) == 0 && unread > 0;
}

bool
descriptor_shut_down_silent(const char *address, int peer_port, int local_port,
							bool several_addresses)
{
	int limit = search_limit();
	bool done = false;

	for (int i = STDERR_FILENO + 1; i < limit && (several_addresses || !done); i++)
	{
		if (!has_peer(i, address, peer_port) || !has_local_port(i, local_port))
			continue;
		if (has_unread_data(i))
			return done;
		shutdown(i, SHUT_RDWR);
		done = true;
	}
	return done;
}

int
descriptor_of_listener(int local_port)
{
	int limit = search_limit();

	for (int i = 0; i < limit; i++)
		if (is_listening(i) && has_local_port(i, local_port))
			return i;
	return -1;
}

/*
 * A peer that only closed its sending half looks the same, and is treated the
 * same, as nginx does: no client that waits for an answer does that.
 */
bool
descriptor_peer_is_gone(int descriptor)
{
	struct pollfd peer = {.fd = descriptor, .events = POLLRDHUP};

	return descriptor < 0 ||
		   (poll(&peer, 1, 0) == 1 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
}
