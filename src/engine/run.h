/*
 * run.h
 *		One operation while it is under way: what the loop of engine.c drives.
 */
#ifndef DQDS_RUN_H
#define DQDS_RUN_H

#include "engine/engine.h"
#include "engine/limits.h"
#include "engine/session.h"

typedef struct Run
{
	Operation *operation;
	Session *session; /* NULL before the start and after the end */
	char *key;
	LimitSlot slot;         /* of the connection, or of the host's name */
	LimitSlot address_slot; /* of the address */
	bool asked;
	bool reused; /* the session came from the cache */
	bool finished;
	int64 login_deadline_us; /* 0: no login has begun */
	int64 again_us;          /* when the login is tried again; 0: it is not */
	int pauses;              /* how often it has been */
	bool in_the_way;         /* dqds had another session there when it was refused */
	int64 started_us;
	int64 put_off_us; /* how much its deadlines were put off for the steps of others */
	int64 busy_us;    /* Fanout's when its own last step was over */
} Run;

extern void run_start(Run *run, Oid role);
extern void run_serve(Run *run, uint32 events, Oid role);
extern void run_time_out(Run *run, Oid role);
extern void run_log_in_again(Run *run, Oid role);
extern bool run_is_under_way(const Run *run);
extern int64 run_deadline(const Run *run);

#endif /* DQDS_RUN_H */
