/*
 * model_bounds.h
 *		How large a model and its name may be.
 */
#ifndef DQDS_MODEL_BOUNDS_H
#define DQDS_MODEL_BOUNDS_H

#include "utils/jsonb.h"

#include "common/failure.h"

extern bool model_within_bounds(Jsonb *model, Failure *failure);
extern bool model_name_usable(const char *name, Failure *failure);

#endif /* DQDS_MODEL_BOUNDS_H */
