/*
 * import_lock.h
 *		Allows one import at a time into the imported tables of a connection.
 */
#ifndef DQDS_IMPORT_LOCK_H
#define DQDS_IMPORT_LOCK_H

typedef struct Caller Caller;

extern void imports_lock(const Caller *caller, int64 connection_id);

#endif /* DQDS_IMPORT_LOCK_H */
