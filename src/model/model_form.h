/*
 * model_form.h
 *		The form in which a model is kept: secrets apart, masks in their place.
 */
#ifndef DQDS_MODEL_FORM_H
#define DQDS_MODEL_FORM_H

#include "utils/jsonb.h"

#include "base/failure.h"

/* A model as it is kept: secrets replaced by the mask, and apart from it what was masked. */
typedef struct NormalModel
{
	Jsonb *model;
	Jsonb *secrets;   /* NULL when there are none */
	bool kept_secret; /* a mask was sent, and a stored secret put in its place */
} NormalModel;

extern bool model_normalize(Jsonb *input, Jsonb *stored_model, Jsonb *stored_secrets,
							NormalModel *result, Failure *failure);
extern bool model_same_database(Jsonb *model, Jsonb *stored_model);
extern bool model_same_options(Jsonb *model, Jsonb *stored_model);
extern bool model_secret_missing(Failure *failure, const char *key);

#endif /* DQDS_MODEL_FORM_H */
