/*
 * bulkhead.h
 *		How many connections of the pool may wait for what.
 */
#ifndef BRIDGE_BULKHEAD_H
#define BRIDGE_BULKHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a request may wait for, besides the control database. */
typedef enum Waits
{
	WAITS_FOR_NOTHING,
	WAITS_FOR_NAMED, /* the data source of a connection whose name is known */
	WAITS_FOR_SOME   /* one that the body tells, which nobody here reads */
} Waits;

typedef struct Share Share;

bool bulkhead_start(int pool_size, int threads);
void bulkhead_stop(void);

/* The name, which counts only with WAITS_FOR_NAMED, as a number to ask by. */
uint64_t bulkhead_target(Waits waits, const char *name);

/*
 * Everything below is for whoever holds the lock of the pool, and a Share is
 * good only as long as he does, or holds a connection of it.
 */
Share *bulkhead_share(uint64_t target);
bool bulkhead_has_room(const Share *share);
void bulkhead_enter(Share *share);
void bulkhead_leave(Share *share);

/* Connections in use, over all shares. */
int bulkhead_in_use(void);

/* When the last one came in of those whom somebody waits for who gets no connection. */
int64_t bulkhead_moved_ms(const Share *share);

/* Says which limit it is that keeps a request of this share from a connection. */
void bulkhead_explain(const Share *share, char *message, size_t size);

#endif /* BRIDGE_BULKHEAD_H */
