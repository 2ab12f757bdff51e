/*
 * policy.h
 *		Decides which hosts may be connected to, and how long that may take.
 */
#ifndef DQDS_POLICY_H
#define DQDS_POLICY_H

#include "utils/guc.h"

#include "base/failure.h"

typedef struct Target Target;
typedef struct Caller Caller;

struct sockaddr;

extern void policy_limit_timeout(const Caller *caller, Oid owner, Target *target);
extern bool policy_allows_name(const Target *target, Failure *failure);
extern bool policy_allows_address(const Target *target, const struct sockaddr *address,
								  Failure *failure);
extern char *policy_bad_host(const char *list);
extern bool policy_check_hosts(char **newval, void **extra, GucSource source);

#endif /* DQDS_POLICY_H */
