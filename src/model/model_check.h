/*
 * model_check.h
 *		Checks whether a model can be registered.
 */
#ifndef DQDS_MODEL_CHECK_H
#define DQDS_MODEL_CHECK_H

#include "base/failure.h"
#include "model/model_form.h"

extern bool model_validate(const NormalModel *normal, Failure *failure);

#endif /* DQDS_MODEL_CHECK_H */
