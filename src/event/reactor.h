/*
 * reactor.h
 *		Waits for the backend's latch and any number of sockets at once.
 */
#ifndef DQDS_REACTOR_H
#define DQDS_REACTOR_H

#define REACTOR_BACKGROUND 0 /* the owner in the event that a background job has ended */

typedef struct ReactorEvent
{
	uint64 owner;  /* as passed to reactor_watch() */
	uint32 events; /* EPOLLIN, EPOLLOUT, ... */
} ReactorEvent;

extern void reactor_start(void);
extern void reactor_watch(int fd, uint32 events, uint64 owner);
extern void reactor_forget(int fd);
extern int reactor_wait(int64 deadline_us, ReactorEvent *events, int max_events);

#endif /* DQDS_REACTOR_H */
