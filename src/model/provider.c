/*
 * provider.c
 *		The provider types, and how they differ.
 *
 * Owns: the table of providers.  Other tables of the model have a column with
 * the providers to which a row applies.  t/wire/rows.diff shows the rows that a new
 * provider needs.  It must not know how to connect to a provider.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "model/provider.h"

static const char *const libpq_sslmodes[] = {"disable",   "allow",       "prefer", "require",
											 "verify-ca", "verify-full", NULL};

static const char *const mysql_sslmodes[] = {"DISABLED",  "PREFERRED",       "REQUIRED",
											 "VERIFY_CA", "VERIFY_IDENTITY", NULL};
/* The others have no published words: these are libpq's. */
static const char *const other_sslmodes[] = {"disable", "require", "verify-ca", "verify-full",
											 NULL};
static const char *const cloud_sslmodes[] = {"verify-full", NULL};

/* What providers that are reached in the same way have in common. */
#define BY_LIBPQ .sslmodes = libpq_sslmodes, .default_sslmode = "prefer"
#define BY_MYSQL .sslmodes = mysql_sslmodes, .default_sslmode = "PREFERRED"
#define BY_HTTP  .sslmodes = other_sslmodes, .default_sslmode = "disable", .tls_by_port = true
#define BY_ODBC  .sslmodes = other_sslmodes, .default_sslmode = "disable"
#define IN_CLOUD .sslmodes = cloud_sslmodes, .default_sslmode = "verify-full"

static const ProviderRules providers[NUM_PROVIDERS] = {
	[PROVIDER_POSTGRESQL] = {"postgresql", BY_LIBPQ, .default_port = 5432},
	[PROVIDER_REDSHIFT] = {"redshift", BY_LIBPQ, .default_port = 5439, .default_database = "dev"},
	[PROVIDER_QUESTDB] = {"questdb", BY_LIBPQ, .default_port = 8812, .default_database = "qdb"},
	[PROVIDER_BIGQUERY] = {"bigquery", IN_CLOUD, .default_port = 443,
						   .host = "bigquery.googleapis.com"},
	[PROVIDER_CLICKHOUSE] = {"clickhouse", BY_HTTP, .default_port = 8123},
	[PROVIDER_DATABRICKS] = {"databricks", IN_CLOUD, .default_port = 443},
	[PROVIDER_DB2] = {"db2", BY_ODBC, .default_port = 50000},
	[PROVIDER_DUCKDB] = {"duckdb", .host = ""},
	[PROVIDER_HANA] = {"hana", BY_ODBC, .default_port = 30015},
	[PROVIDER_MARIADB] = {"mariadb", BY_MYSQL, .default_port = 3306},
	[PROVIDER_MYSQL] = {"mysql", BY_MYSQL, .default_port = 3306},
	[PROVIDER_ORACLE] = {"oracle", BY_ODBC, .default_port = 1521},
	[PROVIDER_PRESTO] = {"presto", BY_HTTP, .default_port = 8080},
	[PROVIDER_SNOWFLAKE] = {"snowflake", IN_CLOUD, .default_port = 443,
							.host_suffix = ".snowflakecomputing.com"},
	[PROVIDER_SPARK] = {"spark", BY_ODBC, .default_port = 10000},
	[PROVIDER_SQLSERVER] = {"sqlserver", .sslmodes = other_sslmodes,
							.default_sslmode = "verify-full", .default_port = 1433},
	[PROVIDER_TERADATA] = {"teradata", BY_ODBC, .default_port = 1025},
	[PROVIDER_TRINO] = {"trino", BY_HTTP, .default_port = 8080},
};

/* The table's row for a provider; NULL beyond the last one. */
const ProviderRules *
provider_rules(Provider provider)
{
	return provider < NUM_PROVIDERS ? &providers[provider] : NULL;
}

/* The name of a provider, static memory; NULL beyond the last one. */
const char *
provider_name(Provider provider)
{
	return provider < NUM_PROVIDERS ? providers[provider].name : NULL;
}

/* Find the provider with this name, which has length bytes; returns false if there is none. */
bool
provider_find(const char *name, int length, Provider *provider)
{
	for (int i = 0; i < NUM_PROVIDERS; i++)
		if (strlen(providers[i].name) == length && memcmp(providers[i].name, name, length) == 0)
		{
			*provider = i;
			return true;
		}
	return false;
}

/* Does the set contain the provider? */
bool
provider_is_in(Provider provider, ProviderSet set)
{
	return (set & ONLY(provider)) != 0;
}

/* How strict an sslmode of the provider is, from 0 for the weakest; -1 if it is not one. */
int
provider_sslmode_rank(Provider provider, const char *sslmode)
{
	const char *const *words = providers[provider].sslmodes;

	for (int i = 0; words != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], sslmode) == 0)
			return i;
	return -1;
}

/*
 * The provider's word for a choice, which must not be TLS_IS_UNSAID.  In each list of
 * words the first one turns TLS off, and the last ones stand in the order of TlsChoice.
 */
const char *
provider_sslmode(Provider provider, TlsChoice choice)
{
	const char *const *words = providers[provider].sslmodes;
	int count = 0;

	while (words[count] != NULL)
		count++;
	return words[choice == TLS_IS_OFF ? 0 : Max(0, count - 1 - (int) (TLS_IS_BY_NAME - choice))];
}

/* The sslmode of a connection whose model says nothing about TLS; NULL if the provider has none. */
const char *
provider_default_sslmode(Provider provider, int port)
{
	const ProviderRules *rules = &providers[provider];

	if (rules->tls_by_port && (port == 443 || port == 8443))
		return provider_sslmode(provider, TLS_IS_BY_NAME);
	return rules->default_sslmode;
}

/* What a value must be if it is none of these words, continuing "It must be"; palloc'd. */
char *
one_of_words(const char *const *words)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; words[i] != NULL; i++)
		appendStringInfo(&list, "%s%s", i == 0 ? "one of " : ", ", words[i]);
	return list.data;
}
