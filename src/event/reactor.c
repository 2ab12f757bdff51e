/*
 * reactor.c
 *		Waiting for the backend's latch and any number of sockets at once.
 *
 * A WaitEventSet cannot forget a socket, and libraries change their socket while they
 * connect.  So the sockets live in an epoll set of our own, and one
 * WaitEventSet, made once for each backend, holds three things: the latch, the
 * postmaster's death (not in single-user mode) and that epoll descriptor, which
 * is readable when any socket in it is.
 *
 * Owns: the epoll descriptor and the wait event set.  It must not know what the
 * sockets are for.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"

#include "base/compat.h"
#include "base/settings.h"
#include "event/reactor.h"

#define MAX_WAIT_MS 60000

static int epoll_descriptor = -1;
static WaitEventSet *wait_set = NULL;

/* Where in the wait set the epoll descriptor stands. */
static int epoll_position;

/* Room for what the kernel tells at once. */
static struct epoll_event *ready = NULL;
static int ready_size = 0;

/* What the set waits for.  Raises; position is where the epoll descriptor stands. */
static void
fill_wait_set(WaitEventSet *set, int *position)
{
	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	/* Single-user mode has no postmaster. */
	if (IsUnderPostmaster)
		AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	*position = AddWaitEventToSet(set, WL_SOCKET_READABLE, epoll_descriptor, NULL, NULL);
}

/*
 * Make the set, once for each backend.  Errors: 53000 class when descriptors
 * are out; a later call then tries again.
 */
void
reactor_start(void)
{
	WaitEventSet *set;

	if (wait_set != NULL)
		return;

	if (epoll_descriptor < 0)
	{
		epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_descriptor < 0)
			ereport(ERROR,
					(errcode_for_file_access(), errmsg("could not create an epoll set: %m")));
		ReserveExternalFD();
	}

	/* Built aside, so that an error half-way leaves nothing that looks complete. */
	set = dqds_create_wait_event_set(3);
	PG_TRY();
	{
		fill_wait_set(set, &epoll_position);
	}
	PG_CATCH();
	{
		FreeWaitEventSet(set);
		PG_RE_THROW();
	}
	PG_END_TRY();
	wait_set = set;
}

/*
 * Watch a socket for these epoll events, or change what it is watched for.
 * owner comes back with each event: a number, not a pointer, because what it
 * stands for may be gone when the event is served.  A library may have closed the
 * descriptor and opened another one with the same number behind our back, in
 * which case the kernel has forgotten it: so both ways are tried.
 */
void
reactor_watch(int fd, uint32 events, uint64 owner)
{
	struct epoll_event event = {.events = events, .data.u64 = owner};

	if (epoll_ctl(epoll_descriptor, EPOLL_CTL_MOD, fd, &event) == 0)
		return;
	if (errno == ENOENT && epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, fd, &event) == 0)
		return;
	ereport(ERROR, (errcode_for_socket_access(), errmsg("could not watch a socket: %m")));
}

/* Forget a socket; not being known is no error.  Never raises. */
void
reactor_forget(int fd)
{
	(void) epoll_ctl(epoll_descriptor, EPOLL_CTL_DEL, fd, NULL);
}

static void
make_room(int max_events)
{
	if (max_events <= ready_size)
		return;
	if (ready != NULL)
		pfree(ready);
	ready = NULL;
	ready_size = 0;
	ready = MemoryContextAlloc(TopMemoryContext, sizeof(ready[0]) * max_events);
	ready_size = max_events;
}

/*
 * Wait until a watched socket is ready or the deadline (dqds_now_us clock) has
 * passed, and look for all that is ready then; returns the number of events, of
 * which 0 can also mean a wake-up for another reason.  With max_events no smaller
 * than the number of sockets and one more, none is left out.  Serves interrupts,
 * so it may raise.
 */
int
reactor_wait(int64 deadline_us, ReactorEvent *events, int max_events)
{
	WaitEvent occurred[2];
	int64 left = deadline_us - dqds_now_us();
	long timeout_ms = left <= 0 ? 0 : Min(left / 1000 + 1, MAX_WAIT_MS);
	int noccurred;
	int nready;

	make_room(max_events);
	noccurred =
		WaitEventSetWait(wait_set, timeout_ms, occurred, lengthof(occurred), PG_WAIT_EXTENSION);
	for (int i = 0; i < noccurred; i++)
		if (occurred[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	/* A latch that is set already hides the sockets. */
	nready = epoll_wait(epoll_descriptor, ready, max_events, 0);
	CHECK_FOR_INTERRUPTS();

	for (int i = 0; i < nready; i++)
	{
		events[i].owner = ready[i].data.u64;
		events[i].events = ready[i].events;
	}
	return Max(nready, 0);
}
