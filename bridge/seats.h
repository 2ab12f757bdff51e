/*
 * seats.h
 *		How many of the worker threads each caller may hold.
 */
#ifndef BRIDGE_SEATS_H
#define BRIDGE_SEATS_H

#include <stdbool.h>
#include <stddef.h>

/* A worker thread while it has a connection.  The fields belong to seats.c. */
typedef struct Seat Seat;

/*
 * What a seat counts for, and so how many eighths of the worker threads a caller
 * may hold.  A client with a token that sends requests without one, too, is two
 * callers: together they leave an eighth, but for the moment in which the control
 * database is asked about tokens.
 */
typedef enum SeatShare
{
	SEATS_OF_TOKENS = 1,  /* requests of one address with tokens that are still to be proved */
	SEATS_OF_ADDRESS = 3, /* requests of one address without a token */
	SEATS_OF_ROLE = 4     /* requests with the tokens of one role */
} SeatShare;

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
 * A worker thread has taken a connection, and waits for its header.  Other idle
 * connections may be shut down for it.  seat_leave() must follow, before the
 * connection is closed.
 */
Seat *seat_take(const void *connection);
void seat_leave(Seat *seat);

/* The header is there, or CivetWeb answers for want of a good one: the seat is not idle any more. */
void seat_begin(Seat *seat, const Peer *peer);
bool seat_has_begun(const Seat *seat);

/*
 * Counts the seat for a caller (as caller.h names it, copied).  Returns false when
 * the caller now has more of them than that share permits.
 */
bool seat_charge(Seat *seat, const char *caller, SeatShare share);

/* True when the caller of the seat has no more than half of what it may have. */
bool seat_may_linger(const Seat *seat);

/* Writes a message for a client that seat_charge() has refused: which limit it is, and how high. */
void seats_explain(SeatShare share, char *message, size_t size);

#endif /* BRIDGE_SEATS_H */
