/*
 * session_census.c
 *		How many sessions dqds has at each remote server, over all backends, and
 *		which servers have no slot left for another one.
 *
 * An idle session may be what a login of another backend lacks.  A backend that
 * waits for its client runs no code of ours, but the thread that watches its idle
 * sessions does: it looks here, and parts with those that are asked back.
 *
 * Owns: a small table in shared memory, which needs no preloading.  A server is a
 * hash of its address and port; that two of them share a place costs a login, and
 * nothing else.  It knows no session, and it holds nothing that tells one caller
 * about another: three numbers for each place.
 */
#include "postgres.h"

#include <netinet/in.h>

#include "common/hashfn.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "base/address.h"
#include "base/settings.h"
#include "engine/session_census.h"

#define PLACES 512

/* A server may need so long to notice that a session has ended. */
#define JUST_ENDED_MS 2000

typedef struct Place
{
	pg_atomic_uint32 sessions; /* logged in, busy or idle */
	pg_atomic_uint32 ended_ms; /* when the last one ended, on a clock that all backends share */
	pg_atomic_uint32 asked;    /* how often they were asked back */
} Place;

static Place *places = NULL;

/* In place of the shared table where there is no shared memory left: then only this backend counts. */
static Place own_places[PLACES];

static void
init_places(Place *table)
{
	for (int i = 0; i < PLACES; i++)
	{
		pg_atomic_init_u32(&table[i].sessions, 0);
		pg_atomic_init_u32(&table[i].ended_ms, 0);
		pg_atomic_init_u32(&table[i].asked, 0);
	}
}

static void
attach(void)
{
	MemoryContext context = CurrentMemoryContext;

	if (places != NULL)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	PG_TRY();
	{
		bool found;
		Place *shared = ShmemInitStruct("dqds sessions", sizeof(own_places), &found);

		if (!found)
			init_places(shared);
		places = shared;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		/* The error has let interrupts in, which the lock holds off until it is released. */
		HOLD_INTERRUPTS();
		init_places(own_places);
		places = own_places;
	}
	PG_END_TRY();
	LWLockRelease(AddinShmemInitLock);
}

static uint32
place_of(const struct sockaddr *peer)
{
	Address address = {0};
	in_port_t port = peer->sa_family == AF_INET ? ((const struct sockaddr_in *) peer)->sin_port
												: ((const struct sockaddr_in6 *) peer)->sin6_port;

	if (address_from_sockaddr(peer, &address))
		address_unwrap(&address);
	return hash_combine(hash_bytes(address.bytes, address.family == AF_INET ? 4 : 16), port) %
		   PLACES;
}

static uint32
now_ms(void)
{
	return (uint32) (dqds_now_us() / 1000);
}

/* Begin a login at this address; *entry, which counts no session, is for the others here. */
void
census_arrive(CensusEntry *entry, const struct sockaddr *peer)
{
	attach();
	entry->place = place_of(peer);
	entry->asked = pg_atomic_read_u32(&places[entry->place].asked);
}

/* The login is complete: count the session. */
void
census_enter(CensusEntry *entry)
{
	entry->counted = true;
	pg_atomic_fetch_add_u32(&places[entry->place].sessions, 1);
}

/* It has ended; one that is not counted is left alone.  For any thread. */
void
census_leave(CensusEntry *entry)
{
	if (!entry->counted)
		return;
	entry->counted = false;
	pg_atomic_write_u32(&places[entry->place].ended_ms, now_ms());
	pg_atomic_fetch_sub_u32(&places[entry->place].sessions, 1);
}

/* Has the session been asked back since its login began?  For any thread. */
bool
census_asked_back(const CensusEntry *entry)
{
	return entry->counted && pg_atomic_read_u32(&places[entry->place].asked) != entry->asked;
}

/* Are both at the same address, or at two that share a place? */
bool
census_same_place(const CensusEntry *a, const CensusEntry *b)
{
	return a->place == b->place;
}

/* Ask back all sessions at the address of a login; false: there are none, and none has just ended. */
bool
census_ask_back(const CensusEntry *entry)
{
	Place *place;

	attach();
	place = &places[entry->place];
	if (pg_atomic_read_u32(&place->sessions) == 0 &&
		now_ms() - pg_atomic_read_u32(&place->ended_ms) > JUST_ENDED_MS)
		return false;
	pg_atomic_fetch_add_u32(&place->asked, 1);
	return true;
}
