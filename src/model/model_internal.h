/*
 * model_internal.h
 *		Reading members of a model and recognizing its keys, for the files that read models.
 */
#ifndef DQDS_MODEL_INTERNAL_H
#define DQDS_MODEL_INTERNAL_H

#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "base/failure.h"
#include "model/provider.h"
#include "model/section_keys.h"
#include "model/target.h"

/* The key of a section postgresql that names a foreign server. */
#define FOREIGN_SERVER "foreign_server"

/* What an unknown key probably means (model_keys.c). */
typedef struct KeyMeaning
{
	const char *meant;  /* the known key; NULL if none is similar */
	const char *reason; /* why it should be left out; NULL if it can be renamed */
	KeyKind kind;
	bool is_typo; /* a guess */
} KeyMeaning;

extern KeyMeaning key_meaning(Provider provider, const char *key);
extern KeyMeaning key_meaning_at_top(const char *key);
extern bool key_is_misplaced(Provider provider, const char *key, KeyMeaning *meaning);
extern bool model_has_value(JsonbContainer *object, const char *key);
extern bool model_read_foreign_server(JsonbContainer *section, const char *name, Target *target,
									  Failure *failure);
extern bool model_check_keys(JsonbContainer *section, Provider provider, Failure *failure);
extern bool model_check_top(JsonbContainer *root, Provider provider, Failure *failure);
extern bool model_missing_key(JsonbContainer *section, Provider provider, const char *wanted,
							  Failure *failure);
extern bool model_missing_at_top(JsonbContainer *root, const char *wanted, const Provider *section,
								 Failure *failure);

/*
 * The limit without the values of references.  Access tokens used as passwords
 * have a few thousand bytes; the limit bounds the time of SCRAM, which hashes
 * the password many times.
 */
#define MAX_PASSWORD_BYTES 8000

/* The beginning of what a host must be, continuing "It must be" (model_values.c). */
#define HOST_WANTED "one host name or address"

extern bool text_has_blank_ends(const char *text);
extern bool model_integer(const char *text, long min, long max, int *result);
extern char *host_without_brackets(char *host);
extern const char *host_fault(const char *host);
extern bool database_is_conninfo(const char *database);

extern bool model_member(JsonbContainer *object, const char *key, JsonbValue *value);
extern JsonbContainer *model_object_member(JsonbContainer *object, const char *key);
extern JsonbContainer *model_root(Jsonb *model);
extern char *model_numeric_text(Numeric number);
extern bool model_get_provider(JsonbContainer *root, Provider *provider);
extern char *model_string(JsonbContainer *object, const char *section, const char *key);
extern char *model_string_or_number(JsonbContainer *object, const char *section, const char *key);
extern bool model_boolean(JsonbContainer *object, const char *section, const char *key);
extern char *model_scalar(const JsonbValue *value, const char *section, const char *key);
extern JsonbContainer *model_object(JsonbContainer *object, const char *section, const char *key);
extern void model_wrong_type(const char *section, const char *key, const char *wanted);
extern bool model_invalid(Failure *failure, const char *section, const char *key,
						  const char *wanted);
extern bool model_missing(Failure *failure, const char *section, const char *key);
extern bool model_find_provider(JsonbContainer *root, Provider *provider, Failure *failure);
extern bool model_check_refused(JsonbContainer *section, Provider provider, Failure *failure);
extern bool model_read_login(JsonbContainer *section, JsonbContainer *secrets, Target *target,
							 Failure *failure);
extern bool model_check_enums(JsonbContainer *section, Provider provider, Failure *failure);

#endif /* DQDS_MODEL_INTERNAL_H */
