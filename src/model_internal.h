/*
 * model_internal.h
 *		What the files that know the connection model share: model.c, model_form.c,
 *		model_target.c, model_text.c and environment.c.
 */
#ifndef DQDS_MODEL_INTERNAL_H
#define DQDS_MODEL_INTERNAL_H

#include "dqds.h"
#include "utils/numeric.h"

/* A provider type of the published enum. */
typedef struct ModelProvider
{
	const char *name;
	Provider provider; /* this and the following only if it works */
	bool works;
	int default_port;
	const char *default_database; /* NULL: the name of the user, as PostgreSQL does */
} ModelProvider;

extern bool model_member(JsonbContainer *object, const char *key, JsonbValue *value);
extern JsonbContainer *model_object_member(JsonbContainer *object, const char *key);
extern JsonbContainer *model_root(Jsonb *model);
extern char *model_numeric_text(Numeric number);
extern const char *model_provider_name(int position);
extern const ModelProvider *model_provider(int position);
extern char *model_string(JsonbContainer *object, const char *section, const char *key);
extern char *model_scalar(const JsonbValue *value, const char *section, const char *key);
extern JsonbContainer *model_object(JsonbContainer *object, const char *section, const char *key);
extern void model_wrong_type(const char *section, const char *key, const char *wanted);
extern bool model_invalid(Failure *failure, const char *section, const char *key,
						  const char *wanted);
extern bool model_missing(Failure *failure, const char *section, const char *key);
extern bool model_find_provider(JsonbContainer *root, int *position, Failure *failure);
extern bool model_check_enums(JsonbContainer *section, const char *name, Failure *failure);

#endif /* DQDS_MODEL_INTERNAL_H */
