/*
 * seats.c
 *		How many of the worker threads each caller may hold.
 *
 * A thread is held from the moment that it takes a connection until that is
 * closed: while the header comes, while the body comes, while the request waits
 * for the pool, while a client reads slowly.  One caller may hold half of them.
 *
 * Until the header is there nothing is known but the address.  A connection
 * that is idle so long can only be shut down; that happens as soon as there are
 * too many of one address, to the one that has been idle longest.  Behind a
 * proxy all callers have one address: requests whose role is known do not count
 * for it.
 *
 * It decides by counts alone, never by time.  What a refused request is
 * answered is not its business.
 */
#include "seats.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "descriptor.h"

/* An address with many requests may still wait for headers: one for so many threads, and two. */
#define IDLE_FRACTION 8
#define LEAST_IDLE    2

typedef enum SeatState
{
	SEAT_FREE,
	SEAT_NEW,   /* no header yet, and its address is still to be looked up */
	SEAT_IDLE,  /* no header yet */
	SEAT_ENDED, /* idle and shut down: its thread will find out */
	SEAT_BUSY   /* with a request */
} SeatState;

struct Seat
{
	SeatState state;
	const void *connection;
	char address[48];
	int port;
	int local_port;
	char caller[CALLER_SIZE]; /* "": counts for the address */
	uint64_t number;          /* the lower, the earlier taken */
};

static struct
{
	pthread_mutex_t lock;
	Seat *seats;
	int count;
	bool several_addresses;
	PeerFinder find_peer;
	uint64_t next_number;
} hall = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool
seats_start(int threads, bool several_addresses, PeerFinder find_peer)
{
	hall.seats = calloc((size_t) threads, sizeof(Seat));
	hall.count = threads;
	hall.several_addresses = several_addresses;
	hall.find_peer = find_peer;
	return hall.seats != NULL;
}

void
seats_stop(void)
{
	free(hall.seats);
	hall.seats = NULL;
	hall.count = 0;
}

int
seats_limit(void)
{
	return hall.count > 1 ? hall.count / 2 : 1;
}

/* Seats of the address in that state which are not counted for a caller of their own. */
static int
count_of_address(const char *address, SeatState state)
{
	int count = 0;

	for (int i = 0; i < hall.count; i++)
		count += hall.seats[i].state == state && hall.seats[i].caller[0] == '\0' &&
				 strcmp(hall.seats[i].address, address) == 0;
	return count;
}

static int
count_of_caller(const char *caller)
{
	int count = 0;

	for (int i = 0; i < hall.count; i++)
		count += hall.seats[i].state == SEAT_BUSY && strcmp(hall.seats[i].caller, caller) == 0;
	return count;
}

/* The idle seat of the address that was taken first, of those with at least that number; NULL: none. */
static Seat *
next_idle(const char *address, uint64_t number)
{
	Seat *next = NULL;

	for (int i = 0; i < hall.count; i++)
	{
		Seat *seat = &hall.seats[i];

		if (seat->state == SEAT_IDLE && seat->number >= number &&
			strcmp(seat->address, address) == 0 && (next == NULL || seat->number < next->number))
			next = seat;
	}
	return next;
}

/*
 * While it is idle and we have the lock, its socket is open: seat_leave() comes
 * before the close.  One whose header has come, and is about to be read by its
 * thread, is left alone.
 */
static bool
end_idle(Seat *seat)
{
	if (!descriptor_shut_down_silent(seat->address, seat->port, seat->local_port,
									 hall.several_addresses))
		return false;
	seat->state = SEAT_ENDED;
	return true;
}

static void
set_peer(Seat *seat, const Peer *peer)
{
	snprintf(seat->address, sizeof(seat->address), "%s", peer->address);
	seat->port = peer->port;
	seat->local_port = peer->local_port;
}

/*
 * Ends idle connections of an address, so that a new one is within its share.
 * An address whose requests hold its share already keeps a few seats for
 * headers.
 */
static void
make_room(const char *address)
{
	int allowed = seats_limit() - count_of_address(address, SEAT_BUSY);
	int least = hall.count / IDLE_FRACTION > LEAST_IDLE ? hall.count / IDLE_FRACTION : LEAST_IDLE;
	int surplus;
	Seat *seat;

	if (allowed < least)
		allowed = least;
	surplus = count_of_address(address, SEAT_IDLE) - allowed + 1;
	for (uint64_t number = 0; surplus > 0 && (seat = next_idle(address, number)) != NULL;
		 number = seat->number + 1)
		surplus -= end_idle(seat);
}

/*
 * CivetWeb tells where a connection comes from just after it has told of the
 * connection: it is found out when the next one comes.
 */
static void
look_up_new(void)
{
	Peer peer;

	for (int i = 0; i < hall.count; i++)
	{
		Seat *seat = &hall.seats[i];

		if (seat->state != SEAT_NEW || !hall.find_peer(seat->connection, &peer))
			continue;
		set_peer(seat, &peer);
		seat->state = SEAT_IDLE;
		make_room(seat->address);
	}
}

Seat *
seat_take(const void *connection)
{
	Seat *seat = NULL;

	pthread_mutex_lock(&hall.lock);
	look_up_new();
	for (int i = 0; i < hall.count && seat == NULL; i++)
		if (hall.seats[i].state == SEAT_FREE)
			seat = &hall.seats[i];
	/* there is one for each worker thread */
	*seat = (Seat){.state = SEAT_NEW, .connection = connection, .number = hall.next_number++};
	pthread_mutex_unlock(&hall.lock);
	return seat;
}

void
seat_leave(Seat *seat)
{
	pthread_mutex_lock(&hall.lock);
	seat->state = SEAT_FREE;
	pthread_mutex_unlock(&hall.lock);
}

void
seat_begin(Seat *seat, const Peer *peer)
{
	pthread_mutex_lock(&hall.lock);
	set_peer(seat, peer);
	seat->state = SEAT_BUSY;
	pthread_mutex_unlock(&hall.lock);
}

bool
seat_has_begun(const Seat *seat)
{
	bool begun;

	pthread_mutex_lock(&hall.lock);
	begun = seat->state == SEAT_BUSY;
	pthread_mutex_unlock(&hall.lock);
	return begun;
}

/* Under the lock. */
static bool
is_within_share(const Seat *seat)
{
	int count = seat->caller[0] != '\0' ? count_of_caller(seat->caller)
										: count_of_address(seat->address, SEAT_BUSY);

	return count <= seats_limit();
}

bool
seat_charge(Seat *seat, const char *caller)
{
	bool within;

	pthread_mutex_lock(&hall.lock);
	snprintf(seat->caller, sizeof(seat->caller), "%s", caller ? caller : "");
	within = is_within_share(seat);
	pthread_mutex_unlock(&hall.lock);
	return within;
}

bool
seat_is_within_share(const Seat *seat)
{
	bool within;

	pthread_mutex_lock(&hall.lock);
	within = is_within_share(seat);
	pthread_mutex_unlock(&hall.lock);
	return within;
}
