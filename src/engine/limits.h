/*
 * limits.h
 *		How many remote operations may run at once on one target, over all backends.
 */
#ifndef DQDS_LIMITS_H
#define DQDS_LIMITS_H

#include "storage/lock.h"

#include "base/failure.h"

struct sockaddr;
typedef struct Target Target;

typedef struct LimitSlot
{
	bool held;
	uint16 lock_class; /* of what kind the limit is */
	uint32 target_hash;
	uint32 slot;
} LimitSlot;

extern bool limits_enter(const Target *target, LimitSlot *slot, Failure *failure);
extern bool limits_enter_address(const Target *target, const struct sockaddr *address,
								 LimitSlot *slot, Failure *failure);
extern void limits_leave(LimitSlot *slot);
extern void limits_import_tag(LOCKTAG *tag, int64 connection_id);
extern void limits_privileges_tag(LOCKTAG *tag, uint32 lock);

#endif /* DQDS_LIMITS_H */
