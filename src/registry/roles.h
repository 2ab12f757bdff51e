/*
 * roles.h
 *		The roles to which the registry refers.
 */
#ifndef DQDS_ROLES_H
#define DQDS_ROLES_H

#include "fmgr.h"

typedef struct Caller Caller;

extern bool role_is_enrolled(Oid role);
extern void role_enrol(const Caller *caller, Oid role);
extern void role_enrol_at_once(const Caller *caller, Oid role);
extern Oid role_argument(const Caller *caller, FunctionCallInfo fcinfo, int n);
extern Oid role_argument_or_number(const Caller *caller, FunctionCallInfo fcinfo, int n);

#endif /* DQDS_ROLES_H */
