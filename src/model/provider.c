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

/* The values that all providers reached with libpq have in common. */
#define BY_LIBPQ .works = true, .sslmodes = libpq_sslmodes, .default_sslmode = "prefer"

static const char *const mysql_sslmodes[] = {"DISABLED",  "PREFERRED",       "REQUIRED",
											 "VERIFY_CA", "VERIFY_IDENTITY", NULL};

#define BY_MYSQL                                                                                   \
	.works = true, .sslmodes = mysql_sslmodes, .default_sslmode = "PREFERRED",                     \
	.default_port = 3306, .any_database = true

static const ProviderRules providers[NUM_PROVIDERS] = {
	[PROVIDER_POSTGRESQL] = {"postgresql", BY_LIBPQ, .default_port = 5432},
	[PROVIDER_REDSHIFT] = {"redshift", BY_LIBPQ, .default_port = 5439, .default_database = "dev"},
	[PROVIDER_QUESTDB] = {"questdb", BY_LIBPQ, .default_port = 8812, .default_database = "qdb"},
	[PROVIDER_BIGQUERY] = {"bigquery"},
	[PROVIDER_CLICKHOUSE] = {"clickhouse"},
	[PROVIDER_DATABRICKS] = {"databricks"},
	[PROVIDER_DB2] = {"db2"},
	[PROVIDER_DUCKDB] = {"duckdb"},
	[PROVIDER_HANA] = {"hana"},
	[PROVIDER_MARIADB] = {"mariadb", BY_MYSQL},
	[PROVIDER_MYSQL] = {"mysql", BY_MYSQL},
	[PROVIDER_ORACLE] = {"oracle"},
	[PROVIDER_PRESTO] = {"presto"},
	[PROVIDER_SNOWFLAKE] = {"snowflake"},
	[PROVIDER_SPARK] = {"spark"},
	[PROVIDER_SQLSERVER] = {"sqlserver"},
	[PROVIDER_TERADATA] = {"teradata"},
	[PROVIDER_TRINO] = {"trino"},
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

/* The names of the supported providers, for a message; palloc'd. */
char *
provider_working_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < NUM_PROVIDERS; i++)
		if (providers[i].works)
			appendStringInfo(&names, "%s%s", names.len == 0 ? "" : ", ", providers[i].name);
	return names.data;
}
