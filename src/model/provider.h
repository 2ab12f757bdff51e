/*
 * provider.h
 *		The provider types, and how they differ.
 */
#ifndef DQDS_PROVIDER_H
#define DQDS_PROVIDER_H

/* The published enum of provider types. */
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
#define TRINO_PROVIDERS (ONLY(PROVIDER_TRINO) | ONLY(PROVIDER_PRESTO))
/* Services of a cloud, which are always reached over verified TLS. */
#define CLOUD_PROVIDERS                                                                            \
	(ONLY(PROVIDER_DATABRICKS) | ONLY(PROVIDER_SNOWFLAKE) | ONLY(PROVIDER_BIGQUERY))
/* Those reached over HTTP, with TLS or without. */
#define HTTP_PROVIDERS (TRINO_PROVIDERS | ONLY(PROVIDER_CLICKHOUSE))
#define ODBC_PROVIDERS                                                                             \
	(ONLY(PROVIDER_SQLSERVER) | ONLY(PROVIDER_ORACLE) | ONLY(PROVIDER_DB2) | ONLY(PROVIDER_HANA) | \
	 ONLY(PROVIDER_TERADATA) | ONLY(PROVIDER_SPARK))

/* What a model may say about TLS in words other than those of sslmode. */
typedef enum TlsChoice
{
	TLS_IS_UNSAID,
	TLS_IS_OFF,
	TLS_IS_PREFERRED, /* if the server offers it */
	TLS_IS_UNVERIFIED,
	TLS_IS_BY_AUTHORITY, /* the certificate's issuer is verified */
	TLS_IS_BY_NAME       /* and that it is for this host */
} TlsChoice;

typedef struct ProviderRules
{
	const char *name;             /* as published; also of its section */
	const char *host;             /* if it is always the same; empty if no server is connected to */
	const char *host_suffix;      /* what follows the account; NULL if the model has the host */
	int default_port;             /* 0 if no server is connected to */
	const char *default_database; /* for libpq; NULL for the name of the user, as in PostgreSQL */
	const char *const *sslmodes;  /* from the weakest to the strictest, terminated by NULL */
	const char *default_sslmode;  /* NULL, like sslmodes, if its sections have no sslmode */
	bool tls_by_port; /* at the usual ports of HTTPS the default is the strictest sslmode */
} ProviderRules;

extern const ProviderRules *provider_rules(Provider provider);
extern const char *provider_name(Provider provider);
extern bool provider_find(const char *name, int length, Provider *provider);
extern bool provider_is_in(Provider provider, ProviderSet set);
extern int provider_sslmode_rank(Provider provider, const char *sslmode);
extern const char *provider_sslmode(Provider provider, TlsChoice choice);
extern const char *provider_default_sslmode(Provider provider, int port);
extern char *one_of_words(const char *const *words);

#endif /* DQDS_PROVIDER_H */
