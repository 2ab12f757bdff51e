/*
 * model_form.h
 *		Brings a model into the form in which it is stored: secrets apart, masks in their place.
 */
#ifndef DQDS_MODEL_FORM_H
#define DQDS_MODEL_FORM_H

#include "utils/jsonb.h"

#include "base/failure.h"

/* A model as it is stored: with masks in place of secrets, and the secrets apart. */
typedef struct NormalModel
{
	Jsonb *model;
	Jsonb *secrets;   /* NULL if there are none */
	bool kept_secret; /* a mask was sent and replaced by a stored secret */
} NormalModel;

extern bool model_normalize(Jsonb *input, Jsonb *stored_model, Jsonb *stored_secrets,
							NormalModel *result, Failure *failure);
extern bool model_same_database(Jsonb *model, Jsonb *stored_model);
extern bool model_same_options(Jsonb *model, Jsonb *stored_model);
extern bool model_secret_missing(Failure *failure, const char *key);

#endif /* DQDS_MODEL_FORM_H */
