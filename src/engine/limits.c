/*
 * limits.c
 *		How many remote operations may run at once on one target, over all backends.
 *
 * Each target has numbered slots, and a slot is a heavyweight lock of a class
 * that no SQL function can take.  So nothing has to be preloaded, and a slot
 * ends with its transaction whatever becomes of the backend.
 *
 * A registered connection is a target of its own, with its parallel_jobs_limit.
 * A model that is not registered counts by the address that is connected to,
 * however it is written, and where it names a host, by that name as well, from
 * before it is resolved.
 *
 * Owns: the meaning of the lock tags.  It never waits: no free slot is the
 * failure DQDS_BUSY.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"

#include "base/address.h"
#include "base/failure.h"
#include "engine/limits.h"
#include "model/target.h"

/* Advisory locks of SQL have 1 or 2 in this field of the tag. */
#define LOCK_CLASS_REGISTERED 0xD9D5
#define LOCK_CLASS_NAME       0xD9D6 /* the hashes of this one and the next are of the caller's choice */
#define LOCK_CLASS_ADDRESS    0xD9D7
#define LOCK_CLASS_IMPORTS    0xD9D8
#define LOCK_CLASS_PRIVILEGES 0xD9D9

/* Models that are not registered carry no limit of their own that could be trusted. */
#define ADHOC_LIMIT 8

static void
make_tag(LOCKTAG *tag, const LimitSlot *slot)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, slot->target_hash, slot->slot, slot->lock_class);
}

static uint32
hash_name(const Target *target)
{
	/* Neither case nor a trailing dot makes another host of it. */
	char *host = pstrdup(target->host);
	size_t length = strlen(host);
	uint32 hash;

	for (size_t i = 0; i < length; i++)
		host[i] = pg_tolower((unsigned char) host[i]);
	if (length > 1 && host[length - 1] == '.')
		length--;
	hash = hash_bytes((const unsigned char *) host, length);
	pfree(host);
	return hash_combine(hash, (uint32) target->port);
}

static uint32
hash_address(const Target *target, const struct sockaddr *sockaddr)
{
	Address address = {0};
	Address loopback;

	if (address_from_sockaddr(sockaddr, &address))
		address_unwrap(&address);
	if (address_is_unspecified(&address, &loopback))
		address = loopback;
	return hash_combine(hash_bytes(address.bytes, address.family == AF_INET ? 4 : 16),
						(uint32) target->port);
}

/* Take one of limit slots of what slot->lock_class and slot->target_hash stand for. */
static bool
take_slot(const Target *target, int limit, LimitSlot *slot, Failure *failure)
{
	for (int i = 0; i < limit; i++)
	{
		LOCKTAG tag;

		/* Backends start their search in different places, so the first try mostly succeeds. */
		slot->slot = (uint32) (MyProcPid + i) % limit;
		make_tag(&tag, slot);
		switch (LockAcquire(&tag, ExclusiveLock, false, true))
		{
			case LOCKACQUIRE_OK:
				slot->held = true;
				return true;
			case LOCKACQUIRE_ALREADY_HELD:
				/* By another operation of this backend: does not count as a slot of its own. */
				LockRelease(&tag, ExclusiveLock, false);
				break;
			default:
				break;
		}
	}
	failure_set(failure, DQDS_BUSY,
				slot->lock_class == LOCK_CLASS_REGISTERED
					? "Try again in a moment, or raise parallel_jobs_limit of the connection."
					: "Try again in a moment, or register the connection: its own "
					  "parallel_jobs_limit holds then.",
				"the limit of %d operations at once is reached for %s:%s", limit,
				target->shown_host, target->shown_port);
	return false;
}

/*
 * Take a slot for one operation on a registered connection or on a host that is
 * known by name only; give it back with limits_leave.  False with DQDS_BUSY when
 * all are taken.
 */
bool
limits_enter(const Target *target, LimitSlot *slot, Failure *failure)
{
	slot->held = false;
	if (target->connection_id != 0)
	{
		slot->lock_class = LOCK_CLASS_REGISTERED;
		slot->target_hash = hash_bytes((const unsigned char *) &target->connection_id,
									   sizeof(target->connection_id));
		return target->parallel_limit <= 0 ||
			   take_slot(target, target->parallel_limit, slot, failure);
	}
	if (address_is_literal(target->host))
		return true;
	slot->lock_class = LOCK_CLASS_NAME;
	slot->target_hash = hash_name(target);
	return take_slot(target, ADHOC_LIMIT, slot, failure);
}

/*
 * Take a slot for one operation at the address that is connected to; give it back
 * with limits_leave.  A slot that is held already is kept if it is of that address,
 * else given back first.  Registered connections take none, nor do those without an address.  False with DQDS_BUSY
 * when all are taken.
 */
bool
limits_enter_address(const Target *target, const struct sockaddr *address, LimitSlot *slot,
					 Failure *failure)
{
	uint32 hash;

	if (target->connection_id != 0 || address->sa_family == AF_UNSPEC)
		return true;
	hash = hash_address(target, address);
	if (slot->held && slot->target_hash == hash)
		return true;
	limits_leave(slot);
	slot->lock_class = LOCK_CLASS_ADDRESS;
	slot->target_hash = hash;
	return take_slot(target, ADHOC_LIMIT, slot, failure);
}

/* Give the slot back; without one held, nothing happens. */
void
limits_leave(LimitSlot *slot)
{
	LOCKTAG tag;

	if (!slot->held)
		return;
	make_tag(&tag, slot);
	LockRelease(&tag, ExclusiveLock, false);
	slot->held = false;
}

/* The lock under which imported tables of a connection are stored and forgotten. */
void
limits_import_tag(LOCKTAG *tag, int64 connection_id)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) ((uint64) connection_id >> 32),
						 (uint32) connection_id, LOCK_CLASS_IMPORTS);
}

/* The locks under which privileges are changed, of which privileges.c knows the numbers. */
void
limits_privileges_tag(LOCKTAG *tag, uint32 lock)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, lock, LOCK_CLASS_PRIVILEGES);
}
