/*
 * limits.c
 *		How many remote operations may run at once on one target, over all backends.
 *
 * Each target has numbered slots, and a slot is a heavyweight lock of a class
 * that no SQL function can take.  So nothing has to be preloaded, and a slot
 * ends with its transaction whatever becomes of the backend.
 *
 * Owns: the meaning of the lock tags.  It never waits: no free slot is the
 * failure DQDS_BUSY.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "dqds.h"
#include "miscadmin.h"
#include "storage/lock.h"

/* Advisory locks of SQL have 1 or 2 in this field of the tag. */
#define LOCK_CLASS_REGISTERED 0xD9D5
#define LOCK_CLASS_ADHOC      0xD9D6 /* whose hashes anybody may choose */

/* Ad-hoc models carry no limit of their own that could be trusted. */
#define ADHOC_LIMIT 8

static void
make_tag(LOCKTAG *tag, const LimitSlot *slot)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, slot->target_hash, slot->slot,
						 slot->registered ? LOCK_CLASS_REGISTERED : LOCK_CLASS_ADHOC);
}

static uint32
hash_target(const Target *target)
{
	char *host;
	size_t length;
	uint32 hash;

	if (target->connection_id != 0)
		return hash_bytes((const unsigned char *) &target->connection_id,
						  sizeof(target->connection_id));
	/* Neither case nor a trailing dot makes another host of it. */
	host = pstrdup(target->host);
	length = strlen(host);
	for (size_t i = 0; i < length; i++)
		host[i] = pg_tolower((unsigned char) host[i]);
	if (length > 1 && host[length - 1] == '.')
		length--;
	hash = hash_bytes((const unsigned char *) host, length);
	pfree(host);
	return hash_combine(hash, (uint32) target->port);
}

/*
 * Take a slot for one operation; give it back with limits_leave.  False with
 * DQDS_BUSY when all are taken.
 */
bool
limits_enter(const Target *target, LimitSlot *slot, Failure *failure)
{
	int limit = target->connection_id == 0 ? ADHOC_LIMIT : target->parallel_limit;

	slot->held = false;
	slot->registered = target->connection_id != 0;
	if (limit <= 0)
		return true;
	slot->target_hash = hash_target(target);
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
				target->connection_id == 0
					? "Try again in a moment, or register the connection: its own "
					  "parallel_jobs_limit holds then."
					: "Try again in a moment, or raise parallel_jobs_limit of the connection.",
				"the limit of %d operations at once is reached for %s:%s", limit,
				target->shown_host, target->shown_port);
	return false;
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
