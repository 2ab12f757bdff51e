/*
 * reactor.c
 *		Waits for the backend's latch and any number of sockets at once.
 *
 * A socket cannot be removed from a WaitEventSet, and libpq changes its socket
 * while it connects.  So the sockets are in our own epoll set.  One
 * WaitEventSet, created once for each backend, waits for three things: the
 * latch, the postmaster's death (not in single-user mode) and the epoll
 * descriptor, which is readable when any of its sockets is ready.
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

/* The position of the epoll descriptor in the wait set. */
static int epoll_position;

/* Room for the events of one epoll_wait() call. */
static struct epoll_event *ready = NULL;
static int ready_size = 0;

/*
 * Add the events to the set; *position is set to that of the epoll descriptor.
 * May raise an error.
 */
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
 * Create the set, once for each backend.  Errors: class 53 if there are no
 * descriptors left; a later call then tries again.
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

	/* Stored only when it is complete, so that an error leaves no unfinished set. */
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
 * Watch a socket for these epoll events, or change the events. owner is
 * returned with each event: a number, not a pointer, because its object may be
 * gone when the event is processed. libpq may have closed the descriptor and
 * opened another one with the same number, which the kernel does not know yet:
 * so both adding and modifying are tried.  Errors: those of the system.
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

/* Stop watching a socket; it is not an error if it was not watched.  Never raises an error. */
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
 * Wait until a watched socket is ready or the deadline (in the time of
 * dqds_now_us) has passed, and get the events of all sockets that are ready.
 * Returns the number of events; 0 can also mean a wake-up for another reason.
 * max_events must be at least the number of sockets plus one, or events may be
 * left out.  Processes interrupts, so it may raise an error.
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
	/* If the latch was already set, the sockets have not been checked. */
	nready = epoll_wait(epoll_descriptor, ready, max_events, 0);
	CHECK_FOR_INTERRUPTS();

	for (int i = 0; i < nready; i++)
	{
		events[i].owner = ready[i].data.u64;
		events[i].events = ready[i].events;
	}
	return Max(nready, 0);
}
