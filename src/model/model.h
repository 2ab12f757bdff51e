/*
 * model.h
 *		What callers that need no target ask about a model, or do with it.
 */
#ifndef DQDS_MODEL_H
#define DQDS_MODEL_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "base/failure.h"
#include "model/model_form.h"

extern int model_parallel_limit(Jsonb *model);
extern char *model_connection_name(Jsonb *model);
extern bool model_password_required(Jsonb *model);

extern List *model_warnings(Jsonb *model);

extern Jsonb *model_patch(Jsonb *model, Jsonb *patch);

#endif /* DQDS_MODEL_H */
