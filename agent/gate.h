/*
 * gate.h
 *		The one address that a session may connect to, for whatever library it runs.
 */
#ifndef DQDS_GATE_H
#define DQDS_GATE_H

#include <stdbool.h>

/* What is done with a socket that has just been connected: 0, or an errno that connect() fails with. */
typedef int (*AfterConnect)(int fd, void *argument);

extern bool gate_open(const char *address, int port, int (*time_left)(void *), void *argument);
extern void gate_after_connect(AfterConnect function, void *argument);
extern void gate_after_failure(AfterConnect function, void *argument);
extern int gate_error(void);

#endif /* DQDS_GATE_H */
