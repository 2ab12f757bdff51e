/*
 * session.h
 *		One remote session: a process that runs one driver, and talks to the backend.
 */
#ifndef DQDS_SESSION_H
#define DQDS_SESSION_H

#include "driver.h"

extern void session_run(int fd, const Driver *driver) __attribute__((noreturn));
extern void session_refuse(int fd, const char *kind, const char *text);

#endif /* DQDS_SESSION_H */
