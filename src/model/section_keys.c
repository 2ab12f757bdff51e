/*
 * section_keys.c
 *		The keys that the section of a provider may have.
 *
 * Owns: the table of keys, with the words of published enums except those of sslmode
 * (provider.c).  It must not read a model, or know which of the words are refused: that is
 * refused_values.c.
 */
#include "postgres.h"

#include "model/model_internal.h"
#include "model/section_keys.h"

/* ---- published words ------------------------------------------------------------------- */

static const char *const engine_types[] = {"postgresql", "timescale", NULL};
static const char *const redshift_modes[] = {"iam", "default_credentials", "user_password", NULL};
static const char *const mysql_engines[] = {"mysql", "singlestoredb", NULL};
static const char *const trino_engines[] = {"trino", "athena", NULL};
static const char *const aws_modes[] = {"iam", "default_credentials", NULL};
static const char *const bigquery_modes[] = {"google_application_credentials", "json_key_content",
											 "json_key_path", NULL};
static const char *const bigquery_jobs[] = {"create_jobs_in_source_project",
											"create_jobs_in_default_project_from_credentials",
											"create_jobs_in_selected_billing_project_id", NULL};
static const char *const sqlserver_modes[] = {"sql_password", "active_directory_password",
											  "active_directory_service_principal",
											  "active_directory_default", NULL};
static const char *const db2_platforms[] = {"luw", "zos", NULL};
static const char *const duckdb_modes[] = {"in_memory", "files", NULL};
static const char *const duckdb_formats[] = {"csv",     "json",       "parquet", "avro",
											 "iceberg", "delta_lake", NULL};
static const char *const duckdb_storages[] = {"local", "s3", "azure", "gcs", NULL};
static const char *const azure_modes[] = {"connection_string", "credential_chain",
										  "service_principal", "default_credentials", NULL};

/* ---- the keys ------------------------------------------------------------------------------- */

#define SNOWFLAKE    ONLY(PROVIDER_SNOWFLAKE)
#define BIGQUERY     ONLY(PROVIDER_BIGQUERY)
#define DATABRICKS   ONLY(PROVIDER_DATABRICKS)
#define SQLSERVER    ONLY(PROVIDER_SQLSERVER)
#define DUCKDB       ONLY(PROVIDER_DUCKDB)
#define TRINO        ONLY(PROVIDER_TRINO)
#define PRESTO       ONLY(PROVIDER_PRESTO)
#define ORACLE       ONLY(PROVIDER_ORACLE)
#define DB2          ONLY(PROVIDER_DB2)
#define HANA         ONLY(PROVIDER_HANA)
#define SPARK        ONLY(PROVIDER_SPARK)
#define TERADATA     ONLY(PROVIDER_TERADATA)
#define ALL_BUT(set) (ALL_PROVIDERS & ~(set))

/*
 * Each as published, but port of snowflake and bigquery, user of none, and sslmode of all but
 * postgresql, redshift and mysql, which are ours.  Keys of a provider that have the same use
 * stand in the order in which they count.
 */
static const SectionKey section_keys[] = {
	{"host", ALL_BUT(SNOWFLAKE | BIGQUERY | DUCKDB), AS_HOST, .kind = KEY_HOST,
	 .needed = ALL_PROVIDERS},
	{"account", SNOWFLAKE, AS_HOST, .kind = KEY_HOST, .needed = ALL_PROVIDERS},
	{"port", ALL_BUT(DUCKDB), AS_PORT, OF_STRING_OR_NUMBER},
	{"database", ALL_BUT(TRINO | DATABRICKS | BIGQUERY | SPARK | DUCKDB), AS_DATABASE,
	 .needed = PRESTO | SNOWFLAKE | ORACLE | DB2},
	{"catalog", TRINO | DATABRICKS, AS_DATABASE, .needed = TRINO},
	{"source_project_id", BIGQUERY, AS_DATABASE, .needed = ALL_PROVIDERS},
	{"user", ALL_BUT(BIGQUERY | DATABRICKS | DUCKDB), AS_USER, .needed = ALL_PROVIDERS},
	{"access_token", DATABRICKS, AS_SECRET},
	{"json_key_content", BIGQUERY, AS_SECRET},
	{"password", ALL_BUT(BIGQUERY | DUCKDB), AS_SECRET},
	{"sslmode",
	 LIBPQ_PROVIDERS | MYSQL_PROVIDERS | HTTP_PROVIDERS | ODBC_PROVIDERS | CLOUD_PROVIDERS,
	 AS_SSLMODE, .kind = KEY_TLS},
	{"options", LIBPQ_PROVIDERS, AS_OPTIONS},
	{"properties", ALL_PROVIDERS, AS_PROPERTIES, OF_OBJECT},
	{"postgresql_engine_type", LIBPQ_PROVIDERS, .words = engine_types},
	{"redshift_authentication_mode", LIBPQ_PROVIDERS, .words = redshift_modes},
	{FOREIGN_SERVER, ONLY(PROVIDER_POSTGRESQL), AS_FOREIGN_SERVER, .kind = KEY_HOST},

	{"mysql_engine_type", ONLY(PROVIDER_MYSQL), .words = mysql_engines},
	{"single_store_db_parameters_spec", ONLY(PROVIDER_MYSQL), .type = OF_OBJECT},
	{"trino_engine_type", TRINO, .words = trino_engines},
	{"aws_authentication_mode", TRINO | DUCKDB, .words = aws_modes},
	{"athena_region", TRINO},
	{"athena_work_group", TRINO},
	{"athena_output_location", TRINO},
	{"warehouse", SNOWFLAKE, AS_PARAMETER},
	{"role", SNOWFLAKE, AS_PARAMETER},
	{"http_path", DATABRICKS, AS_PARAMETER, .needed = ALL_PROVIDERS},
	{"initialization_sql", DATABRICKS | ORACLE, AS_NOT_RUN},
	{"authentication_mode", BIGQUERY, .words = bigquery_modes},
	{"json_key_path", BIGQUERY},
	{"jobs_create_project", BIGQUERY, AS_PARAMETER, .words = bigquery_jobs},
	{"billing_project_id", BIGQUERY, AS_PARAMETER},
	{"quota_project_id", BIGQUERY, AS_PARAMETER},
	{"authentication_mode", SQLSERVER, .words = sqlserver_modes},
	{"disable_encryption", SQLSERVER, AS_NO_TLS, OF_BOOLEAN, KEY_TLS},
	{"db2_platform_type", DB2, AS_PARAMETER, .words = db2_platforms},
	{"instance_number", HANA, AS_PARAMETER, OF_STRING_OR_NUMBER},

	{"read_mode", DUCKDB, AS_PARAMETER, .words = duckdb_modes},
	{"files_format_type", DUCKDB, AS_PARAMETER, .words = duckdb_formats, .needed = ALL_PROVIDERS},
	{"directories", DUCKDB, AS_PARAMETER, OF_OBJECT, .needed = ALL_PROVIDERS},
	{"storage_type", DUCKDB, .words = duckdb_storages},
	{"azure_authentication_mode", DUCKDB, .words = azure_modes},
	{"database", DUCKDB},
	{"enable_optimizer", DUCKDB, .type = OF_BOOLEAN},
	{"aws_default_authentication_chain", DUCKDB},
	{"user", DUCKDB},
	{"password", DUCKDB},
	{"user", DATABRICKS},
	{"region", DUCKDB},
	{"profile", DUCKDB},
	{"tenant_id", DUCKDB},
	{"client_id", DUCKDB},
	{"client_secret", DUCKDB},
	{"account_name", DUCKDB},
	{"csv", DUCKDB, .type = OF_OBJECT},
	{"json", DUCKDB, .type = OF_OBJECT},
	{"parquet", DUCKDB, .type = OF_OBJECT},
	{"avro", DUCKDB, .type = OF_OBJECT},
	{"iceberg", DUCKDB, .type = OF_OBJECT},
	{"delta_lake", DUCKDB, .type = OF_OBJECT},
};

/* The row at a position of the table, counted from 0; NULL beyond its end. */
const SectionKey *
section_key_at(int position)
{
	return position < lengthof(section_keys) ? &section_keys[position] : NULL;
}

/* The row of a key of a provider's section, which has length bytes; NULL if it is not known there. */
const SectionKey *
section_key_find(Provider provider, const char *key, int length)
{
	for (int i = 0; i < lengthof(section_keys); i++)
		if (provider_is_in(provider, section_keys[i].providers) &&
			strlen(section_keys[i].key) == length && memcmp(section_keys[i].key, key, length) == 0)
			return &section_keys[i];
	return NULL;
}

/* The first key of a provider's section with this use; NULL if there is none. */
const SectionKey *
section_key_used(Provider provider, KeyUse use)
{
	for (int i = 0; i < lengthof(section_keys); i++)
		if (provider_is_in(provider, section_keys[i].providers) && section_keys[i].use == use)
			return &section_keys[i];
	return NULL;
}

/*
 * The next key of a provider's section that says what is reached, whichever user logs in there;
 * NULL if none is left.  *position is 0 for the first call.
 */
const SectionKey *
section_key_of_place(Provider provider, int *position)
{
	static const KeyUse uses[] = {AS_HOST, AS_PORT, AS_DATABASE, AS_PARAMETER, AS_FOREIGN_SERVER};

	while (*position < lengthof(section_keys))
	{
		const SectionKey *key = &section_keys[(*position)++];

		for (int i = 0; i < lengthof(uses); i++)
			if (key->use == uses[i] && provider_is_in(provider, key->providers))
				return key;
	}
	return NULL;
}

/* Are references to secrets resolved in the value of this key? */
bool
section_key_refers(const SectionKey *key)
{
	static const KeyUse uses[] = {AS_HOST,   AS_PORT,    AS_DATABASE, AS_USER,
								  AS_SECRET, AS_OPTIONS, AS_PARAMETER};

	for (int i = 0; i < lengthof(uses); i++)
		if (key->use == uses[i])
			return key->type != OF_OBJECT && key->words == NULL;
	return false;
}
