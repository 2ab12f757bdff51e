/*
 * provider.h
 *		The provider types, and how they differ.
 */
#ifndef DQDS_PROVIDER_H
#define DQDS_PROVIDER_H

/* The published enum of provider types; ProviderRules.works says which are supported. */
typedef enum Provider
{
	PROVIDER_POSTGRESQL,
	PROVIDER_REDSHIFT,
	PROVIDER_QUESTDB,
	PROVIDER_BIGQUERY,
	PROVIDER_CLICKHOUSE,
	PROVIDER_DATABRICKS,
	PROVIDER_DB2,
	PROVIDER_DUCKDB,
	PROVIDER_HANA,
	PROVIDER_MARIADB,
	PROVIDER_MYSQL,
	PROVIDER_ORACLE,
	PROVIDER_PRESTO,
	PROVIDER_SNOWFLAKE,
	PROVIDER_SPARK,
	PROVIDER_SQLSERVER,
	PROVIDER_TERADATA,
	PROVIDER_TRINO,
	NUM_PROVIDERS
} Provider;

/* A set of providers, for a column of a table. */
typedef uint32 ProviderSet;

#define ONLY(provider)  ((ProviderSet) 1 << (provider))
#define ALL_PROVIDERS   ((ProviderSet) -1)
#define MYSQL_PROVIDERS (ONLY(PROVIDER_MYSQL) | ONLY(PROVIDER_MARIADB))
#define LIBPQ_PROVIDERS                                                                            \
	(ONLY(PROVIDER_POSTGRESQL) | ONLY(PROVIDER_REDSHIFT) | ONLY(PROVIDER_QUESTDB))

typedef struct ProviderRules
{
	const char *name;  /* as published; also of its section */
	bool works;        /* it is supported; the members below are set only then */
	bool any_database; /* without a database, all can be listed */
	int default_port;
	const char *default_database; /* NULL for the name of the user, as in PostgreSQL */
	const char *const *sslmodes;  /* from the weakest to the strictest, terminated by NULL */
	const char *default_sslmode;  /* NULL, like sslmodes, if its sections have no sslmode */
} ProviderRules;

extern const ProviderRules *provider_rules(Provider provider);
extern const char *provider_name(Provider provider);
extern bool provider_find(const char *name, int length, Provider *provider);
extern bool provider_is_in(Provider provider, ProviderSet set);
extern int provider_sslmode_rank(Provider provider, const char *sslmode);
extern char *one_of_words(const char *const *words);
extern char *provider_working_names(void);

#endif /* DQDS_PROVIDER_H */
