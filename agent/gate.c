/*
 * gate.c
 *		The one address that a session may connect to, for whatever library it runs.
 *
 * The functions of the C library by which names are looked up and sockets connected are
 * defined here, and the program is linked so that the libraries of drivers find these before
 * the C library's.  Each name, and each address, is answered with the one address that the
 * backend has checked; connect() is the real gate.  It waits until the connection is there,
 * so that a driver that does not know of deadlines meets one, and so that its progress can be
 * told.
 *
 * Not intercepted is what makes system calls by itself, as programs in Go do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gate.h"

static struct sockaddr_storage only;
static socklen_t only_length; /* 0: nothing may be connected to */
static int (*time_left)(void *);
static void *time_left_argument;
static AfterConnect after_connect;
static void *after_connect_argument;
static AfterConnect after_failure;
static void *after_failure_argument;
static __thread int last_error;

/*
 * Let this address, which is text, be connected to.  time_left says how many milliseconds a
 * connection may take.
 */
bool
gate_open(const char *address, int port, int (*left)(void *), void *argument)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *) &only;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &only;

	time_left = left;
	time_left_argument = argument;
	memset(&only, 0, sizeof(only));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
	{
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		only_length = sizeof(*v4);
	}
	else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
	{
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		only_length = sizeof(*v6);
	}
	return only_length != 0;
}

/* Call a function for each connection that is made, in the thread that makes it. */
void
gate_after_connect(AfterConnect function, void *argument)
{
	after_connect = function;
	after_connect_argument = argument;
}

/*
 * Call a function when the address that may be connected to cannot be, in the thread that has
 * tried; it is told an errno in place of a socket.
 */
void
gate_after_failure(AfterConnect function, void *argument)
{
	after_failure = function;
	after_failure_argument = argument;
}

/* The errno of this thread's last connection; 0: it was made. */
int
gate_error(void)
{
	return last_error;
}

/* ---- connecting ----------------------------------------------------------------------------- */

static bool
is_only(const struct sockaddr *address, socklen_t length)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *) address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) address;

	if (only_length == 0 || address->sa_family != only.ss_family || length < only_length)
		return false;
	if (address->sa_family == AF_INET)
		return v4->sin_port == ((struct sockaddr_in *) &only)->sin_port &&
			   v4->sin_addr.s_addr == ((struct sockaddr_in *) &only)->sin_addr.s_addr;
	return v6->sin6_port == ((struct sockaddr_in6 *) &only)->sin6_port &&
		   memcmp(&v6->sin6_addr, &((struct sockaddr_in6 *) &only)->sin6_addr, 16) == 0;
}

/* Wait for a connection that is under way; an errno. */
static int
wait_until_connected(int fd)
{
	struct pollfd socket_ready = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t length = sizeof(error);
	int count;

	do
		count = poll(&socket_ready, 1, time_left(time_left_argument));
	while (count < 0 && errno == EINTR);
	if (count == 0)
		return ETIMEDOUT;
	if (count < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return errno;
	return error;
}

static int
try_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);
	int flags = fcntl(fd, F_GETFL);
	int error = 0;

	if (real == NULL)
		real = (int (*)(int, const struct sockaddr *, socklen_t)) dlsym(RTLD_NEXT, "connect");
	if (!is_only(address, length))
		return ENETUNREACH;
	(void) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (real(fd, address, length) < 0)
		error = errno == EINPROGRESS ? wait_until_connected(fd) : errno;
	(void) fcntl(fd, F_SETFL, flags);
	if (error != 0 && after_failure != NULL)
		return after_failure(error, after_failure_argument);
	if (error == 0 && after_connect != NULL)
		error = after_connect(fd, after_connect_argument);
	return error;
}

/* In place of the C library's. */
int
connect(int fd, const struct sockaddr *address, socklen_t length)
{
	last_error = try_connect(fd, address, length);
	if (last_error == 0)
		return 0;
	errno = last_error;
	return -1;
}

/* ---- looking up names ------------------------------------------------------------------------- */

static int
port_of(const char *service)
{
	char *end;
	long port = service == NULL ? 0 : strtol(service, &end, 10);

	return service != NULL && *end == '\0' && port >= 0 && port <= 65535 ? (int) port : 0;
}

/* In place of the C library's: all names have the one address.  freeaddrinfo() frees the answer. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **answer)
{
	struct addrinfo *info;
	struct sockaddr_storage *address;

	if (only_length == 0 || (node == NULL && service == NULL) ||
		(hints != NULL && hints->ai_family != AF_UNSPEC && hints->ai_family != only.ss_family))
		return EAI_NONAME;
	info = calloc(1, sizeof(*info) + sizeof(*address));
	if (info == NULL)
		return EAI_MEMORY;
	address = (struct sockaddr_storage *) (info + 1);
	*address = only;
	((struct sockaddr_in *) address)->sin_port = htons(port_of(service));
	info->ai_flags = hints == NULL ? 0 : hints->ai_flags;
	info->ai_family = only.ss_family;
	info->ai_socktype = hints == NULL || hints->ai_socktype == 0 ? SOCK_STREAM : hints->ai_socktype;
	info->ai_protocol = hints == NULL ? 0 : hints->ai_protocol;
	info->ai_addrlen = only_length;
	info->ai_addr = (struct sockaddr *) address;
	*answer = info;
	return 0;
}

void
freeaddrinfo(struct addrinfo *info)
{
	free(info);
}

/* The older ones have no answer at all; no driver that is known needs one. */
struct hostent *
gethostbyname(const char *name)
{
	(void) name;
	h_errno = HOST_NOT_FOUND;
	return NULL;
}

struct hostent *
gethostbyname2(const char *name, int family)
{
	(void) family;
	return gethostbyname(name);
}

int
gethostbyname_r(const char *name, struct hostent *result, char *buffer, size_t size,
				struct hostent **answer, int *error)
{
	(void) name, (void) result, (void) buffer, (void) size;
	*answer = NULL;
	*error = HOST_NOT_FOUND;
	return 0;
}

int
gethostbyname2_r(const char *name, int family, struct hostent *result, char *buffer, size_t size,
				 struct hostent **answer, int *error)
{
	(void) family;
	return gethostbyname_r(name, result, buffer, size, answer, error);
}

/*
 * Ports are given as numbers.  libmariadb looks for its own when it is initialized, for which the C
 * library would search a dozen directories and read a file.
 */
struct servent *
getservbyname(const char *name, const char *protocol)
{
	(void) name, (void) protocol;
	return NULL;
}

int
getaddrinfo_a(int mode, struct gaicb **list, int count, struct sigevent *event)
{
	(void) mode, (void) list, (void) count, (void) event;
	return EAI_SYSTEM;
}
