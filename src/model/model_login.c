/*
 * model_login.c
 *		Reads the keys of a section that say where to log in, as which user, and with which secret.
 *
 * Owns: how the value of each key becomes a part of a target, and how a host is derived.
 * Which keys there are is the table of section_keys.c.  It must not know properties.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "base/failure.h"
#include "model/model_internal.h"
#include "model/properties.h"
#include "model/provider.h"
#include "model/secret.h"
#include "model/section_keys.h"
#include "model/target.h"

static char *
member_path(const Target *target, const char *key)
{
	return psprintf("%s.%s", provider_name(target->provider), key);
}

/* ---- the host ---------------------------------------------------------------------------- */

#define ACCOUNT_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* What is wrong with an account, in words that continue "It must be"; NULL if it is valid. */
static const char *
account_fault(const char *account, const char *suffix)
{
	size_t length = strlen(account);

	if (length >= strlen(suffix) && pg_strcasecmp(account + length - strlen(suffix), suffix) == 0)
		return psprintf("the account alone, without %s", suffix);
	if (strspn(account, ACCOUNT_LETTERS) != length || !isalnum((unsigned char) account[0]) ||
		!isalnum((unsigned char) account[length - 1]))
		return "letters, digits, dots, underscores and hyphens, as in organization-account";
	return host_fault(psprintf("%s%s", account, suffix));
}

/* Make the host of the value of its key; false: *failure says what is wrong with it. */
static bool
take_host(const SectionKey *key, const char *written, Target *target, Failure *failure)
{
	const char *suffix = provider_rules(target->provider)->host_suffix;
	const char *fault;

	if (suffix == NULL)
	{
		target->host = host_without_brackets(target->host);
		fault = host_fault(target->host);
	}
	else
	{
		fault = account_fault(target->host, suffix);
		target->host = psprintf("%s%s", target->host, suffix);
		target->shown_host = psprintf("%s%s", target->shown_host, suffix);
	}
	if (fault == NULL)
		return true;
	/* Say nothing about the value of a reference. */
	if (secret_has_reference(written))
		fault = suffix == NULL ? HOST_WANTED : "the name of an account";
	return model_invalid(failure, provider_name(target->provider), key->key, fault);
}

static bool
read_host(JsonbContainer *section, Target *target, Failure *failure)
{
	const char *name = provider_name(target->provider);
	const ProviderRules *rules = provider_rules(target->provider);
	const SectionKey *key = section_key_used(target->provider, AS_HOST);
	char *written;

	if (key == NULL)
	{
		target->host = target->shown_host = pstrdup(rules->host);
		return true;
	}
	written = model_string(section, name, key->key);
	if (written == NULL)
		return model_missing_key(section, target->provider, key->key, failure);
	target->host = written;
	target->shown_host = secret_shown(written);
	if (!secret_resolve(target, member_path(target, key->key), &target->host, failure))
		return false;
	if (*target->host == '\0')
		return model_missing(failure, name, key->key);
	return take_host(key, written, target, failure);
}

static bool
read_port(JsonbContainer *section, Target *target, Failure *failure)
{
	const char *name = provider_name(target->provider);
	const SectionKey *key = section_key_used(target->provider, AS_PORT);
	char *text;

	target->port = provider_rules(target->provider)->default_port;
	target->shown_port = psprintf("%d", target->port);
	text = key == NULL ? NULL : model_string_or_number(section, name, key->key);
	if (text == NULL)
		return true;
	target->shown_port = secret_shown(text);
	if (!secret_resolve(target, member_path(target, key->key), &text, failure))
		return false;
	if (!model_integer(text, 1, 65535, &target->port))
		return model_invalid(failure, name, key->key, "a whole number from 1 to 65535");
	return true;
}

/* ---- the login --------------------------------------------------------------------------- */

/*
 * Read a member that is text into *value, and as it may be shown into *shown, which may be
 * NULL; both are NULL if the member is missing or empty.  A reference can have an empty value.
 * False, and *failure is set: it is needed, or a reference cannot be resolved.
 */
static bool
read_text(JsonbContainer *section, const SectionKey *key, Target *target, char **value,
		  char **shown, Failure *failure)
{
	const char *name = provider_name(target->provider);
	bool is_needed = provider_is_in(target->provider, key->needed);

	*value = key->type == OF_STRING ? model_string(section, name, key->key)
									: model_string_or_number(section, name, key->key);
	if (*value == NULL)
		return !is_needed || model_missing_key(section, target->provider, key->key, failure);
	if (shown != NULL)
		*shown = secret_shown(*value);
	if (!secret_resolve(target, member_path(target, key->key), value, failure))
		return false;
	if (**value != '\0')
		return true;
	*value = NULL;
	return !is_needed || model_missing(failure, name, key->key);
}

/* libpq would use the operating system's user if there were none. */
static bool
read_user(JsonbContainer *section, Target *target, Failure *failure)
{
	const SectionKey *key = section_key_used(target->provider, AS_USER);

	target->shown_user = pstrdup("");
	return key == NULL ||
		   read_text(section, key, target, &target->user, &target->shown_user, failure);
}

/* Without a database, libpq's providers have a default, and others show all that they have. */
static void
use_default_database(Target *target)
{
	const char *database = provider_rules(target->provider)->default_database;

	target->shown_database = pstrdup("");
	if (database == NULL && !provider_is_in(target->provider, LIBPQ_PROVIDERS))
		return;
	target->database = pstrdup(database != NULL ? database : target->user);
	target->shown_database = pstrdup(database != NULL ? database : target->shown_user);
}

static bool
read_database(JsonbContainer *section, Target *target, Failure *failure)
{
	const SectionKey *key = section_key_used(target->provider, AS_DATABASE);

	if (key != NULL &&
		!read_text(section, key, target, &target->database, &target->shown_database, failure))
		return false;
	if (target->database == NULL)
		use_default_database(target);
	else if (database_is_conninfo(target->database))
		return model_invalid(failure, provider_name(target->provider), key->key,
							 "the name of a database, without other connection parameters");
	return true;
}

static bool
read_options(JsonbContainer *section, Target *target, Failure *failure)
{
	const SectionKey *key = section_key_used(target->provider, AS_OPTIONS);

	return key == NULL || read_text(section, key, target, &target->options, NULL, failure);
}

/* The secret under this key, with its references; NULL if there is none. */
static char *
written_secret(JsonbContainer *section, JsonbContainer *secrets, const char *name, const char *key)
{
	char *secret = model_string(section, name, key);

	if (secret != NULL && secrets != NULL)
		secret = model_string(secrets, name, key);
	/* A mask without a stored secret: the secrets were left out of a dump. */
	return secret != NULL && strcmp(secret, DQDS_MASK) == 0 ? NULL : secret;
}

static bool
take_secret(const SectionKey *key, char *secret, Target *target, Failure *failure)
{
	/*
	 * This is checked before references are resolved, so that it does not
	 * reveal the length of a secret.
	 */
	if (secret_literal_length(secret) > MAX_PASSWORD_BYTES)
		return model_invalid(failure, provider_name(target->provider), key->key,
							 psprintf("at most %d bytes long", MAX_PASSWORD_BYTES));
	if (!secret_resolve(target, member_path(target, key->key), &secret, failure))
		return false;
	/* A reference can have an empty value. */
	if (*secret == '\0')
		return true;
	target->password = secret;
	target->secret_values = lappend(target->secret_values, secret);
	return true;
}

/* The first of the provider's secrets that has a value counts. */
static bool
read_secret(JsonbContainer *section, JsonbContainer *secrets, Target *target, Failure *failure)
{
	const char *name = provider_name(target->provider);
	const SectionKey *key;

	for (int i = 0; (key = section_key_at(i)) != NULL; i++)
	{
		char *secret;

		if (key->use != AS_SECRET || !provider_is_in(target->provider, key->providers))
			continue;
		secret = written_secret(section, secrets, name, key->key);
		if (secret != NULL)
			return take_secret(key, secret, target, failure);
	}
	return true;
}

/* ---- parameters --------------------------------------------------------------------------- */

/* An object as a parameter: its JSON text.  Each member must be a string; false: *failure is set. */
static bool
read_object(JsonbContainer *section, const SectionKey *key, Target *target, Failure *failure)
{
	const char *name = provider_name(target->provider);
	JsonbContainer *object = model_object(section, name, key->key);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue item;

	if (object == NULL || JsonContainerSize(object) == 0)
		return !provider_is_in(target->provider, key->needed) ||
			   model_missing_key(section, target->provider, key->key, failure);
	iterator = JsonbIteratorInit(object);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
		if (token == WJB_VALUE && (item.type != jbvString || item.val.string.len == 0))
			return model_invalid(failure, name, key->key,
								 "an object whose members are strings that are not empty");
	target_add_parameter(target, key->key, JsonbToCString(NULL, object, -1));
	return true;
}

static bool
read_parameter(JsonbContainer *section, const SectionKey *key, Target *target, Failure *failure)
{
	char *value;

	if (key->type == OF_OBJECT)
		return read_object(section, key, target, failure);
	if (!read_text(section, key, target, &value, NULL, failure))
		return false;
	if (value != NULL)
		target_add_parameter(target, key->key, value);
	return true;
}

static bool
read_parameters(JsonbContainer *section, Target *target, Failure *failure)
{
	const SectionKey *key;

	for (int i = 0; (key = section_key_at(i)) != NULL; i++)
		if (key->use == AS_PARAMETER && provider_is_in(target->provider, key->providers) &&
			!read_parameter(section, key, target, failure))
			return false;
	return true;
}

/*
 * Read the keys of the target's provider, except sslmode and properties.  secrets is NULL if
 * they are still in the section.  References are resolved as target->scope permits.  False:
 * *failure is DQDS_INVALID_CONNECTION or DQDS_UNRESOLVED_SECRET.  Errors: 42804.
 */
bool
model_read_login(JsonbContainer *section, JsonbContainer *secrets, Target *target, Failure *failure)
{
	return read_host(section, target, failure) && read_port(section, target, failure) &&
		   read_user(section, target, failure) && read_database(section, target, failure) &&
		   read_options(section, target, failure) && read_parameters(section, target, failure) &&
		   read_secret(section, secrets, target, failure);
}
