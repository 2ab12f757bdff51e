/*
 * libpq_cancel.c
 *		Cancels what was asked by libpq: a request over a connection of its own, in a thread.
 *
 * Owns: how many such threads may run; background.c limits how many may hang.
 */
#include "postgres.h"

#include "port/atomics.h"

#include "event/background.h"
#include "event/reactor.h"
#include "postgres/libpq_link.h"
#include "wire/wire.h"

/*
 * PQcancel waits for the server to close, without a deadline: each server that does
 * not keeps a thread and a socket.  So many of this backend may hang, and no more.
 */
#define MAX_CANCELLING 256

static pg_atomic_uint32 cancelling;

static void
run_cancel(void *argument)
{
	char message[256];

	(void) PQcancel(argument, message, sizeof(message));
}

static void
free_cancel(void *argument)
{
	PQfreeCancel(argument);
	pg_atomic_fetch_sub_u32(&cancelling, 1);
}

/* The wire's cancel: by a thread, since PQcancel blocks. */
bool
libpq_cancel(WireLink *common)
{
	LibpqLink *link = (LibpqLink *) common;
	PGcancel *cancel;

	if (pg_atomic_read_u32(&cancelling) >= MAX_CANCELLING)
		return false;
	cancel = PQgetCancel(link->conn);
	if (cancel == NULL)
		return false;
	pg_atomic_fetch_add_u32(&cancelling, 1);
	link->cancel = background_run(BACKGROUND_CANCEL, run_cancel, free_cancel, cancel);
	if (link->cancel == NULL)
		return false;
	/* It is no longer read: what still comes would wake us over and over. */
	reactor_forget(link->fd);
	return true;
}

/* The wire's cancelled. */
bool
libpq_cancelled(WireLink *common)
{
	return background_done(((LibpqLink *) common)->cancel);
}

/* The wire's await_cancel. */
void
libpq_await_cancel(WireLink *common, int64 deadline_us)
{
	(void) background_wait(((LibpqLink *) common)->cancel, deadline_us);
}
