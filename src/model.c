/*
 * model.c
 *		The connection model: JSON in, a validated Target out.
 *
 * With model_form.c the only file that knows the model's keys.  A JSON value of the wrong type in
 * a known key is an error (42804), raised at once and naming the key, because
 * the caller's program is wrong; a value of the right type that cannot be used
 * is a Failure, because a person can have typed it.
 *
 * It must not connect, look anything up, or know who asks.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "model_internal.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

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

/* The name of a provider type by its place in the enum; NULL beyond its end. */
const char *
model_provider_name(int position)
{
	return position < lengthof(providers) ? providers[position].name : NULL;
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
bool
model_member(JsonbContainer *object, const char *key, JsonbValue *value)
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

	if (!model_member(object, key, &value))
		return NULL;
	if (value.type != jbvString)
		wrong_type(section, key, "a string");
	return value.val.string.len == 0 ? NULL : pnstrdup(value.val.string.val, value.val.string.len);
}

static char *
member_path(const char *section, const char *key)
{
	return psprintf("%s.%s", section, key);
}

static JsonbContainer *
get_object(JsonbContainer *object, const char *section, const char *key)
{
	JsonbValue value;

	if (!model_member(object, key, &value))
		return NULL;
	if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data))
		wrong_type(section, key, "an object");
	return value.val.binary.data;
}

char *
model_numeric_text(Numeric number)
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
			return model_numeric_text(value->val.numeric);
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
JsonbContainer *
model_root(Jsonb *model)
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
	target->shown_host = target->host;
	if (!secret_resolve(target, member_path(name, "host"), &target->host, failure))
		return false;
	if (*target->host == '\0')
		return missing(failure, name, "host");
	if (strlen(target->host) > 253)
		return invalid(failure, name, "host", "at most 253 characters long");
	for (const char *c = target->host; *c != '\0'; c++)
		if ((unsigned char) *c <= ' ' || *c == 0x7f || strchr(",/@=\\[]\"'", *c) != NULL)
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
	target->shown_port = psprintf("%d", default_port);
	if (!model_member(section, "port", &value))
		return true;
	if (value.type != jbvString && value.type != jbvNumeric)
		wrong_type(name, "port", "a string or a number");
	text = scalar_text(&value, name, "port");
	if (text == NULL)
		return true;
	target->shown_port = text;
	if (!secret_resolve(target, member_path(name, "port"), &text, failure))
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
	target->shown_user = target->user;
	if (!secret_resolve(target, member_path(name, "user"), &target->user, failure))
		return false;
	/* A reference can stand for nothing; libpq would take the operating system's user. */
	if (*target->user == '\0')
		return missing(failure, name, "user");
	target->database = get_string(section, name, "database");
	target->shown_database = target->database;
	if (target->database != NULL &&
		!secret_resolve(target, member_path(name, "database"), &target->database, failure))
		return false;
	if (target->database == NULL || *target->database == '\0')
	{
		target->database = pstrdup(default_database != NULL ? default_database : target->user);
		target->shown_database =
			pstrdup(default_database != NULL ? default_database : target->shown_user);
	}
	if (looks_like_conninfo(target->database))
		return invalid(failure, name, "database", "the name of a database");
	target->options = get_string(section, name, "options");
	return target->options == NULL ||
		   secret_resolve(target, member_path(name, "options"), &target->options, failure);
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
	/* A check in every build: Debian's PostgreSQL has no assertions. */
	if (target->nparameters >= MAX_TARGET_PARAMETERS)
		elog(ERROR, "too many connection parameters");
	target->parameters[target->nparameters].keyword = keyword;
	target->parameters[target->nparameters].value = value;
	target->nparameters++;
}

/* The parameter that a property sets; NULL when it may not be set. */
static const AllowedParameter *
allowed_property(const char *section, const char *key, Failure *failure)
{
	const AllowedParameter *parameter = policy_parameter(key);

	if (parameter == NULL)
		failure_set(failure, DQDS_INVALID_CONNECTION,
					psprintf("Properties that may be set: %s.", policy_parameter_names()),
					"the property \"%s\" is not allowed in \"%s.properties\"", key, section);
	return parameter;
}

static bool
apply_property(const char *section, const char *key, const AllowedParameter *parameter, char *value,
			   Target *target, Failure *failure)
{
	bool on = false;
	int number;

	if ((parameter->use == PARAMETER_BOOLEAN || parameter->use == PARAMETER_CLEARTEXT ||
		 parameter->use == PARAMETER_SSL) &&
		!read_boolean_property(section, key, value, &on, failure))
		return false;
	switch (parameter->use)
	{
		case PARAMETER_INTEGER:
			if (!parse_integer(value, 0, 999999999, &number))
				return invalid(failure, psprintf("%s.properties", section), key,
							   "a whole number that is not negative");
			add_parameter(target, parameter->keyword, value);
			break;
		case PARAMETER_LIBPQ:
			add_parameter(target, parameter->keyword, value);
			break;
		case PARAMETER_BOOLEAN:
			add_parameter(target, parameter->keyword, pstrdup(on ? "1" : "0"));
			break;
		case PARAMETER_CONNECT_TIMEOUT:
			if (!parse_integer(value, 1, 3600, &number))
				return invalid(failure, psprintf("%s.properties", section), key,
							   "a whole number of seconds from 1 to 3600");
			target->connect_timeout_ms = number * 1000;
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
		const AllowedParameter *parameter;
		char *path;
		char *value;

		if (token == WJB_KEY)
			key = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE || item.type == jbvNull)
			continue;
		(void) model_member(hidden, key, &item);
		value = scalar_text(&item, name, psprintf("properties.%s", key));
		if (value == NULL)
			continue;
		parameter = allowed_property(name, key, failure);
		if (parameter == NULL)
			return false;
		path = psprintf("%s.properties.%s", name, key);
		if (!secret_resolve(target, path, &value, failure) ||
			!apply_property(name, key, parameter, value, target, failure))
			return false;
	}
	return true;
}

/*
 * Without what references stand for.  Access tokens that are given for a password
 * have some thousand; SCRAM hashes all of it again and again.
 */
#define MAX_PASSWORD_BYTES 8000

static bool
read_password(JsonbContainer *root, JsonbContainer *section, const char *name,
			  JsonbContainer *secrets, Target *target, Failure *failure)
{
	JsonbValue value;

	target->password_required = true;
	if (model_member(root, "password_required", &value))
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
	if (target->password == NULL)
		return true;
	/* Before anything is looked up: how long a secret is must not show. */
	if (secret_literal_length(target->password) > MAX_PASSWORD_BYTES)
		return invalid(failure, name, "password",
					   psprintf("at most %d bytes long", MAX_PASSWORD_BYTES));
	if (!secret_resolve(target, member_path(name, "password"), &target->password, failure))
		return false;
	/* A reference can stand for nothing. */
	if (*target->password == '\0')
		target->password = NULL;
	else
		target->secret_values = lappend(target->secret_values, target->password);
	return true;
}

static bool
read_limit(JsonbContainer *root, Target *target, Failure *failure)
{
	JsonbValue value;

	target->parallel_limit = 0;
	if (!model_member(root, "parallel_jobs_limit", &value))
		return true;
	if (value.type != jbvNumeric)
		wrong_type("", "parallel_jobs_limit", "a number");
	if (!parse_integer(model_numeric_text(value.val.numeric), 1, 100000, &target->parallel_limit))
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
 * PostgreSQL closes a connection without a word when the startup packet has more
 * than 10,000 bytes (MAX_STARTUP_PACKET_LENGTH).  The rest of it has room in 500.
 */
#define MAX_STARTUP_VALUES 9500

static bool
fits_startup_packet(const Target *target, Failure *failure)
{
	size_t length = strlen(target->database) + strlen(target->user);

	if (target->options != NULL)
		length += strlen(target->options);
	for (int i = 0; i < target->nparameters; i++)
		if (strcmp(target->parameters[i].keyword, "application_name") == 0)
			length += strlen(target->parameters[i].value);
	if (length <= MAX_STARTUP_VALUES)
		return true;
	if (target->has_reference)
	{
		failure_set(failure, DQDS_INVALID_CONNECTION, "Shorten what the references stand for.",
					"database, user, options and application_name are longer, with what their "
					"references stand for, than the %d bytes that a PostgreSQL server takes",
					MAX_STARTUP_VALUES);
		return false;
	}
	failure_set(failure, DQDS_INVALID_CONNECTION, "Shorten the options of the connection.",
				"database, user, options and application_name have %zu bytes together; a "
				"PostgreSQL server takes %d at most",
				length, MAX_STARTUP_VALUES);
	return false;
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
	JsonbContainer *root = model_root(model);
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
	return read_section(root, provider, secrets == NULL ? NULL : &secrets->root, target, failure) &&
		   fits_startup_packet(target, failure);
}

/* How many operations at once a stored model permits; 0: any number. */
int
model_parallel_limit(Jsonb *model)
{
	Target target = {0};
	Failure ignored;

	return read_limit(model_root(model), &target, &ignored) ? target.parallel_limit : 0;
}

/* The model's own connection_name, palloc'd; NULL when it has none. */
char *
model_connection_name(Jsonb *model)
{
	return get_string(model_root(model), "", "connection_name");
}

/* Whether a password is demanded; default true. */
bool
model_password_required(Jsonb *model)
{
	JsonbValue value;

	if (!model_member(model_root(model), "password_required", &value))
		return true;
	if (value.type != jbvBool)
		wrong_type("", "password_required", "a boolean");
	return value.val.boolean;
}

/*
 * What members that are known must be, in the section of whichever provider: a
 * model is given back whole, to clients that are strict about all of it.
 */
static bool
check_section(JsonbContainer *root, int provider, Failure *failure)
{
	static const char *const strings[] = {"host", "database", "user", "password", "options"};
	const char *name = providers[provider].name;
	JsonbContainer *section = get_object(root, "", name);
	JsonbValue port;

	for (int i = 0; i < lengthof(strings); i++)
		(void) get_string(section, name, strings[i]);
	(void) get_object(section, name, "properties");
	if (model_member(section, "port", &port) && port.type != jbvString && port.type != jbvNumeric)
		wrong_type(name, "port", "a string or a number");
	/* Words alike mean others elsewhere: MySQL has an sslmode of its own. */
	return !providers[provider].works || check_enums(section, name, failure);
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
		if (!check_section(root, i, failure))
			return false;
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
