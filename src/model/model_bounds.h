/*
 * model_bounds.h
 *		Limits on the size of a model and on names of connections.
 */
#ifndef DQDS_MODEL_BOUNDS_H
#define DQDS_MODEL_BOUNDS_H

#include "utils/jsonb.h"

#include "base/failure.h"

#define MAX_MODEL_BYTES  (1024 * 1024) /* as text; also of a connection's name */
#define MAX_MODEL_LEVELS 100

extern bool model_too_large(Failure *failure);
extern bool model_too_deep(Failure *failure);
extern bool model_looks_like_one(const char *text, size_t length);
extern bool model_within_bounds(Jsonb *model, Failure *failure);
extern bool model_name_usable(const char *name, Failure *failure);

#endif /* DQDS_MODEL_BOUNDS_H */
