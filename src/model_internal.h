/*
 * model_internal.h
 *		What the files that know the connection model share: model.c, model_form.c,
 *		model_text.c and environment.c.
 */
#ifndef DQDS_MODEL_INTERNAL_H
#define DQDS_MODEL_INTERNAL_H

#include "dqds.h"
#include "utils/numeric.h"

extern bool model_member(JsonbContainer *object, const char *key, JsonbValue *value);
extern JsonbContainer *model_object_member(JsonbContainer *object, const char *key);
extern JsonbContainer *model_root(Jsonb *model);
extern char *model_numeric_text(Numeric number);
extern const char *model_provider_name(int position);

#endif /* DQDS_MODEL_INTERNAL_H */
