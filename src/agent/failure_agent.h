/*
 * failure_agent.h
 *		What a fault that the agent reports means.
 */
#ifndef DQDS_FAILURE_AGENT_H
#define DQDS_FAILURE_AGENT_H

#include "base/failure.h"
#include "wire/wire.h"

typedef struct Target Target;

extern LoginStatus failure_of_fault(const Target *target, bool asked, const char *payload,
									size_t length, Failure *failure);
extern void failure_no_agent(const Target *target, const char *path, int error, Failure *failure);
extern void failure_other_agent(const Target *target, Failure *failure);
extern void failure_agent_ended(const Target *target, Failure *failure);

#endif /* DQDS_FAILURE_AGENT_H */
