/*
 * resolver.c
 *		Resolves host names without blocking the backend.
 *
 * libpq would call getaddrinfo() itself and wait for an unresponsive name
 * server far beyond any connect_timeout.  Here a thread calls it, the caller's
 * deadline is kept, and the policy checks the very addresses that are then
 * connected to.  A literal address is parsed at once, in every spelling that
 * the C library accepts (0x7f.1, 2130706433, ...), so that no spelling escapes
 * the policy.
 *
 * It must not know about sessions or policy.
 */
#include "postgres.h"

#include <netdb.h>
#include <sys/socket.h>

#include "event/background.h"
#include "event/resolver.h"

/* The part that the thread uses: malloc'd, not palloc'd. */
typedef struct Lookup
{
	char *host;
	char service[8];
	int rc; /* of getaddrinfo */
	struct addrinfo *found;
} Lookup;

struct Resolution
{
	BackgroundJob *job; /* NULL for a literal address */
	Lookup *lookup;     /* belongs to the job if there is one */
};

static void
lookup_free(void *argument)
{
	Lookup *lookup = argument;

	if (lookup->found != NULL)
		freeaddrinfo(lookup->found);
	free(lookup->host);
	free(lookup);
}

static void
lookup_run(void *argument)
{
	Lookup *lookup = argument;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

	lookup->rc = getaddrinfo(lookup->host, lookup->service, &hints, &lookup->found);
}

static int
find_literal(const char *host, const char *service, struct addrinfo **found)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
							 .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};

	return getaddrinfo(host, service, &hints, found);
}

/*
 * Start to resolve a host.  Returns NULL if there is no memory or thread left.
 * The result is malloc'd: free it with resolver_release().
 */
Resolution *
resolver_start(const char *host, int port)
{
	Resolution *resolution = calloc(1, sizeof(Resolution));
	Lookup *lookup = calloc(1, sizeof(Lookup));

	if (resolution == NULL || lookup == NULL || (lookup->host = strdup(host)) == NULL)
	{
		free(resolution);
		free(lookup);
		return NULL;
	}
	snprintf(lookup->service, sizeof(lookup->service), "%d", port);
	resolution->lookup = lookup;
	lookup->rc = find_literal(host, lookup->service, &lookup->found);
	if (lookup->rc == 0)
		return resolution;

	resolution->job = background_run(BACKGROUND_RESOLVE, lookup_run, lookup_free, lookup);
	if (resolution->job == NULL)
	{
		free(resolution);
		return NULL;
	}
	return resolution;
}

bool
resolver_done(Resolution *resolution)
{
	return resolution->job == NULL || background_done(resolution->job);
}

/*
 * Get the addresses found, at most max of them, in the C library's order of
 * preference, and return their number.  They are valid as long as the
 * Resolution.  Returns 0 if the name was not resolved.
 */
int
resolver_addresses(Resolution *resolution, const struct sockaddr **addresses, int max)
{
	int count = 0;

	if (resolution->lookup->rc != 0)
		return 0;
	for (struct addrinfo *info = resolution->lookup->found; info != NULL && count < max;
		 info = info->ai_next)
		if (info->ai_family == AF_INET || info->ai_family == AF_INET6)
			addresses[count++] = info->ai_addr;
	return count;
}

/* The C library's message about a name that was not resolved; static memory. */
const char *
resolver_error(Resolution *resolution)
{
	return resolution->lookup->rc == 0 ? "no address" : gai_strerror(resolution->lookup->rc);
}

/* Release a Resolution, whether it is done or not. */
void
resolver_release(Resolution *resolution)
{
	if (resolution->job != NULL)
		background_release(resolution->job);
	else
		lookup_free(resolution->lookup);
	free(resolution);
}
