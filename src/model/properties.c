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
 * The words of JDBC drivers about TLS.  A word that demands TLS without saying what is verified
 * stands for the strictest way, except that MySQL's driver verifies only what it is told to.
 */
static const TlsWord verified_or_off[] = {{"true", TLS_IS_BY_NAME}, {"false", TLS_IS_OFF}, {NULL}};
static const TlsWord unverified_or_off[] = {
	{"true", TLS_IS_UNVERIFIED}, {"false", TLS_IS_OFF}, {NULL}};
static const TlsWord at_least_unverified[] = {
	{"true", TLS_IS_UNVERIFIED}, {"false", TLS_IS_UNSAID}, {NULL}};
static const TlsWord trusts_or_verifies[] = {
	{"true", TLS_IS_UNVERIFIED}, {"false", TLS_IS_BY_NAME}, {NULL}};
static const TlsWord verifies_or_trusts[] = {
	{"true", TLS_IS_BY_NAME}, {"false", TLS_IS_UNVERIFIED}, {NULL}};
static const TlsWord verifies_authority[] = {
	{"true", TLS_IS_BY_AUTHORITY}, {"false", TLS_IS_UNSAID}, {NULL}};
static const TlsWord mysql_modes[] = {{"DISABLED", TLS_IS_OFF},
									  {"PREFERRED", TLS_IS_PREFERRED},
									  {"REQUIRED", TLS_IS_UNVERIFIED},
									  {"VERIFY_CA", TLS_IS_BY_AUTHORITY},
									  {"VERIFY_IDENTITY", TLS_IS_BY_NAME},
									  {NULL}};
static const TlsWord mariadb_modes[] = {{"disable", TLS_IS_OFF},
										{"trust", TLS_IS_UNVERIFIED},
										{"verify-ca", TLS_IS_BY_AUTHORITY},
										{"verify-full", TLS_IS_BY_NAME},
										{NULL}};
static const TlsWord teradata_modes[] = {{"DISABLE", TLS_IS_OFF},
										 {"REQUIRE", TLS_IS_UNVERIFIED},
										 {"VERIFY-CA", TLS_IS_BY_AUTHORITY},
										 {"VERIFY-FULL", TLS_IS_BY_NAME},
										 {NULL}};
static const TlsWord trino_checks[] = {
	{"NONE", TLS_IS_UNVERIFIED}, {"CA", TLS_IS_BY_AUTHORITY}, {"FULL", TLS_IS_BY_NAME}, {NULL}};
static const TlsWord clickhouse_checks[] = {
	{"none", TLS_IS_UNVERIFIED}, {"strict", TLS_IS_BY_NAME}, {NULL}};

#define USES_TLS(table)   NULL, PROPERTY_TLS, .protects = true, .tls_words = (table)
#define CHECKS_TLS(table) NULL, PROPERTY_TLS_CHECK, .protects = true, .tls_words = (table)
#define MYSQL             ONLY(PROVIDER_MYSQL)
#define MARIADB           ONLY(PROVIDER_MARIADB)
#define SQLSERVER         ONLY(PROVIDER_SQLSERVER)
#define CLICKHOUSE        ONLY(PROVIDER_CLICKHOUSE)
#define WITH_TLS_OR_NOT   (LIBPQ_PROVIDERS | MYSQL_PROVIDERS | HTTP_PROVIDERS | ODBC_PROVIDERS)

/*
 * libpq has more parameters; those that read files, change the target, or start
 * another protocol are left out.  The ones after allow_cleartext_password are
 * names that users know from JDBC.
 */
static const Property properties[] = {
	{"application_name", LIBPQ_PROVIDERS, "application_name", PROPERTY_TEXT},
	{"connect_timeout", ALL_PROVIDERS, NULL, PROPERTY_CONNECT_TIMEOUT},
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
	{"allow_cleartext_password", WITH_TLS_OR_NOT, NULL, PROPERTY_CLEARTEXT},
	{"ApplicationName", LIBPQ_PROVIDERS, "application_name", PROPERTY_TEXT},
	{"connectTimeout", LIBPQ_PROVIDERS, NULL, PROPERTY_CONNECT_TIMEOUT},
	{"connectTimeout", MYSQL_PROVIDERS, NULL, PROPERTY_MILLISECONDS},
	{"loginTimeout", LIBPQ_PROVIDERS | SQLSERVER | ONLY(PROVIDER_DB2) | ONLY(PROVIDER_SNOWFLAKE),
	 NULL, PROPERTY_CONNECT_TIMEOUT},
	{"tcpKeepAlive", LIBPQ_PROVIDERS, "keepalives", PROPERTY_BOOLEAN},
	{"ssl", LIBPQ_PROVIDERS, NULL, PROPERTY_SSL, .protects = true},
	{"sslMode", MYSQL, USES_TLS(mysql_modes)},
	{"useSSL", MYSQL, USES_TLS(unverified_or_off)},
	{"requireSSL", MYSQL, USES_TLS(at_least_unverified)},
	{"verifyServerCertificate", MYSQL, CHECKS_TLS(verifies_authority)},
	{"sslMode", MARIADB, USES_TLS(mariadb_modes)},
	{"useSSL", MARIADB, USES_TLS(verified_or_off)},
	{"useSsl", MARIADB, USES_TLS(verified_or_off)},
	{"trustServerCertificate", MARIADB, CHECKS_TLS(at_least_unverified)},
	{"SSL", TRINO_PROVIDERS, USES_TLS(verified_or_off)},
	{"SSLVerification", TRINO_PROVIDERS, CHECKS_TLS(trino_checks)},
	{"ssl", CLICKHOUSE | ONLY(PROVIDER_SPARK), USES_TLS(verified_or_off)},
	{"sslmode", CLICKHOUSE, CHECKS_TLS(clickhouse_checks)},
	{"encrypt", SQLSERVER | ONLY(PROVIDER_HANA), USES_TLS(verified_or_off)},
	{"trustServerCertificate", SQLSERVER, CHECKS_TLS(trusts_or_verifies)},
	{"validateCertificate", ONLY(PROVIDER_HANA), CHECKS_TLS(verifies_or_trusts)},
	{"sslConnection", ONLY(PROVIDER_DB2), USES_TLS(verified_or_off)},
	{"SSLMODE", ONLY(PROVIDER_TERADATA), USES_TLS(teradata_modes)},
	{"private_key", ONLY(PROVIDER_SNOWFLAKE), "private_key", PROPERTY_SECRET},
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

/* Set a parameter of the target; the pointers are kept, and keyword must be static. */
void
target_add_parameter(Target *target, const char *keyword, char *value)
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
	if (property->use == PROPERTY_MILLISECONDS)
	{
		*wanted = "a whole number of milliseconds from 1 to 3600000";
		return model_integer(value, 1, 3600000, &target->connect_timeout_ms);
	}
	*wanted = "a whole number that is not negative";
	if (!model_integer(value, 0, 999999999, &number))
		return false;
	target_add_parameter(target, property->keyword, value);
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
		target_add_parameter(target, property->keyword, pstrdup(on ? "1" : "0"));
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
	target_add_parameter(target, property->keyword, unconstify(char *, word));
	return true;
}

/* The word of the property that a value is, in any case; NULL if there is none. */
static const TlsWord *
find_tls_word(const Property *property, const char *value)
{
	bool on;

	if (strcmp(property->tls_words[0].word, "true") == 0 && parse_bool(value, &on))
		value = on ? "true" : "false";
	for (const TlsWord *word = property->tls_words; word->word != NULL; word++)
		if (pg_strcasecmp(word->word, value) == 0)
			return word;
	return NULL;
}

static bool
apply_tls(const Property *property, const char *value, Target *target, const char **wanted)
{
	const TlsWord *word = find_tls_word(property, value);
	TlsChoice *choice = property->use == PROPERTY_TLS_CHECK ? &target->tls_check : &target->tls_use;
	StringInfoData list;

	if (word != NULL)
	{
		if (word->choice != TLS_IS_UNSAID)
			*choice = word->choice;
		return true;
	}
	initStringInfo(&list);
	for (word = property->tls_words; word->word != NULL; word++)
		appendStringInfo(&list, "%s%s", list.len == 0 ? "one of " : ", ", word->word);
	*wanted = list.data;
	return false;
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
		case PROPERTY_SECRET:
			target_add_parameter(target, property->keyword, value);
			return true;
		case PROPERTY_INTEGER:
		case PROPERTY_CONNECT_TIMEOUT:
		case PROPERTY_MILLISECONDS:
			return apply_number(property, value, target, wanted);
		case PROPERTY_BOOLEAN:
		case PROPERTY_CLEARTEXT:
		case PROPERTY_SSL:
			return apply_switch(property, value, target, wanted);
		case PROPERTY_WORD:
			return apply_word(property, value, target, wanted);
		case PROPERTY_TLS:
		case PROPERTY_TLS_CHECK:
			return apply_tls(property, value, target, wanted);
	}
	return false;
}
