/*
 * import_lock.c
 *		Allows one import at a time into the imported tables of a connection.
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
 * Until the end of the transaction, no other transaction can store or remove
 * imported tables of this connection.  Nothing else waits for this lock: the
 * connection can be changed meanwhile.  Errors: QD022 if another transaction
 * holds it for too long.
 */
void
imports_lock(const Caller *caller, int64 connection_id)
{
	owner_run(caller, "imported tables", wait_for_imports, &connection_id);
}
