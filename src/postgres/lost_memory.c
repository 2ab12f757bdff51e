/*
 * lost_memory.c
 *		Memory that libpq has lost for good in this backend, and to whom.
 *
 * For some messages of a hostile server (ParameterDescription) libpq allocates
 * memory that nothing can free but the end of the process.  The wire bounds
 * what one answer can cost (MAX_LIBPQ_HEAP); here it is added up over the life of
 * the backend.  Beyond a limit, the servers that cost it are no longer connected
 * to, so that all others go on.
 *
 * Owns: these sums.  It must not know sessions, or what libpq does.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "base/address.h"
#include "base/compat.h"
#include "base/failure.h"
#include "model/target.h"
#include "postgres/lost_memory.h"

/* So much may be lost in all before a server is refused that has cost more than its share. */
#define MAX_LOST  (INT64CONST(64) * 1024 * 1024)
#define MAX_SHARE (INT64CONST(1) * 1024 * 1024)

/* What a session leaves behind without any malice: OpenSSL and the C library keep a little. */
#define MAX_LEFT_BEHIND (16 * 1024)

/*
 * Servers are told apart by the hash of their address, whatever the port, so that
 * these sums need no room that a caller could exhaust, and what is lost in all has
 * a bound.  A server can be refused for another one with the same hash.
 */
#define NUM_SHARES 256

static int64 lost = 0;
static int64 shares[NUM_SHARES];

static int64 *
share_of(const struct sockaddr *sockaddr)
{
	Address address = {0};

	if (address_from_sockaddr(sockaddr, &address))
		address_unwrap(&address);
	return &shares[hash_bytes(address.bytes, address.family == AF_INET ? 4 : 16) % NUM_SHARES];
}

/*
 * Bytes that this process has allocated, to be compared around a call of libpq in
 * which PostgreSQL allocates nothing.  Always 0 where the C library does not tell.
 */
int64
lost_memory_heap(void)
{
	return dqds_heap_in_use();
}

/*
 * The same without what the running function call has allocated, so that rows may
 * be handed on in between.  All of that hangs below the same child of
 * TopMemoryContext as the current context; to add up the hundreds of others would
 * take longer than a short answer does.
 */
int64
lost_memory_heap_of_libpq(void)
{
	size_t heap = dqds_heap_in_use();
	MemoryContext context = CurrentMemoryContext;

	if (heap == 0)
		return 0;
	while (context->parent != NULL && context->parent != TopMemoryContext)
		context = context->parent;
	return (int64) heap - (int64) MemoryContextMemAllocated(context, true);
}

/* A session with the server at address has ended, and so many bytes were not freed.  Never raises. */
void
lost_memory_note(const struct sockaddr *address, int64 bytes)
{
	if (bytes <= MAX_LEFT_BEHIND)
		return;
	lost += bytes;
	*share_of(address) += bytes;
}

/* May the server at address be connected to?  False: *failure is DQDS_BUSY. */
bool
lost_memory_permits(const Target *target, const struct sockaddr *address, Failure *failure)
{
	static bool logged = false;

	if (lost <= MAX_LOST || *share_of(address) <= MAX_SHARE)
		return true;
	if (!logged)
		ereport(LOG, (errmsg("remote servers have made this backend lose %lld MB of memory",
							 (long long) (lost / (1024 * 1024))),
					  errdetail("Their answers hold messages that no PostgreSQL server sends; the "
								"backend no longer connects to them."),
					  errhint("End the backend to free the memory.")));
	logged = true;
	failure_set(failure, DQDS_BUSY,
				"Reconnect to the control database, and find out what that server is.",
				"the answers of %s:%s have cost this session too much memory", target->shown_host,
				target->shown_port);
	return false;
}
