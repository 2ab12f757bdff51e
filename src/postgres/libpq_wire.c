/*
 * libpq_wire.c
 *		The wire of servers that speak PostgreSQL's protocol: its table, and how a link ends.
 */
#include "postgres.h"

#include "event/background.h"
#include "event/reactor.h"
#include "postgres/dialect.h"
#include "postgres/libpq_link.h"
#include "postgres/libpq_wire.h"
#include "postgres/lost_memory.h"
#include "wire/wire.h"

static bool
reusable(const WireLink *common)
{
	const LibpqLink *link = (const LibpqLink *) common;

	return link->kept_bytes <= MAX_LIBPQ_HEAP && PQstatus(link->conn) == CONNECTION_OK &&
		   PQtransactionStatus(link->conn) == PQTRANS_IDLE;
}

static void
tell_facts(const WireLink *common, WireFacts *facts)
{
	const LibpqLink *link = (const LibpqLink *) common;

	facts->server_version = PQparameterStatus(link->conn, "server_version");
	facts->tls = PQsslInUse(link->conn) ? PQsslAttribute(link->conn, "protocol") : NULL;
	facts->direct = link->direct == DIRECT_YES;
}

static void
leave(WireLink *common)
{
	LibpqLink *link = (LibpqLink *) common;
	int64 heap_before = lost_memory_heap();

	/* libpq closes the socket, and with it the kernel forgets that it was watched. */
	PQfinish(link->conn);
	link->heap_bytes += lost_memory_heap() - heap_before;
	link->conn = NULL;
}

/* Close the connection, if any.  What libpq does not free then is lost. */
static void
release(WireLink *common)
{
	LibpqLink *link = (LibpqLink *) common;
	int64 heap_before = lost_memory_heap();

	if (link->result != NULL)
		PQclear(link->result);
	link->result = NULL;
	if (link->conn != NULL)
	{
		if (link->fd >= 0)
			reactor_forget(link->fd);
		PQfinish(link->conn);
	}
	link->conn = NULL;
	(void) libpq_count_heap(link, lost_memory_heap() - heap_before);
	lost_memory_note((const struct sockaddr *) &common->peer, link->heap_bytes);
	link->heap_bytes = 0;
	if (link->cancel != NULL)
		background_release(link->cancel);
	link->cancel = NULL;
}

const Wire libpq_wire = {
	.name = "libpq",
	.link_size = sizeof(LibpqLink),
	.can_answer = dialect_has_query,
	.start = libpq_start,
	.advance = libpq_advance,
	.settle = libpq_settle,
	.ask = libpq_ask,
	.collect = libpq_collect,
	.cancel = libpq_cancel,
	.cancelled = libpq_cancelled,
	.await_cancel = libpq_await_cancel,
	.reusable = reusable,
	.facts = tell_facts,
	.leave = leave,
	.release = release,
};
