/*
 * lost_memory.h
 *		Memory that libpq has lost for good in this backend, and to whom.
 */
#ifndef DQDS_LOST_MEMORY_H
#define DQDS_LOST_MEMORY_H

#include "base/failure.h"

struct sockaddr;
typedef struct Target Target;

extern int64 lost_memory_heap(void);
extern int64 lost_memory_heap_of_libpq(void);
extern void lost_memory_note(const struct sockaddr *address, int64 bytes);
extern bool lost_memory_permits(const Target *target, const struct sockaddr *address,
								Failure *failure);

#endif /* DQDS_LOST_MEMORY_H */
