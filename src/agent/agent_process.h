/*
 * agent_process.h
 *		This backend's fork server, and what is asked of it.
 */
#ifndef DQDS_AGENT_PROCESS_H
#define DQDS_AGENT_PROCESS_H

#include "base/failure.h"

typedef struct Target Target;

extern int agent_start_session(const Target *target, Failure *failure);
extern void agent_end_session(int pid);
extern void agent_forget(void);

#endif /* DQDS_AGENT_PROCESS_H */
