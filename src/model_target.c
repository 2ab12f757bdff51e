/*
 * model_target.c
 *		A validated Target from a connection model.
 *
 * Owns: what the members of a working provider's section may be, and which of
 * them refer to secrets.  It must not connect, or depend on who the caller is:
 * the SecretScope that it is given tells what may be resolved.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "model_internal.h"
#include "utils/builtins.h"

static char *
member_path(const char *section, const char *key)
{
	return psprintf("%s.%s", section, key);
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

/*
 * A host name or an address.  A list, a socket directory or an abstract socket
 * would make libpq connect to something else than what was checked.
 */
static bool
read_host(JsonbContainer *section, const char *name, Target *target, Failure *failure)
{
	target->host = model_string(section, name, "host");
	if (target->host == NULL)
		return model_missing(failure, name, "host");
	target->shown_host = target->host;
	if (!secret_resolve(target, member_path(name, "host"), &target->host, failure))
		return false;
	if (*target->host == '\0')
		return model_missing(failure, name, "host");
	if (strlen(target->host) > 253)
		return model_invalid(failure, name, "host", "at most 253 characters long");
	for (const char *c = target->host; *c != '\0'; c++)
		if ((unsigned char) *c <= ' ' || *c == 0x7f || strchr(",/@=\\[]\"'", *c) != NULL)
			return model_invalid(failure, name, "host", "one host name or address");
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
		model_wrong_type(name, "port", "a string or a number");
	text = model_scalar(&value, name, "port");
	if (text == NULL)
		return true;
	target->shown_port = text;
	if (!secret_resolve(target, member_path(name, "port"), &text, failure))
		return false;
	if (!parse_integer(text, 1, 65535, &target->port))
		return model_invalid(failure, name, "port", "a whole number from 1 to 65535");
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
	target->user = model_string(section, name, "user");
	if (target->user == NULL)
		return model_missing(failure, name, "user");
	target->shown_user = target->user;
	if (!secret_resolve(target, member_path(name, "user"), &target->user, failure))
		return false;
	/* A reference can stand for nothing; libpq would take the operating system's user. */
	if (*target->user == '\0')
		return model_missing(failure, name, "user");
	target->database = model_string(section, name, "database");
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
		return model_invalid(failure, name, "database", "the name of a database");
	target->options = model_string(section, name, "options");
	return target->options == NULL ||
		   secret_resolve(target, member_path(name, "options"), &target->options, failure);
}

static bool
read_boolean_property(const char *name, const char *key, const char *text, bool *result,
					  Failure *failure)
{
	if (parse_bool(text, result))
		return true;
	return model_invalid(failure, psprintf("%s.properties", name), key, "true or false");
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
				return model_invalid(failure, psprintf("%s.properties", section), key,
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
				return model_invalid(failure, psprintf("%s.properties", section), key,
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
	JsonbContainer *properties = model_object(section, name, "properties");
	JsonbContainer *hidden = secrets == NULL ? NULL : model_object(secrets, name, "properties");
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
		value = model_scalar(&item, name, psprintf("properties.%s", key));
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
read_password(JsonbContainer *section, const char *name, JsonbContainer *secrets, Target *target,
			  Failure *failure)
{
	target->password = model_string(section, name, "password");
	if (target->password != NULL && secrets != NULL)
		target->password = model_string(secrets, name, "password");
	/* A mask with nothing behind it: the secrets were left out of a dump. */
	if (target->password != NULL && strcmp(target->password, DQDS_MASK) == 0)
		target->password = NULL;
	if (target->password == NULL)
		return true;
	/* Before anything is looked up: how long a secret is must not show. */
	if (secret_literal_length(target->password) > MAX_PASSWORD_BYTES)
		return model_invalid(failure, name, "password",
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
		model_wrong_type("", "parallel_jobs_limit", "a number");
	if (!parse_integer(model_numeric_text(value.val.numeric), 1, 100000, &target->parallel_limit))
		return model_invalid(failure, "", "parallel_jobs_limit", "a whole number from 1 to 100000");
	return true;
}

static char *
working_providers(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; model_provider(i) != NULL; i++)
		if (model_provider(i)->works)
			appendStringInfo(&names, "%s%s", names.len == 0 ? "" : ", ", model_provider_name(i));
	return names.data;
}

static bool
read_section(JsonbContainer *root, const ModelProvider *provider, JsonbContainer *secrets,
			 Target *target, Failure *failure)
{
	const char *name = provider->name;
	JsonbContainer *section = model_object(root, "", name);
	char *mode;

	if (section == NULL)
		return model_missing(failure, "", name);
	if (secrets != NULL)
		secrets = model_object(secrets, "", name);
	if (!model_check_enums(section, name, failure) || !read_host(section, name, target, failure) ||
		!read_port(section, name, provider->default_port, target, failure) ||
		!read_login(section, name, provider->default_database, target, failure))
		return false;

	mode = model_string(section, name, "redshift_authentication_mode");
	if (mode != NULL && strcmp(mode, "user_password") != 0)
		return model_invalid(failure, name, "redshift_authentication_mode",
							 "user_password, the only mode that works here");
	target->sslmode = model_string(section, name, "sslmode");
	if (!read_properties(section, name, secrets, target, failure) ||
		!read_password(section, name, secrets, target, failure))
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
	const ModelProvider *provider;
	int position;

	memset(target, 0, sizeof(*target));
	target->scope = scope;
	target->connect_timeout_ms = dqds_connect_timeout_ms;
	target->connection_name = model_connection_name(model);
	if (!model_find_provider(root, &position, failure) || !read_limit(root, target, failure))
		return false;
	provider = model_provider(position);
	if (!provider->works)
	{
		failure_set(failure, DQDS_UNSUPPORTED_PROVIDER,
					psprintf("Providers that work: %s.", working_providers()),
					"connections of provider type \"%s\" are not supported", provider->name);
		return false;
	}
	target->provider = provider->provider;
	target->password_required = model_password_required(model);
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
