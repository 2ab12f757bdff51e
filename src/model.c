/*
 * model.c
 *		The connection model: JSON in, a validated Target out.
 *
 * The only file that knows the model's keys.  A JSON value of the wrong type in
 * a known key is an error (42804), raised at once and naming the key, because
 * the caller's program is wrong; a value of the right type that cannot be used
 * is a Failure, because a person can have typed it.
 *
 * It must not connect, look anything up, or know who asks.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "dqds.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* ---- the keys ------------------------------------------------------------------ */

/* The published enum of provider types; the first three work. */
static const struct
{
	const char *name;
	Provider provider;
	bool works;
	int default_port;
	const char *default_database; /* NULL: the name of the user, as PostgreSQL does */
} providers[] = {
	{"postgresql", PROVIDER_POSTGRESQL, true, 5432, NULL},
	{"redshift", PROVIDER_REDSHIFT, true, 5439, "dev"},
	{"questdb", PROVIDER_QUESTDB, true, 8812, "qdb"},
	{.name = "bigquery"},
	{.name = "clickhouse"},
	{.name = "databricks"},
	{.name = "db2"},
	{.name = "duckdb"},
	{.name = "hana"},
	{.name = "mariadb"},
	{.name = "mysql"},
	{.name = "oracle"},
	{.name = "presto"},
	{.name = "snowflake"},
	{.name = "spark"},
	{.name = "sqlserver"},
	{.name = "teradata"},
	{.name = "trino"},
};

/* Members whose values are words of a published enum, in the section of a working provider. */
static const struct
{
	const char *key;
	const char *words; /* between and after bars */
} enums[] = {
	{"sslmode", "|disable|allow|prefer|require|verify-ca|verify-full|"},
	{"postgresql_engine_type", "|postgresql|timescale|"},
	{"redshift_authentication_mode", "|iam|default_credentials|user_password|"},
};

/* Members whose value is a secret, wherever they stand. */
static const char *const secret_keys[] = {"password", "json_key_content", "access_token",
										  "client_secret"};

/* In maps that users fill themselves, these words in a name mark a secret. */
static const char *const user_maps[] = {"properties", "advanced_properties"};
static const char *const secret_words[] = {"password", "secret", "token", "key"};

/* Computed for each caller, whatever was sent; connection_name is a column of its own. */
static const char *const computed_keys[] = {
	"connection_name", "connection_hash", "can_edit",          "can_collect_statistics",
	"can_run_checks",  "can_delete_data", "yaml_parsing_error"};
#define JOB_TEMPLATE_SUFFIX "_job_template"

/* Changing these does not send the stored secret anywhere else. */
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

/* ---- reading members -------------------------------------------------------------- */

static void
wrong_type(const char *section, const char *key, const char *wanted)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("\"%s%s%s\" in the connection model must be %s", section,
						   *section == '\0' ? "" : ".", key, wanted)));
}

/* A member that is there and not null. */
static bool
get_member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	return object != NULL &&
		   getKeyJsonValueFromContainer(object, key, strlen(key), value) != NULL &&
		   value->type != jbvNull;
}

/* A string; NULL when it is missing, null or empty. */
static char *
get_string(JsonbContainer *object, const char *section, const char *key)
{
	JsonbValue value;

	if (!get_member(object, key, &value))
		return NULL;
	if (value.type != jbvString)
		wrong_type(section, key, "a string");
	return value.val.string.len == 0 ? NULL : pnstrdup(value.val.string.val, value.val.string.len);
}

static JsonbContainer *
get_object(JsonbContainer *object, const char *section, const char *key)
{
	JsonbValue value;

	if (!get_member(object, key, &value))
		return NULL;
	if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
		wrong_type(section, key, "an object");
	return value.val.binary.data;
}

static char *
numeric_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

/* A string, a number or a boolean as text; NULL when missing, null or empty. */
static char *
scalar_text(const JsonbValue *value, const char *section, const char *key)
{
	switch (value->type)
	{
		case jbvString:
			return value->val.string.len == 0
					   ? NULL
					   : pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return numeric_text(value->val.numeric);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			wrong_type(section, key, "a string, a number or a boolean");
			return NULL;
	}
}

/* Digits only, within the bounds. */
static bool
parse_integer(const char *text, long min, long max, int *result)
{
	char *end;
	long value;

	if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 9 || *text == '\0')
		return false;
	value = strtol(text, &end, 10);
	if (value < min || value > max)
		return false;
	*result = (int) value;
	return true;
}

static bool
invalid(Failure *failure, const char *section, const char *key, const char *wanted)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, psprintf("It must be %s.", wanted),
				"\"%s%s%s\" in the connection model is not valid", section,
				*section == '\0' ? "" : ".", key);
	return false;
}

static bool
missing(Failure *failure, const char *section, const char *key)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, "Add it to the connection model.",
				"\"%s%s%s\" is missing in the connection model", section,
				*section == '\0' ? "" : ".", key);
	return false;
}

/* The root as an object. */
static JsonbContainer *
root_object(Jsonb *model)
{
	if (!JB_ROOT_IS_OBJECT(model))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("the connection model must be a JSON object")));
	return &model->root;
}

/* ---- a Target from a model ------------------------------------------------------------ */

static bool
find_provider(JsonbContainer *root, int *position, Failure *failure)
{
	char *name = get_string(root, "", "provider_type");

	if (name == NULL)
		return missing(failure, "", "provider_type");
	for (int i = 0; i < lengthof(providers); i++)
		if (strcmp(providers[i].name, name) == 0)
		{
			*position = i;
			return true;
		}
	return invalid(failure, "", "provider_type",
				   "one of the published provider types, such as postgresql");
}

/* The words of an enum as a person reads them. */
static char *
readable_words(const char *words)
{
	StringInfoData list;

	initStringInfo(&list);
	for (const char *c = words + 1; c[1] != '\0'; c++)
		if (*c == '|')
			appendStringInfoString(&list, ", ");
		else
			appendStringInfoChar(&list, *c);
	return list.data;
}

static bool
check_enums(JsonbContainer *section, const char *name, Failure *failure)
{
	for (int i = 0; i < lengthof(enums); i++)
	{
		char *word = get_string(section, name, enums[i].key);

		if (word != NULL &&
			(strchr(word, '|') != NULL || strstr(enums[i].words, psprintf("|%s|", word)) == NULL))
			return invalid(failure, name, enums[i].key,
						   psprintf("one of %s", readable_words(enums[i].words)));
	}
	return true;
}

/*
 * A host name or an address.  A list, a socket directory or an abstract socket
 * would make libpq connect to something else than what was checked.
 */
static bool
read_host(JsonbContainer *section, const char *name, Target *target, Failure *failure)
{
	target->host = get_string(section, name, "host");
	if (target->host == NULL)
		return missing(failure, name, "host");
	if (!secret_resolve(target, "host", &target->host, failure))
		return false;
	if (strlen(target->host) > 253)
		return invalid(failure, name, "host", "at most 253 characters long");
	for (const char *c = target->host; *c != '\0'; c++)
		if ((unsigned char) *c <= ' ' || *c == 0x7f || strchr(",/@\\[]\"'", *c) != NULL)
			return invalid(failure, name, "host", "one host name or address");
	return true;
}

static bool
read_port(JsonbContainer *section, const char *name, int default_port, Target *target,
		  Failure *failure)
{
	JsonbValue value;
	char *text;

	target->port = default_port;
	if (!get_member(section, "port", &value))
		return true;
	if (value.type != jbvString && value.type != jbvNumeric)
		wrong_type(name, "port", "a string or a number");
	text = scalar_text(&value, name, "port");
	if (text == NULL)
		return true;
	if (!secret_resolve(target, "port", &text, failure))
		return false;
	if (!parse_integer(text, 1, 65535, &target->port))
		return invalid(failure, name, "port", "a whole number from 1 to 65535");
	return true;
}

/* libpq would read a database name of this shape as connection parameters, in other places. */
static bool
looks_like_conninfo(const char *database)
{
	return strchr(database, '=') != NULL || strncmp(database, "postgres://", 11) == 0 ||
		   strncmp(database, "postgresql://", 13) == 0;
}

static bool
read_login(JsonbContainer *section, const char *name, const char *default_database, Target *target,
		   Failure *failure)
{
	target->user = get_string(section, name, "user");
	if (target->user == NULL)
		return missing(failure, name, "user");
	if (!secret_resolve(target, "user", &target->user, failure))
		return false;
	target->database = get_string(section, name, "database");
	if (target->database == NULL)
		target->database = pstrdup(default_database != NULL ? default_database : target->user);
	else if (!secret_resolve(target, "database", &target->database, failure))
		return false;
	if (looks_like_conninfo(target->database))
		return invalid(failure, name, "database", "the name of a database");
	target->options = get_string(section, name, "options");
	return target->options == NULL || secret_resolve(target, "options", &target->options, failure);
}

static bool
read_boolean_property(const char *name, const char *key, const char *text, bool *result,
					  Failure *failure)
{
	if (parse_bool(text, result))
		return true;
	return invalid(failure, psprintf("%s.properties", name), key, "true or false");
}

static void
add_parameter(Target *target, const char *keyword, char *value)
{
	for (int i = 0; i < target->nparameters; i++)
		if (strcmp(target->parameters[i].keyword, keyword) == 0)
		{
			target->parameters[i].value = value;
			return;
		}
	Assert(target->nparameters < MAX_TARGET_PARAMETERS);
	target->parameters[target->nparameters].keyword = keyword;
	target->parameters[target->nparameters].value = value;
	target->nparameters++;
}

static bool
apply_property(const char *section, const char *key, char *value, Target *target, Failure *failure)
{
	const AllowedParameter *parameter = policy_parameter(key);
	bool on = false;
	int seconds;

	if (parameter == NULL)
	{
		failure_set(failure, DQDS_INVALID_CONNECTION,
					"README lists the properties that may be set.",
					"the property \"%s\" is not allowed in \"%s.properties\"", key, section);
		return false;
	}
	if (parameter->use != PARAMETER_LIBPQ && parameter->use != PARAMETER_CONNECT_TIMEOUT &&
		!read_boolean_property(section, key, value, &on, failure))
		return false;
	switch (parameter->use)
	{
		case PARAMETER_LIBPQ:
			add_parameter(target, parameter->keyword, value);
			break;
		case PARAMETER_BOOLEAN:
			add_parameter(target, parameter->keyword, pstrdup(on ? "1" : "0"));
			break;
		case PARAMETER_CONNECT_TIMEOUT:
			if (!parse_integer(value, 1, 3600, &seconds))
				return invalid(failure, psprintf("%s.properties", section), key,
							   "a whole number of seconds from 1 to 3600");
			target->connect_timeout_ms = seconds * 1000;
			break;
		case PARAMETER_CLEARTEXT:
			target->allow_cleartext = on;
			break;
		case PARAMETER_SSL:
			/* What JDBC calls ssl=true is the strictest mode there; here it is a floor. */
			if (on && target->sslmode == NULL)
				target->sslmode = pstrdup("require");
			break;
	}
	return true;
}

static bool
read_properties(JsonbContainer *section, const char *name, JsonbContainer *secrets, Target *target,
				Failure *failure)
{
	JsonbContainer *properties = get_object(section, name, "properties");
	JsonbContainer *hidden = secrets == NULL ? NULL : get_object(secrets, name, "properties");
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue item;
	char *key = NULL;

	if (properties == NULL)
		return true;
	iterator = JsonbIteratorInit(properties);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		char *value;

		if (token == WJB_KEY)
			key = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE || item.type == jbvNull)
			continue;
		(void) get_member(hidden, key, &item);
		value = scalar_text(&item, name, psprintf("properties.%s", key));
		if (value == NULL)
			continue;
		if (!secret_resolve(target, key, &value, failure) ||
			!apply_property(name, key, value, target, failure))
			return false;
	}
	return true;
}

static bool
read_password(JsonbContainer *root, JsonbContainer *section, const char *name,
			  JsonbContainer *secrets, Target *target, Failure *failure)
{
	JsonbValue value;

	target->password_required = true;
	if (get_member(root, "password_required", &value))
	{
		if (value.type != jbvBool)
			wrong_type("", "password_required", "a boolean");
		target->password_required = value.val.boolean;
	}
	target->password = get_string(section, name, "password");
	if (target->password != NULL && secrets != NULL)
		target->password = get_string(secrets, name, "password");
	/* A mask with nothing behind it: the secrets were left out of a dump. */
	if (target->password != NULL && strcmp(target->password, DQDS_MASK) == 0)
		target->password = NULL;
	if (target->password != NULL && !secret_resolve(target, "password", &target->password, failure))
		return false;
	/* A reference can stand for nothing. */
	if (target->password != NULL && *target->password == '\0')
		target->password = NULL;
	return true;
}

static bool
read_limit(JsonbContainer *root, Target *target, Failure *failure)
{
	JsonbValue value;

	target->parallel_limit = 0;
	if (!get_member(root, "parallel_jobs_limit", &value))
		return true;
	if (value.type != jbvNumeric)
		wrong_type("", "parallel_jobs_limit", "a number");
	if (!parse_integer(numeric_text(value.val.numeric), 1, 100000, &target->parallel_limit))
		return invalid(failure, "", "parallel_jobs_limit", "a whole number from 1 to 100000");
	return true;
}

static char *
working_providers(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(providers); i++)
		if (providers[i].works)
			appendStringInfo(&names, "%s%s", names.len == 0 ? "" : ", ", providers[i].name);
	return names.data;
}

static bool
read_section(JsonbContainer *root, int provider, JsonbContainer *secrets, Target *target,
			 Failure *failure)
{
	const char *name = providers[provider].name;
	JsonbContainer *section = get_object(root, "", name);
	char *mode;

	if (section == NULL)
		return missing(failure, "", name);
	if (secrets != NULL)
		secrets = get_object(secrets, "", name);
	if (!check_enums(section, name, failure) || !read_host(section, name, target, failure) ||
		!read_port(section, name, providers[provider].default_port, target, failure) ||
		!read_login(section, name, providers[provider].default_database, target, failure))
		return false;

	mode = get_string(section, name, "redshift_authentication_mode");
	if (mode != NULL && strcmp(mode, "user_password") != 0)
		return invalid(failure, name, "redshift_authentication_mode",
					   "user_password, the only mode that works here");
	target->sslmode = get_string(section, name, "sslmode");
	if (!read_properties(section, name, secrets, target, failure) ||
		!read_password(root, section, name, secrets, target, failure))
		return false;
	if (target->sslmode == NULL)
		target->sslmode = pstrdup("prefer");
	return true;
}

/*
 * Read a model, with its secrets apart or (NULL) still in it, into *target, in
 * the current memory context.  References to secrets are resolved by scope, or
 * taken as good where that is NULL.  connection_id is left 0.  False: *failure tells
 * what cannot be used.  Raises 42804 for a value of the wrong JSON type.
 */
bool
model_to_target(Jsonb *model, Jsonb *secrets, const SecretScope *scope, Target *target,
				Failure *failure)
{
	JsonbContainer *root = root_object(model);
	int provider;

	memset(target, 0, sizeof(*target));
	target->scope = scope;
	target->connect_timeout_ms = dqds_connect_timeout_ms;
	target->connection_name = model_connection_name(model);
	if (!find_provider(root, &provider, failure) || !read_limit(root, target, failure))
		return false;
	if (!providers[provider].works)
	{
		failure_set(failure, DQDS_UNSUPPORTED_PROVIDER,
					psprintf("Providers that work: %s.", working_providers()),
					"connections of provider type \"%s\" are not supported",
					providers[provider].name);
		return false;
	}
	target->provider = providers[provider].provider;
	return read_section(root, provider, secrets == NULL ? NULL : &secrets->root, target, failure);
}

/* The model's own connection_name, palloc'd; NULL when it has none. */
char *
model_connection_name(Jsonb *model)
{
	return get_string(root_object(model), "", "connection_name");
}

/* Whether a password is demanded; default true. */
bool
model_password_required(Jsonb *model)
{
	JsonbValue value;

	if (!get_member(root_object(model), "password_required", &value))
		return true;
	if (value.type != jbvBool)
		wrong_type("", "password_required", "a boolean");
	return value.val.boolean;
}

/* ---- the form in which a model is kept ------------------------------------------------- */

typedef struct Normalizer
{
	JsonbParseState *model;
	JsonbParseState *secrets;
	JsonbValue *model_result;
	JsonbValue *secrets_result;
	bool any_secret;
	bool kept_secret;
	char *missing_secret; /* a mask came for a secret that is not stored */
} Normalizer;

static void
push_token(Normalizer *normalizer, JsonbIteratorToken token)
{
	normalizer->model_result = pushJsonbValue(&normalizer->model, token, NULL);
	normalizer->secrets_result = pushJsonbValue(&normalizer->secrets, token, NULL);
}

static void
push_member(JsonbParseState **state, char *key, JsonbValue *value)
{
	JsonbValue name = {.type = jbvString, .val.string = {.val = key, .len = strlen(key)}};

	pushJsonbValue(state, WJB_KEY, &name);
	pushJsonbValue(state, WJB_VALUE, value);
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

/* The secret goes aside, the mask takes its place; a mask brings the stored secret back. */
static void
push_secret(Normalizer *normalizer, char *key, JsonbValue *value, JsonbContainer *stored)
{
	JsonbValue mask = string_value(pstrdup(DQDS_MASK));
	JsonbValue old;

	if (is_mask(value))
	{
		if (!get_member(stored, key, &old))
		{
			normalizer->missing_secret = key;
			return;
		}
		normalizer->kept_secret = true;
		value = &old;
	}
	normalizer->any_secret = true;
	push_member(&normalizer->model, key, &mask);
	push_member(&normalizer->secrets, key, value);
}

static JsonbContainer *
object_member(JsonbContainer *object, const char *key)
{
	JsonbValue value;

	if (!get_member(object, key, &value) || value.type != jbvBinary ||
		!JsonContainerIsObject(value.val.binary.data))
		return NULL;
	return value.val.binary.data;
}

static bool
is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

/*
 * An array is not taken apart: one that holds a secret, at any depth, is a
 * secret as a whole, and so is the mask in the place of one that is stored.
 */
static bool
is_secret_array(char *key, const JsonbValue *value, JsonbContainer *stored, bool in_user_map)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue item;

	if (!is_array(value))
		return is_mask(value) && get_member(stored, key, &item) && is_array(&item);
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

			pushJsonbValue(&normalizer->model, WJB_KEY, &name);
			pushJsonbValue(&normalizer->secrets, WJB_KEY, &name);
			normalize_object(normalizer, item.val.binary.data, object_member(stored, key),
							 in_user_map || is_one_of(user_maps, lengthof(user_maps), key),
							 depth + 1);
		}
		else if (depth == 1 && strcmp(key, "port") == 0 && item.type == jbvNumeric)
		{
			JsonbValue port = string_value(numeric_text(item.val.numeric));

			push_member(&normalizer->model, key, &port);
		}
		else
			push_member(&normalizer->model, key, &item);
	}
	push_token(normalizer, WJB_END_OBJECT);
}

/* A member as a jsonb, null when it is missing. */
static Datum
member_datum(JsonbContainer *object, const char *key)
{
	JsonbValue value;

	if (!get_member(object, key, &value))
		value.type = jbvNull;
	return JsonbPGetDatum(JsonbValueToJsonb(&value));
}

/* A provider's section without what may change while a stored secret is kept. */
static Datum
section_identity(Jsonb *model, const char *key)
{
	Datum section = member_datum(&model->root, key);

	if (object_member(&model->root, key) == NULL)
		return section;
	for (int i = 0; i < lengthof(harmless_keys); i++)
		section = DirectFunctionCall2Coll(jsonb_delete, DEFAULT_COLLATION_OID, section,
										  CStringGetTextDatum(harmless_keys[i]));
	return section;
}

/* The properties that are secrets, of one provider: their masks look alike, whatever they hide. */
static Datum
hidden_properties(Jsonb *secrets, const char *provider)
{
	return member_datum(object_member(&secrets->root, provider), "properties");
}

static bool
is_equal(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(jsonb_eq, a, b));
}

static bool
same_place(const NormalModel *normal, Jsonb *stored_model, Jsonb *stored_secrets)
{
	for (int i = 0; i < lengthof(providers); i++)
	{
		const char *name = providers[i].name;

		if (!is_equal(section_identity(normal->model, name),
					  section_identity(stored_model, name)) ||
			!is_equal(hidden_properties(normal->secrets, name),
					  hidden_properties(stored_secrets, name)))
			return false;
	}
	return is_equal(section_identity(normal->model, "provider_type"),
					section_identity(stored_model, "provider_type"));
}

static bool
secret_missing(Failure *failure, const char *key)
{
	failure_set(failure, DQDS_INVALID_CONNECTION,
				"The mask " DQDS_MASK
				" stands for the stored secret only while provider, host, port, "
				"database, user, sslmode and properties are those stored.",
				"the secret \"%s\" must be given again", key);
	return false;
}

/*
 * Bring a model into the form in which it is kept: no nulls, no computed keys,
 * port as a string, secrets apart.  A mask is replaced by the secret of
 * stored_secrets (both stored_* NULL: there is none), provided that the model
 * leads to the same place as stored_model; otherwise *failure is
 * DQDS_INVALID_CONNECTION.  Everything is palloc'd.
 */
bool
model_normalize(Jsonb *input, Jsonb *stored_model, Jsonb *stored_secrets, NormalModel *result,
				Failure *failure)
{
	Normalizer normalizer = {0};

	normalize_object(&normalizer, root_object(input),
					 stored_secrets == NULL ? NULL : &stored_secrets->root, false, 0);
	if (normalizer.missing_secret != NULL)
		return secret_missing(failure, normalizer.missing_secret);
	result->model = JsonbValueToJsonb(normalizer.model_result);
	result->secrets = normalizer.any_secret ? JsonbValueToJsonb(normalizer.secrets_result) : NULL;
	result->kept_secret = normalizer.kept_secret;
	if (result->kept_secret && !same_place(result, stored_model, stored_secrets))
		return secret_missing(failure, "password");
	return true;
}

/*
 * Can this model be registered?  One of a provider that works must lead to a
 * usable target; of the others only the provider type and the shape are known.
 * References to secrets are looked at when they are used.
 */
bool
model_validate(const NormalModel *normal, Failure *failure)
{
	Target target;
	JsonbContainer *root = &normal->model->root;
	int provider;

	for (int i = 0; i < lengthof(providers); i++)
		(void) get_object(root, "", providers[i].name);
	(void) get_object(root, "", "advanced_properties");
	if (!find_provider(root, &provider, failure))
		return false;
	if (model_to_target(normal->model, normal->secrets, NULL, &target, failure) ||
		failure->code == DQDS_UNSUPPORTED_PROVIDER)
	{
		failure->code = DQDS_OK;
		return true;
	}
	return false;
}

/* ---- text to JSON -------------------------------------------------------------------------- */

/*
 * Parse JSON text.  Raises 22P02 for what is no JSON, without the parser's
 * detail and context, which would quote the text, password and all.
 */
Jsonb *
model_parse(text *input)
{
	MemoryContext context = CurrentMemoryContext;
	char *copy = text_to_cstring(input);
	Datum result = (Datum) 0;

	PG_TRY();
	{
		result = DirectFunctionCall1(jsonb_in, CStringGetDatum(copy));
	}
	PG_CATCH();
	{
		ErrorData *error;
		int category;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		category = ERRCODE_TO_CATEGORY(error->sqlerrcode);
		if (category != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		/* Not swallowed: the transaction ends with this one in its place. */
		ereport(ERROR, (errcode(error->sqlerrcode),
						errmsg("the connection model is not valid JSON: %s",
							   error->sqlerrcode == ERRCODE_UNTRANSLATABLE_CHARACTER
								   ? "it holds a character that text cannot hold"
								   : "it cannot be parsed")));
	}
	PG_END_TRY();
	return DatumGetJsonbP(result);
}
