/*
 * environment.h
 *		Decides which members of a model may refer to the server's environment.
 */
#ifndef DQDS_ENVIRONMENT_H
#define DQDS_ENVIRONMENT_H

#include "nodes/pg_list.h"

#include "base/failure.h"
#include "model/model_form.h"
#include "registry/registry.h"

typedef struct Caller Caller;

extern bool environment_members(const Caller *caller, const NormalModel *normal,
								const RegistryEntry *stored, List **paths, Failure *failure);

#endif /* DQDS_ENVIRONMENT_H */
