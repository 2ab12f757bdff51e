/*
 * seats.h
 *		How many of the worker threads each caller may hold.
 */
#ifndef BRIDGE_SEATS_H
#define BRIDGE_SEATS_H

#include <stdbool.h>

/* A worker thread while it has a connection.  The fields belong to seats.c. */
typedef struct Seat Seat;

/* Where a connection comes from. */
typedef struct Peer
{
	const char *address; /* good as long as the connection is */
	int port;
	int local_port; /* of ours */
} Peer;

/*
 * Looks where a connection comes from; false: that cannot be known yet.  Is
 * called from other threads than that of the connection, which is open then.
 */
typedef bool (*PeerFinder)(const void *connection, Peer *peer);

/*
 * For that many worker threads; false: out of memory.  several_addresses as in
 * descriptor_of_peer().
 */
bool seats_start(int threads, bool several_addresses, PeerFinder find_peer);
void seats_stop(void);

/*
 * A worker thread has taken a connection, and waits for its header.  Idle
 * connections may be shut down for it.  seat_leave() must follow, before the
 * connection is closed.
 */
Seat *seat_take(const void *connection);
void seat_leave(Seat *seat);

/* The header is there, or CivetWeb answers for want of a good one: the seat is not idle any more. */
void seat_begin(Seat *seat, const Peer *peer);
bool seat_has_begun(const Seat *seat);

/*
 * Counts the seat for a caller (as caller.h names it, copied), or with NULL for
 * its address.  Returns false when more than seats_limit() are counted so.
 */
bool seat_charge(Seat *seat, const char *caller);

/* False when more than seats_limit() are counted as this one is. */
bool seat_is_within_share(const Seat *seat);

/* How many seats a caller may have: half of the worker threads. */
int seats_limit(void);

#endif /* BRIDGE_SEATS_H */
