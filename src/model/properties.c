/*
 * properties.c
 *		The parameters that a model's properties may set, by provider, and their values.
 *
 * Owns: the allow-list, and what each value must be. libpq reports only some
 * wrong values, and takes others as "off", so it must never get one that it
 * does not know.  This file must not know whether a value comes from a model or
 * from a foreign server.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "model/model_internal.h"
#include "model/properties.h"
#include "model/provider.h"
#include "model/target.h"

static const char *const bindings[] = {"disable", "prefer", "require", NULL};
static const char *const encryptions[] = {"disable", "prefer", NULL};
static const char *const attributes[] = {"any",     "read-write",     "read-only", "primary",
										 "standby", "prefer-standby", NULL};
static const char *const tls_versions[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", NULL};

/*
 * libpq has more parameters; those that read files, change the target, or start
 * another protocol are left out.  The last ones are names that users know from
 * JDBC.
 */
static const Property properties[] = {
	{"application_name", LIBPQ_PROVIDERS, "application_name", PROPERTY_TEXT},
	{"connect_timeout", LIBPQ_PROVIDERS, NULL, PROPERTY_CONNECT_TIMEOUT},
	{"channel_binding", LIBPQ_PROVIDERS, "channel_binding", PROPERTY_WORD, bindings,
	 .protects = true},
	{"gssencmode", LIBPQ_PROVIDERS, "gssencmode", PROPERTY_WORD, encryptions,
	 "Kerberos is not supported"},
	{"keepalives", LIBPQ_PROVIDERS, "keepalives", PROPERTY_BOOLEAN},
	{"keepalives_idle", LIBPQ_PROVIDERS, "keepalives_idle", PROPERTY_INTEGER},
	{"keepalives_interval", LIBPQ_PROVIDERS, "keepalives_interval", PROPERTY_INTEGER},
	{"keepalives_count", LIBPQ_PROVIDERS, "keepalives_count", PROPERTY_INTEGER},
	{"tcp_user_timeout", LIBPQ_PROVIDERS, "tcp_user_timeout", PROPERTY_INTEGER},
	{"ssl_min_protocol_version", LIBPQ_PROVIDERS, "ssl_min_protocol_version", PROPERTY_WORD,
	 tls_versions, .protects = true},
	{"ssl_max_protocol_version", LIBPQ_PROVIDERS, "ssl_max_protocol_version", PROPERTY_WORD,
	 tls_versions, .protects = true},
	{"sslsni", LIBPQ_PROVIDERS, "sslsni", PROPERTY_BOOLEAN, .protects = true},
	{"target_session_attrs", LIBPQ_PROVIDERS, "target_session_attrs", PROPERTY_WORD, attributes},
	{"allow_cleartext_password", LIBPQ_PROVIDERS, NULL, PROPERTY_CLEARTEXT},
	{"ApplicationName", LIBPQ_PROVIDERS, "application_name", PROPERTY_TEXT},
	{"connectTimeout", LIBPQ_PROVIDERS, NULL, PROPERTY_CONNECT_TIMEOUT},
	{"loginTimeout", LIBPQ_PROVIDERS, NULL, PROPERTY_CONNECT_TIMEOUT},
	{"tcpKeepAlive", LIBPQ_PROVIDERS, "keepalives", PROPERTY_BOOLEAN},
	{"ssl", LIBPQ_PROVIDERS, NULL, PROPERTY_SSL, .protects = true},
};

/* The property at a position of the list, counted from 0; NULL beyond its end. */
const Property *
property_at(int position)
{
	return position < lengthof(properties) ? &properties[position] : NULL;
}

/* The property of a provider with exactly this name; NULL if it is not allowed. */
const Property *
property_find(Provider provider, const char *name)
{
	for (int i = 0; i < lengthof(properties); i++)
		if (provider_is_in(provider, properties[i].providers) &&
			strcmp(properties[i].name, name) == 0)
			return &properties[i];
	return NULL;
}

/* The names of all properties of the provider, for a message; palloc'd. */
char *
property_names(Provider provider)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(properties); i++)
		if (provider_is_in(provider, properties[i].providers))
			appendStringInfo(&names, "%s%s", names.len == 0 ? "" : ", ", properties[i].name);
	return names.data;
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
	/* Not an assertion: Debian's PostgreSQL is built without them. */
	if (target->nparameters >= MAX_TARGET_PARAMETERS)
		elog(ERROR, "too many connection parameters");
	target->parameters[target->nparameters].keyword = keyword;
	target->parameters[target->nparameters].value = value;
	target->nparameters++;
}

/*
 * The word of the property that a value is, in any case, in libpq's spelling;
 * NULL if there is none.
 */
static const char *
find_word(const Property *property, const char *value)
{
	for (const char *const *word = property->words; *word != NULL; word++)
		if (pg_strcasecmp(*word, value) == 0)
			return *word;
	return NULL;
}

/* What a value must be if it is none of the property's words, continuing "It must be". */
static const char *
wanted_words(const Property *property)
{
	const char *words = one_of_words(property->words);

	return property->reason == NULL ? words : psprintf("%s; %s", words, property->reason);
}

static bool
apply_number(const Property *property, char *value, Target *target, const char **wanted)
{
	int number;

	if (property->use == PROPERTY_CONNECT_TIMEOUT)
	{
		*wanted = "a whole number of seconds from 1 to 3600";
		if (!model_integer(value, 1, 3600, &number))
			return false;
		target->connect_timeout_ms = number * 1000;
		return true;
	}
	*wanted = "a whole number that is not negative";
	if (!model_integer(value, 0, 999999999, &number))
		return false;
	add_parameter(target, property->keyword, value);
	return true;
}

static bool
apply_switch(const Property *property, const char *value, Target *target, const char **wanted)
{
	bool on;

	*wanted = "true or false";
	if (!parse_bool(value, &on))
		return false;
	if (property->use == PROPERTY_CLEARTEXT)
		target->allow_cleartext = on;
	else if (property->use == PROPERTY_BOOLEAN)
		add_parameter(target, property->keyword, pstrdup(on ? "1" : "0"));
	/* In JDBC ssl=true is the strictest mode; here it is a minimum. */
	else if (on && target->sslmode == NULL)
		target->sslmode = pstrdup("require");
	return true;
}

static bool
apply_word(const Property *property, const char *value, Target *target, const char **wanted)
{
	const char *word = find_word(property, value);

	if (word == NULL)
	{
		*wanted = wanted_words(property);
		return false;
	}
	add_parameter(target, property->keyword, unconstify(char *, word));
	return true;
}

/*
 * Set a property of the target; the pointer value is kept.  Returns false if
 * the value cannot be used; then *wanted says what it must be, in words that
 * continue "It must be".
 */
bool
property_apply(const Property *property, char *value, Target *target, const char **wanted)
{
	switch (property->use)
	{
		case PROPERTY_TEXT:
			add_parameter(target, property->keyword, value);
			return true;
		case PROPERTY_INTEGER:
		case PROPERTY_CONNECT_TIMEOUT:
			return apply_number(property, value, target, wanted);
		case PROPERTY_BOOLEAN:
		case PROPERTY_CLEARTEXT:
		case PROPERTY_SSL:
			return apply_switch(property, value, target, wanted);
		case PROPERTY_WORD:
			return apply_word(property, value, target, wanted);
	}
	return false;
}
