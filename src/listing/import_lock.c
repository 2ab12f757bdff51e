/*
 * import_lock.c
 *		One import at a time into the tables of a connection.
 *
 * It must not know what is stored.
 */
#include "postgres.h"

#include "storage/lock.h"

#include "base/caller.h"
#include "engine/limits.h"
#include "listing/import_lock.h"
#include "registry/owner_call.h"

static void
wait_for_imports(void *argument)
{
	LOCKTAG tag;

	limits_import_tag(&tag, *(int64 *) argument);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/*
 * From now on to the end of the transaction no other one stores or forgets
 * imported tables of this connection.  Nothing else waits for it: the connection
 * can be changed meanwhile.  Errors: QD022 when another one keeps it for too long.
 */
void
imports_lock(const Caller *caller, int64 connection_id)
{
	owner_run(caller, "imported tables", wait_for_imports, &connection_id);
}
