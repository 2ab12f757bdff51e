/*
 * model_form.c
 *		Brings a model into the form in which it is stored: secrets apart, masks in their place.
 *
 * Owns: which members are secrets, which are computed, and when a mask may
 * stand for the stored secret.  It must not judge whether a model can be used,
 * only whether it is within bounds.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "base/compat.h"
#include "base/failure.h"
#include "model/model.h"
#include "model/model_bounds.h"
#include "model/model_form.h"
#include "model/model_internal.h"
#include "model/provider.h"
#include "model/secret.h"
#include "model/section_keys.h"

/* Members whose values are secrets, wherever they are in the model. */
static const char *const secret_keys[] = {"password", "json_key_content", "access_token",
										  "client_secret", "private_key"};

/* In maps with names that users choose, a name with one of these words marks a secret. */
static const char *const user_maps[] = {"properties", "advanced_properties"};
static const char *const secret_words[] = {"password", "secret", "token", "key"};

/* Computed for each caller, whatever was sent; connection_name has its own column. */
static const char *const computed_keys[] = {
	"connection_name", "connection_hash", "can_edit",          "can_collect_statistics",
	"can_run_checks",  "can_delete_data", "yaml_parsing_error"};
#define JOB_TEMPLATE_SUFFIX "_job_template"

/* A change of these does not send the stored secret anywhere else. */
static const char *const harmless_keys[] = {"options", "postgresql_engine_type",
											"redshift_authentication_mode"};

static bool
is_one_of(const char *const *list, int count, const char *key)
{
	for (int i = 0; i < count; i++)
		if (strcmp(list[i], key) == 0)
			return true;
	return false;
}

static bool
contains_word(const char *name)
{
	char *lower = pstrdup(name);

	for (char *c = lower; *c != '\0'; c++)
		*c = pg_tolower((unsigned char) *c);
	for (int i = 0; i < lengthof(secret_words); i++)
		if (strstr(lower, secret_words[i]) != NULL)
			return true;
	return false;
}

static bool
is_secret(const char *key, bool in_user_map)
{
	return is_one_of(secret_keys, lengthof(secret_keys), key) ||
		   (in_user_map && contains_word(key));
}

static bool
is_computed(const char *key)
{
	size_t length = strlen(key);
	size_t suffix = strlen(JOB_TEMPLATE_SUFFIX);

	return is_one_of(computed_keys, lengthof(computed_keys), key) ||
		   (length > suffix && strcmp(key + length - suffix, JOB_TEMPLATE_SUFFIX) == 0);
}

typedef struct Normalizer
{
	JsonbBuilder model;
	JsonbBuilder secrets;
	JsonbValue *model_result;
	JsonbValue *secrets_result;
	bool any_secret;
	char *kept_secret;    /* the key of the first one that a mask stands for */
	char *missing_secret; /* a mask was sent for a secret that is not stored */
} Normalizer;

static void
push_token(Normalizer *normalizer, JsonbIteratorToken token)
{
	normalizer->model_result = dqds_push_jsonb(&normalizer->model, token, NULL);
	normalizer->secrets_result = dqds_push_jsonb(&normalizer->secrets, token, NULL);
}

static void
push_member(JsonbBuilder *state, char *key, JsonbValue *value)
{
	JsonbValue name = {.type = jbvString, .val.string = {.val = key, .len = strlen(key)}};

	dqds_push_jsonb(state, WJB_KEY, &name);
	dqds_push_jsonb(state, WJB_VALUE, value);
}

static JsonbValue
string_value(char *text)
{
	JsonbValue value = {.type = jbvString, .val.string = {.val = text, .len = strlen(text)}};

	return value;
}

static bool
is_mask(const JsonbValue *value)
{
	return value->type == jbvString && value->val.string.len == strlen(DQDS_MASK) &&
		   strncmp(value->val.string.val, DQDS_MASK, strlen(DQDS_MASK)) == 0;
}

/*
 * Move a secret to the secrets and push the mask in its place; if the value is
 * itself a mask, take the stored secret.
 */
static void
push_secret(Normalizer *normalizer, char *key, JsonbValue *value, JsonbContainer *stored)
{
	JsonbValue mask = string_value(pstrdup(DQDS_MASK));
	JsonbValue old;

	if (is_mask(value))
	{
		if (!model_member(stored, key, &old))
		{
			normalizer->missing_secret = key;
			return;
		}
		if (normalizer->kept_secret == NULL)
			normalizer->kept_secret = key;
		value = &old;
	}
	normalizer->any_secret = true;
	push_member(&normalizer->model, key, &mask);
	push_member(&normalizer->secrets, key, value);
}

static bool
is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

/*
 * Is this member, an array, secret?  Arrays are not split: one that contains a
 * secret, at any depth, is a secret as a whole, and so is the mask of such an
 * array that is stored.
 */
static bool
is_secret_array(char *key, const JsonbValue *value, JsonbContainer *stored, bool in_user_map)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue item;

	if (!is_array(value))
		return is_mask(value) && model_member(stored, key, &item) && is_array(&item);
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &item, false)) != WJB_DONE)
	{
		char *name = token == WJB_KEY ? pnstrdup(item.val.string.val, item.val.string.len) : NULL;

		if (name != NULL && is_secret(name, in_user_map))
			return true;
		in_user_map |= name != NULL && is_one_of(user_maps, lengthof(user_maps), name);
	}
	return false;
}

static void
normalize_object(Normalizer *normalizer, JsonbContainer *object, JsonbContainer *stored,
				 bool in_user_map, int depth)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue item;
	char *key = NULL;

	check_stack_depth();
	push_token(normalizer, WJB_BEGIN_OBJECT);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE || item.type == jbvNull || (depth == 0 && is_computed(key)))
			continue;
		if (is_secret(key, in_user_map) || is_secret_array(key, &item, stored, in_user_map))
			push_secret(normalizer, key, &item, stored);
		else if (item.type == jbvBinary && JsonContainerIsObject(item.val.binary.data))
		{
			JsonbValue name = string_value(key);

			dqds_push_jsonb(&normalizer->model, WJB_KEY, &name);
			dqds_push_jsonb(&normalizer->secrets, WJB_KEY, &name);
			normalize_object(normalizer, item.val.binary.data, model_object_member(stored, key),
							 in_user_map || is_one_of(user_maps, lengthof(user_maps), key),
							 depth + 1);
		}
		else if (depth == 1 && strcmp(key, "port") == 0 && item.type == jbvNumeric)
		{
			JsonbValue port = string_value(model_numeric_text(item.val.numeric));

			push_member(&normalizer->model, key, &port);
		}
		else
			push_member(&normalizer->model, key, &item);
	}
	push_token(normalizer, WJB_END_OBJECT);
}

/* A member as a jsonb, null if it is missing. */
static Datum
member_datum(JsonbContainer *object, const char *key)
{
	JsonbValue value;

	if (!model_member(object, key, &value))
		value.type = jbvNull;
	return JsonbPGetDatum(JsonbValueToJsonb(&value));
}

/* A provider's section without the keys that may change while a stored secret is kept. */
static Datum
section_identity(Jsonb *model, const char *key)
{
	Datum section = member_datum(&model->root, key);

	if (model_object_member(&model->root, key) == NULL)
		return section;
	for (int i = 0; i < lengthof(harmless_keys); i++)
		section = DirectFunctionCall2Coll(jsonb_delete, DEFAULT_COLLATION_OID, section,
										  CStringGetTextDatum(harmless_keys[i]));
	return section;
}

/* The secret properties of one provider, which cannot be compared by their masks. */
static Datum
hidden_properties(Jsonb *secrets, const char *provider)
{
	return member_datum(model_object_member(&secrets->root, provider), "properties");
}

static bool
is_equal(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(jsonb_eq, a, b));
}

static bool
same_place(const NormalModel *normal, Jsonb *stored_model, Jsonb *stored_secrets)
{
	for (int i = 0; i < NUM_PROVIDERS; i++)
	{
		const char *name = provider_name(i);

		if (!is_equal(section_identity(normal->model, name),
					  section_identity(stored_model, name)) ||
			!is_equal(hidden_properties(normal->secrets, name),
					  hidden_properties(stored_secrets, name)))
			return false;
	}
	return is_equal(section_identity(normal->model, "provider_type"),
					section_identity(stored_model, "provider_type"));
}

/* Do two models, in their stored form, lead to the same database, as any user? */
bool
model_same_database(Jsonb *model, Jsonb *stored_model)
{
	Provider provider;
	const SectionKey *key;
	int position = 0;

	if (!model_get_provider(&model->root, &provider) ||
		!is_equal(member_datum(&model->root, "provider_type"),
				  member_datum(&stored_model->root, "provider_type")))
		return false;
	while ((key = section_key_of_place(provider, &position)) != NULL)
	{
		const char *name = provider_name(provider);

		if (!is_equal(member_datum(model_object_member(&model->root, name), key->key),
					  member_datum(model_object_member(&stored_model->root, name), key->key)))
			return false;
	}
	return true;
}

/* Do two models of the same provider, in their stored form, have the same options? */
bool
model_same_options(Jsonb *model, Jsonb *stored_model)
{
	for (int i = 0; i < NUM_PROVIDERS; i++)
	{
		const char *name = provider_name(i);

		if (!is_equal(member_datum(model_object_member(&model->root, name), "options"),
					  member_datum(model_object_member(&stored_model->root, name), "options")))
			return false;
	}
	return true;
}

/*
 * Report that the mask in this member cannot be replaced by a stored secret.
 * Always returns false.
 */
bool
model_secret_missing(Failure *failure, const char *key)
{
	failure_set(failure, DQDS_INVALID_CONNECTION,
				"The mask " DQDS_MASK
				" stands for the stored secret only while all that says where it is "
				"sent is unchanged, such as host, port, database, user, sslmode and properties.",
				"\"%s\" must be supplied again", key);
	return false;
}

/*
 * Bring a model into the form in which it is stored: no nulls, no computed
 * keys, port as a string, secrets apart.  A mask is replaced by the secret in
 * stored_secrets, provided that the model leads to the same place as
 * stored_model (both are NULL for a new model).  Otherwise, and if the stored
 * form is out of bounds, it returns false and *failure is
 * DQDS_INVALID_CONNECTION.  The result is palloc'd.
 */
bool
model_normalize(Jsonb *input, Jsonb *stored_model, Jsonb *stored_secrets, NormalModel *result,
				Failure *failure)
{
	Normalizer normalizer = {0};
	char *name = model_connection_name(input);

	/* It is removed, but must be valid. */
	if (name != NULL && !model_name_usable(name, failure))
		return false;
	normalize_object(&normalizer, model_root(input),
					 stored_secrets == NULL ? NULL : &stored_secrets->root, false, 0);
	if (normalizer.missing_secret != NULL)
		return model_secret_missing(failure, normalizer.missing_secret);
	result->model = JsonbValueToJsonb(normalizer.model_result);
	result->secrets = normalizer.any_secret ? JsonbValueToJsonb(normalizer.secrets_result) : NULL;
	result->kept_secret = normalizer.kept_secret != NULL;
	/* A mask can be longer than the secret that it replaces. */
	if (!model_within_bounds(result->model, failure))
		return false;
	if (result->kept_secret && !same_place(result, stored_model, stored_secrets))
		return model_secret_missing(failure, normalizer.kept_secret);
	return true;
}
