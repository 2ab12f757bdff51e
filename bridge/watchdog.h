/*
 * watchdog.h
 *		Ends reading from, or writing to, a socket when its deadline passes.
 */
#ifndef BRIDGE_WATCHDOG_H
#define BRIDGE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

/* Lives on the stack of the thread that waits; the fields belong to watchdog.c. */
typedef struct Watch
{
	int descriptor;
	int how; /* SHUT_RD or SHUT_RDWR */
	int64_t deadline_ms;
	bool expired;
	struct Watch *next;
	struct Watch *previous;
} Watch;

bool watchdog_start(void);

/* From now on shutdown(descriptor, how) is called when the deadline passes. */
void watchdog_add(Watch *watch, int descriptor, int how, int64_t deadline_ms);

/* Must follow, before the descriptor can be closed.  Returns true when the deadline had passed. */
bool watchdog_remove(Watch *watch);

#endif /* BRIDGE_WATCHDOG_H */
