/*
 * seats.c
 *		How many of the worker threads each caller may hold.
 *
 * A thread is held from the moment that it takes a connection until that is
 * closed: while the header comes, while the body comes, while the request waits
 * for the pool, while a client reads slowly.  Of requests one caller may hold a
 * fixed share (SeatShare); a request beyond it is refused.
 *
 * A connection whose header is still to come may be shut down at any time, and is
 * when there are too many of them, or when hardly a thread is left for the next
 * one: of the address with the most of them, the one that has been idle longest.
 * So requests of others find a thread, however many idle connections there are.
 *
 * It decides by counts alone, never by time.  The words that tell a client of the
 * limit are here; the status and the form of that answer are not its concern.
 */
#include "seats.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller.h"
#include "clock.h"
#include "descriptor.h"

/* Idle connections of all addresses together: half of the threads but an eighth. */
#define IDLE_EIGHTHS 3

/* One of so many threads is kept free as long as there are idle connections to end. */
#define SPARE_FRACTION 32

/* How often the usher looks again while it finds nothing to end. */
#define USHER_INTERVAL_MS 10

typedef enum SeatState
{
	SEAT_FREE,
	SEAT_NEW,   /* no header yet, and its address is still to be looked up */
	SEAT_IDLE,  /* no header yet */
	SEAT_ENDED, /* idle and shut down: its thread will find out */
	SEAT_BUSY   /* with a request */
} SeatState;

#define SEAT_STATES (SEAT_BUSY + 1)

struct Seat
{
	SeatState state;
	Seat *previous; /* of those in the same state */
	Seat *next;
	const void *connection;
	char address[48];
	int port;
	int local_port;
	char caller[CALLER_SIZE]; /* that it counts for; while it is idle, its address */
	SeatShare share;
	uint64_t number;     /* the lower, the earlier taken */
	bool is_passed_over; /* within make_room(): its header has come */
};

static struct
{
	pthread_mutex_t lock;
	pthread_cond_t crowded; /* there is work for the usher, or it is stopping */
	pthread_t usher;
	bool is_stopping;
	Seat *seats;
	int count;
	/* A request looks at the seats in its way, not at all: each state has a list. */
	Seat *first[SEAT_STATES];
	int count_of[SEAT_STATES];
	bool several_addresses;
	PeerFinder find_peer;
	uint64_t next_number;
} hall = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int
eighths_of_all(int eighths)
{
	return (hall.count * eighths + 7) / 8;
}

/* How many seats one caller may have, with that share: at least one. */
static int
seats_limit(SeatShare share)
{
	return share == SEATS_OF_ROLE && hall.count > 1 ? hall.count / 2 : eighths_of_all((int) share);
}

/* Puts a seat that is in no list into that of a state. */
static void
enter_state(Seat *seat, SeatState state)
{
	seat->state = state;
	seat->previous = NULL;
	seat->next = hall.first[state];
	if (seat->next != NULL)
		seat->next->previous = seat;
	hall.first[state] = seat;
	hall.count_of[state]++;
}

static void
leave_state(Seat *seat)
{
	if (seat->previous != NULL)
		seat->previous->next = seat->next;
	else
		hall.first[seat->state] = seat->next;
	if (seat->next != NULL)
		seat->next->previous = seat->previous;
	hall.count_of[seat->state]--;
}

static void
change_state(Seat *seat, SeatState state)
{
	leave_state(seat);
	enter_state(seat, state);
}

static int
count_of_caller(const char *caller, SeatState state)
{
	int count = 0;

	for (const Seat *seat = hall.first[state]; seat != NULL; seat = seat->next)
		count += strcmp(seat->caller, caller) == 0;
	return count;
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
	change_state(seat, SEAT_ENDED);
	return true;
}

static void
set_peer(Seat *seat, const Peer *peer)
{
	snprintf(seat->address, sizeof(seat->address), "%s", peer->address);
	seat->port = peer->port;
	seat->local_port = peer->local_port;
	caller_of_address(seat->address, seat->caller);
	seat->share = SEATS_OF_ADDRESS;
}

/*
 * CivetWeb makes the address of a connection available just after it has reported
 * the connection: it is looked up when the next one comes, or by the usher.
 */
static void
look_up_new(void)
{
	Peer peer;
	Seat *next;

	for (Seat *seat = hall.first[SEAT_NEW]; seat != NULL; seat = next)
	{
		next = seat->next;
		if (!hall.find_peer(seat->connection, &peer))
			continue;
		set_peer(seat, &peer);
		change_state(seat, SEAT_IDLE);
	}
}

/*
 * Of the address with the most idle seats, the one that was taken first; of several
 * such addresses, the one whose seat that is.  NULL: there is none.
 */
static Seat *
longest_idle(void)
{
	Seat *longest = NULL;
	int most = 0;

	for (Seat *seat = hall.first[SEAT_IDLE]; seat != NULL; seat = seat->next)
	{
		bool is_same;
		int count;

		if (seat->is_passed_over)
			continue;
		/* most often all are of one address, which is counted once */
		is_same = longest != NULL && strcmp(seat->caller, longest->caller) == 0;
		count = is_same ? most : count_of_caller(seat->caller, SEAT_IDLE);
		if (count > most || (count == most && seat->number < longest->number))
		{
			longest = seat;
			most = count;
		}
	}
	return longest;
}

/* How many threads there are too few for the next connections. */
static int
missing_threads(void)
{
	int spare = (hall.count + SPARE_FRACTION - 1) / SPARE_FRACTION;

	return spare - hall.count_of[SEAT_FREE] - hall.count_of[SEAT_ENDED];
}

/*
 * How many idle connections there are too many, or too many for a thread to be
 * left.  For that, the last one is not ended: the next connection would have
 * nothing but its thread either.
 */
static int
surplus_of_idle(void)
{
	int idle = hall.count_of[SEAT_IDLE];
	int surplus = idle - eighths_of_all(IDLE_EIGHTHS);
	int missing = missing_threads();

	if (missing > idle - 1)
		missing = idle - 1;
	return missing > surplus ? missing : surplus;
}

/* Under the lock.  Returns false when it is to be called again, though no connection comes. */
static bool
make_room(void)
{
	Seat *seat;

	look_up_new();
	for (seat = hall.first[SEAT_IDLE]; seat != NULL; seat = seat->next)
		seat->is_passed_over = false;
	while (surplus_of_idle() > 0 && (seat = longest_idle()) != NULL)
		seat->is_passed_over = !end_idle(seat);
	return surplus_of_idle() <= 0 && (missing_threads() <= 0 || hall.count_of[SEAT_NEW] == 0);
}

/*
 * When the last threads have taken connections, no next one comes to make room:
 * the usher does, as soon as the addresses are known.
 */
static void *
usher_main(void *unused)
{
	(void) unused;
	pthread_mutex_lock(&hall.lock);
	while (!hall.is_stopping)
	{
		if (make_room())
			pthread_cond_wait(&hall.crowded, &hall.lock);
		else
			condition_wait(&hall.crowded, &hall.lock, clock_now_ms() + USHER_INTERVAL_MS);
	}
	pthread_mutex_unlock(&hall.lock);
	return NULL;
}

bool
seats_start(int threads, bool several_addresses, PeerFinder find_peer)
{
	hall.seats = calloc((size_t) threads, sizeof(Seat));
	hall.count = threads;
	hall.several_addresses = several_addresses;
	hall.find_peer = find_peer;
	condition_init(&hall.crowded);
	if (hall.seats == NULL)
		return false;
	for (int i = 0; i < threads; i++)
		enter_state(&hall.seats[i], SEAT_FREE);
	return pthread_create(&hall.usher, NULL, usher_main, NULL) == 0;
}

void
seats_stop(void)
{
	pthread_mutex_lock(&hall.lock);
	hall.is_stopping = true;
	pthread_cond_signal(&hall.crowded);
	pthread_mutex_unlock(&hall.lock);
	pthread_join(hall.usher, NULL);

	free(hall.seats);
	hall.seats = NULL;
	hall.count = 0;
	memset(hall.first, 0, sizeof(hall.first));
	memset(hall.count_of, 0, sizeof(hall.count_of));
}

Seat *
seat_take(const void *connection)
{
	Seat *seat;

	pthread_mutex_lock(&hall.lock);
	/* there is one for each worker thread */
	seat = hall.first[SEAT_FREE];
	leave_state(seat);
	seat->connection = connection;
	seat->number = hall.next_number++;
	seat->caller[0] = '\0';
	enter_state(seat, SEAT_NEW);
	if (!make_room())
		pthread_cond_signal(&hall.crowded);
	pthread_mutex_unlock(&hall.lock);
	return seat;
}

void
seat_leave(Seat *seat)
{
	pthread_mutex_lock(&hall.lock);
	change_state(seat, SEAT_FREE);
	pthread_mutex_unlock(&hall.lock);
}

void
seat_begin(Seat *seat, const Peer *peer)
{
	pthread_mutex_lock(&hall.lock);
	set_peer(seat, peer);
	change_state(seat, SEAT_BUSY);
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

bool
seat_charge(Seat *seat, const char *caller, SeatShare share)
{
	int count;

	pthread_mutex_lock(&hall.lock);
	snprintf(seat->caller, sizeof(seat->caller), "%s", caller);
	seat->share = share;
	count = count_of_caller(caller, SEAT_BUSY);
	pthread_mutex_unlock(&hall.lock);
	return count <= seats_limit(share);
}

bool
seat_may_linger(const Seat *seat)
{
	int count;

	pthread_mutex_lock(&hall.lock);
	count = count_of_caller(seat->caller, SEAT_BUSY);
	pthread_mutex_unlock(&hall.lock);
	return count * 2 <= seats_limit(seat->share);
}

void
seats_explain(SeatShare share, char *message, size_t size)
{
	snprintf(message, size,
			 "this client already has %d requests running, its limit; try again in a moment, or "
			 "raise --threads",
			 seats_limit(share));
}
