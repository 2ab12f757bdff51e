/*
 * model_target.c
 *		Makes a validated Target of a connection model.
 *
 * Owns: which members of a supported provider's section make up a target, and
 * which of them may refer to secrets.  It must not connect, or find out who the
 * caller is: the SecretScope says what may be resolved, and whose user mapping
 * of a foreign server is used (foreign_server.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "base/failure.h"
#include "base/settings.h"
#include "model/model.h"
#include "model/model_internal.h"
#include "model/properties.h"
#include "model/provider.h"
#include "model/secret.h"
#include "model/target.h"

static char *
member_path(const char *section, const char *key)
{
	return psprintf("%s.%s", section, key);
}

static bool
read_host(JsonbContainer *section, const char *name, Target *target, Failure *failure)
{
	char *written = model_string(section, name, "host");
	const char *fault;

	if (written == NULL)
		return model_missing_key(section, target->provider, "host", failure);
	target->host = written;
	target->shown_host = secret_shown(written);
	if (!secret_resolve(target, member_path(name, "host"), &target->host, failure))
		return false;
	if (*target->host == '\0')
		return model_missing(failure, name, "host");
	target->host = host_without_brackets(target->host);
	fault = host_fault(target->host);
	if (fault == NULL)
		return true;
	/* Say nothing about the value of a reference. */
	return model_invalid(failure, name, "host",
						 secret_has_reference(written) ? HOST_WANTED : fault);
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
	target->shown_port = secret_shown(text);
	if (!secret_resolve(target, member_path(name, "port"), &text, failure))
		return false;
	if (!model_integer(text, 1, 65535, &target->port))
		return model_invalid(failure, name, "port", "a whole number from 1 to 65535");
	return true;
}

static bool
read_login(JsonbContainer *section, const char *name, const char *default_database, Target *target,
		   Failure *failure)
{
	target->user = model_string(section, name, "user");
	if (target->user == NULL)
		return model_missing_key(section, target->provider, "user", failure);
	target->shown_user = secret_shown(target->user);
	if (!secret_resolve(target, member_path(name, "user"), &target->user, failure))
		return false;
	/* A reference can have an empty value; libpq would then use the operating system's user. */
	if (*target->user == '\0')
		return model_missing(failure, name, "user");
	target->database = model_string(section, name, "database");
	target->shown_database = target->database == NULL ? NULL : secret_shown(target->database);
	if (target->database != NULL &&
		!secret_resolve(target, member_path(name, "database"), &target->database, failure))
		return false;
	if (target->database != NULL && *target->database == '\0')
		target->database = NULL;
	if (target->database == NULL && provider_rules(target->provider)->any_database)
		target->shown_database = pstrdup("");
	else if (target->database == NULL)
	{
		target->database = pstrdup(default_database != NULL ? default_database : target->user);
		target->shown_database =
			pstrdup(default_database != NULL ? default_database : target->shown_user);
	}
	if (target->database != NULL && database_is_conninfo(target->database))
		return model_invalid(failure, name, "database",
							 "the name of a database, without other connection parameters");
	target->options = model_string(section, name, "options");
	return target->options == NULL ||
		   secret_resolve(target, member_path(name, "options"), &target->options, failure);
}

/* The property with this name; NULL, and *failure is set, if it may not be set. */
static const Property *
allowed_property(Provider provider, const char *section, const char *key, Failure *failure)
{
	const Property *property = property_find(provider, key);

	if (property == NULL)
		failure_set(failure, DQDS_INVALID_CONNECTION,
					psprintf("Properties that may be set: %s.", property_names(provider)),
					"the property \"%s\" is not allowed in \"%s.properties\"", key, section);
	return property;
}

/* Set one property, after resolving the references in its value. */
static bool
read_property(const char *section, const char *key, char *value, Target *target, Failure *failure)
{
	const Property *property = allowed_property(target->provider, section, key, failure);
	bool unresolved = target->scope == NULL && secret_has_reference(value);
	const char *wanted;

	if (property == NULL ||
		!secret_resolve(target, psprintf("%s.properties.%s", section, key), &value, failure))
		return false;
	if (unresolved || property_apply(property, value, target, &wanted))
		return true;
	return model_invalid(failure, psprintf("%s.properties", section), key, wanted);
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
		char *value;

		if (token == WJB_KEY)
			key = pnstrdup(item.val.string.val, item.val.string.len);
		if (token != WJB_VALUE || item.type == jbvNull)
			continue;
		(void) model_member(hidden, key, &item);
		value = model_scalar(&item, name, psprintf("properties.%s", key));
		if (value != NULL && !read_property(name, key, value, target, failure))
			return false;
	}
	return true;
}

static bool
read_password(JsonbContainer *section, const char *name, JsonbContainer *secrets, Target *target,
			  Failure *failure)
{
	target->password = model_string(section, name, "password");
	if (target->password != NULL && secrets != NULL)
		target->password = model_string(secrets, name, "password");
	/* A mask without a stored secret: the secrets were left out of a dump. */
	if (target->password != NULL && strcmp(target->password, DQDS_MASK) == 0)
		target->password = NULL;
	if (target->password == NULL)
		return true;
	/*
	 * This is checked before references are resolved, so that it does not
	 * reveal the length of a secret.
	 */
	if (secret_literal_length(target->password) > MAX_PASSWORD_BYTES)
		return model_invalid(failure, name, "password",
							 psprintf("at most %d bytes long", MAX_PASSWORD_BYTES));
	if (!secret_resolve(target, member_path(name, "password"), &target->password, failure))
		return false;
	/* A reference can have an empty value. */
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
	if (!model_integer(model_numeric_text(value.val.numeric), 0, 100000, &target->parallel_limit))
		return model_invalid(failure, "", "parallel_jobs_limit",
							 "a whole number from 0, which means no limit, to 100000");
	return true;
}

static bool
read_section(JsonbContainer *root, JsonbContainer *secrets, Target *target, Failure *failure)
{
	Provider provider = target->provider;
	const ProviderRules *rules = provider_rules(provider);
	const char *name = rules->name;
	JsonbContainer *section = model_object(root, "", name);
	char *mode;

	if (section == NULL)
		return model_missing_at_top(root, name, &provider, failure);
	if (secrets != NULL)
		secrets = model_object(secrets, "", name);
	if (!model_check_top(root, provider, failure) ||
		!model_check_keys(section, provider, failure) ||
		!model_check_enums(section, provider, failure))
		return false;
	if (provider == PROVIDER_POSTGRESQL && model_has_value(section, FOREIGN_SERVER))
	{
		target->port = rules->default_port;
		return model_read_foreign_server(section, name, target, failure);
	}
	if (!read_host(section, name, target, failure) ||
		!read_port(section, name, rules->default_port, target, failure) ||
		!read_login(section, name, rules->default_database, target, failure))
		return false;

	mode = model_string(section, name, "redshift_authentication_mode");
	if (mode != NULL && strcmp(mode, "user_password") != 0)
		return model_invalid(failure, name, "redshift_authentication_mode",
							 "user_password, the only supported mode");
	target->sslmode = model_string(section, name, "sslmode");
	if (!read_properties(section, name, secrets, target, failure) ||
		!read_password(section, name, secrets, target, failure))
		return false;
	if (target->sslmode == NULL && rules->default_sslmode != NULL)
		target->sslmode = pstrdup(rules->default_sslmode);
	return true;
}

/*
 * PostgreSQL closes a connection without a message if the startup packet has
 * more than 10,000 bytes (MAX_STARTUP_PACKET_LENGTH).  The rest of it fits into
 * 500.  Other protocols have no startup packet.
 */
#define MAX_STARTUP_VALUES 9500

static bool
fits_startup_packet(const Target *target, Failure *failure)
{
	size_t length;

	if (!provider_is_in(target->provider, LIBPQ_PROVIDERS))
		return true;
	length = strlen(target->database) + strlen(target->user);

	if (target->options != NULL)
		length += strlen(target->options);
	for (int i = 0; i < target->nparameters; i++)
		if (strcmp(target->parameters[i].keyword, "application_name") == 0)
			length += strlen(target->parameters[i].value);
	if (length <= MAX_STARTUP_VALUES || !provider_is_in(target->provider, LIBPQ_PROVIDERS))
		return true;
	if (target->has_reference)
	{
		failure_set(failure, DQDS_INVALID_CONNECTION, "Shorten the values of the references.",
					"database, user, options and application_name, with their references expanded, "
					"are longer than the %d bytes that a PostgreSQL server accepts",
					MAX_STARTUP_VALUES);
		return false;
	}
	failure_set(failure, DQDS_INVALID_CONNECTION, "Shorten the options of the connection.",
				"database, user, options and application_name together have %zu bytes; a "
				"PostgreSQL server accepts at most %d",
				length, MAX_STARTUP_VALUES);
	return false;
}

/*
 * Read a model into *target, in the current memory context. secrets is NULL if
 * they are still in the model.  References to secrets are resolved as scope
 * permits; if it is NULL, they are assumed to be valid. connection_id is left
 * 0.  Returns false if the model cannot be used, and *failure says why.
 * Errors: 42804 for a value of the wrong JSON type.
 */
bool
model_to_target(Jsonb *model, Jsonb *secrets, const SecretScope *scope, Target *target,
				Failure *failure)
{
	JsonbContainer *root = model_root(model);

	memset(target, 0, sizeof(*target));
	target->scope = scope;
	target->connect_timeout_ms = dqds_connect_timeout_ms;
	target->connection_name = model_connection_name(model);
	if (!model_find_provider(root, &target->provider, failure) ||
		!read_limit(root, target, failure))
		return false;
	if (!provider_rules(target->provider)->works)
		return model_unsupported(target->provider, failure);
	target->password_required = model_password_required(model);
	return read_section(root, secrets == NULL ? NULL : &secrets->root, target, failure) &&
		   fits_startup_packet(target, failure);
}

/* How many operations a stored model permits at once; 0 means any number. */
int
model_parallel_limit(Jsonb *model)
{
	Target target = {0};
	Failure ignored;

	return read_limit(model_root(model), &target, &ignored) ? target.parallel_limit : 0;
}

/*
 * Get the model's provider; returns false if its provider_type is not valid,
 * and *failure says why.
 */
bool
model_find_provider(JsonbContainer *root, Provider *provider, Failure *failure)
{
	char *name = model_string(root, "", "provider_type");

	if (name == NULL)
		return model_missing_at_top(root, "provider_type", NULL, failure);
	return provider_find(name, strlen(name), provider) ||
		   model_invalid(failure, "", "provider_type",
						 "one of the published provider types, such as postgresql");
}
