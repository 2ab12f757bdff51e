/*
 * connection_argument.h
 *		A function's connection argument: the name of a registered connection, or a model.
 */
#ifndef DQDS_CONNECTION_ARGUMENT_H
#define DQDS_CONNECTION_ARGUMENT_H

#include "fmgr.h"
#include "utils/jsonb.h"

#include "base/failure.h"
#include "model/target.h"
#include "registry/registry.h"

typedef struct Caller Caller;

/* A connection argument, a name or a model, after it was read. */
typedef struct ConnectionArgument
{
	Target target; /* valid if failure.code is DQDS_OK */
	Failure failure;
	bool ad_hoc;       /* it was a model */
	char *name;        /* of the connection, or the model's own; may be NULL */
	Jsonb *model;      /* as sent, or as stored with masks; NULL if it is out of bounds */
	int64 registry_id; /* the connection whose imports concern it; 0 for none */
} ConnectionArgument;

extern bool argument_is_model(const Caller *caller, FunctionCallInfo fcinfo);
extern void connection_argument(const Caller *caller, FunctionCallInfo fcinfo,
								ConnectionArgument *result);
extern void connection_by_name(const Caller *caller, const char *name, ConnectionArgument *result);
extern void connection_model_argument(const Caller *caller, FunctionCallInfo fcinfo,
									  ConnectionArgument *result);
extern void connection_by_model(const Caller *caller, Jsonb *model, ConnectionArgument *result);
extern void connection_of_entry(const Caller *caller, const RegistryEntry *entry,
								ConnectionArgument *result);

extern char *name_argument(FunctionCallInfo fcinfo, int n, const char *what);
extern Jsonb *model_argument(const Caller *caller, FunctionCallInfo fcinfo, int n,
							 Failure *failure);
extern Jsonb *spelled_model_argument(const Caller *caller, FunctionCallInfo fcinfo, int n,
									 Failure *failure);

#endif /* DQDS_CONNECTION_ARGUMENT_H */
