/*
 * model_target.c
 *		Makes a validated Target of a connection model.
 *
 * Owns: the order in which the parts of a model are read, its properties, and what they say
 * about TLS.  The keys of the section are read by model_login.c, or by foreign_server.c.  It
 * must not connect, or find out who the caller is: the SecretScope says what may be resolved.
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
#include "model/section_keys.h"
#include "model/target.h"

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
	bool is_secret = property != NULL && property->use == PROPERTY_SECRET;
	const char *wanted;

	if (property == NULL)
		return false;
	/* A mask without a stored secret: the secrets were left out of a dump. */
	if (is_secret && strcmp(value, DQDS_MASK) == 0)
		return true;
	if (is_secret && secret_literal_length(value) > MAX_PASSWORD_BYTES)
		return model_invalid(failure, psprintf("%s.properties", section), key,
							 psprintf("at most %d bytes long", MAX_PASSWORD_BYTES));
	if (!secret_resolve(target, psprintf("%s.properties.%s", section, key), &value, failure))
		return false;
	if (is_secret && *value != '\0')
		target->secret_values = lappend(target->secret_values, value);
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

/*
 * The sslmode of a model whose section has none: what its properties and other keys say, or
 * the provider's default; NULL if the provider has none.  Whether TLS is used comes before
 * how certificates are verified.
 */
static char *
implied_sslmode(JsonbContainer *section, const char *name, const Target *target)
{
	const SectionKey *no_tls = section_key_used(target->provider, AS_NO_TLS);
	TlsChoice choice = target->tls_check != TLS_IS_UNSAID ? target->tls_check : target->tls_use;
	const char *mode;

	if (target->tls_use == TLS_IS_OFF ||
		(no_tls != NULL && model_boolean(section, name, no_tls->key)))
		choice = TLS_IS_OFF;
	mode = choice != TLS_IS_UNSAID ? provider_sslmode(target->provider, choice)
								   : provider_default_sslmode(target->provider, target->port);
	return mode == NULL ? NULL : pstrdup(mode);
}

static bool
read_section(JsonbContainer *root, JsonbContainer *secrets, Target *target, Failure *failure)
{
	Provider provider = target->provider;
	const char *name = provider_name(provider);
	JsonbContainer *section = model_object(root, "", name);

	if (section == NULL)
		return model_missing_at_top(root, name, &provider, failure);
	if (secrets != NULL)
		secrets = model_object(secrets, "", name);
	if (!model_check_top(root, provider, failure) ||
		!model_check_keys(section, provider, failure) ||
		!model_check_enums(section, provider, failure) ||
		!model_check_refused(section, provider, failure))
		return false;
	if (provider == PROVIDER_POSTGRESQL && model_has_value(section, FOREIGN_SERVER))
	{
		target->port = provider_rules(provider)->default_port;
		return model_read_foreign_server(section, name, target, failure);
	}
	target->sslmode =
		section_key_used(provider, AS_SSLMODE) ? model_string(section, name, "sslmode") : NULL;
	if (!model_read_login(section, secrets, target, failure) ||
		!read_properties(section, name, secrets, target, failure))
		return false;
	if (target->sslmode == NULL)
		target->sslmode = implied_sslmode(section, name, target);
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
	/* A provider without secrets can prove none. */
	target->password_required =
		section_key_used(target->provider, AS_SECRET) != NULL && model_password_required(model);
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
