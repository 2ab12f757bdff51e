/*
 * refused_values.c
 *		Published values of a section that cannot be used, and what to write instead.
 *
 * Owns: the table of these values.  Most of them would use what belongs to the server that
 * runs dqds, its identity or its files, on behalf of any caller; the others need software
 * that cannot be reached.
 */
#include "postgres.h"

#include "utils/jsonb.h"

#include "base/failure.h"
#include "model/model_internal.h"
#include "model/provider.h"

#define IDENTITY_REASON "it uses the identity of the machine on which this server runs"
#define FILE_REASON     "it reads a file of the machine on which this server runs"
#define CHAIN_REASON    "it looks for credentials on the machine on which this server runs"
#define DIRECTORY_REASON                                                                           \
	"a login of Microsoft Entra ID needs libraries of Microsoft that dqds does not use"
#define STORAGE_REASON "files are read from the machine on which this server runs only"

#define REDSHIFT_ADVICE "Set it to user_password, and give \"user\" and \"password\"."
#define BIGQUERY_ADVICE                                                                            \
	"Set \"authentication_mode\" to json_key_content, and put the content of the key file into "   \
	"\"json_key_content\"."
#define SQLSERVER_ADVICE "Set it to sql_password, and give \"user\" and \"password\"."
#define STORAGE_ADVICE   "Set it to local, and copy the files below a directory that dqds may read."

static const struct
{
	ProviderSet providers;
	const char *key;
	const char *word; /* NULL: any value */
	const char *reason;
	const char *advice;
} refused_values[] = {
	{LIBPQ_PROVIDERS, "redshift_authentication_mode", "iam", IDENTITY_REASON, REDSHIFT_ADVICE},
	{LIBPQ_PROVIDERS, "redshift_authentication_mode", "default_credentials", CHAIN_REASON,
	 REDSHIFT_ADVICE},
	{ONLY(PROVIDER_MYSQL), "mysql_engine_type", "singlestoredb",
	 "SingleStore has other system tables and keeps its tables in partitions",
	 "Set it to mysql for a server of MySQL."},
	{ONLY(PROVIDER_TRINO), "trino_engine_type", "athena",
	 "Athena speaks another protocol, and is usually reached with the identity of a machine",
	 "Set it to trino for a server of Trino."},
	{ONLY(PROVIDER_BIGQUERY), "authentication_mode", "google_application_credentials",
	 IDENTITY_REASON, BIGQUERY_ADVICE},
	{ONLY(PROVIDER_BIGQUERY), "authentication_mode", "json_key_path", FILE_REASON, BIGQUERY_ADVICE},
	{ONLY(PROVIDER_BIGQUERY), "json_key_path", NULL, FILE_REASON, BIGQUERY_ADVICE},
	{ONLY(PROVIDER_SQLSERVER), "authentication_mode", "active_directory_password", DIRECTORY_REASON,
	 SQLSERVER_ADVICE},
	{ONLY(PROVIDER_SQLSERVER), "authentication_mode", "active_directory_service_principal",
	 DIRECTORY_REASON, SQLSERVER_ADVICE},
	{ONLY(PROVIDER_SQLSERVER), "authentication_mode", "active_directory_default", CHAIN_REASON,
	 SQLSERVER_ADVICE},
	{ONLY(PROVIDER_DUCKDB), "storage_type", "s3", STORAGE_REASON, STORAGE_ADVICE},
	{ONLY(PROVIDER_DUCKDB), "storage_type", "azure", STORAGE_REASON, STORAGE_ADVICE},
	{ONLY(PROVIDER_DUCKDB), "storage_type", "gcs", STORAGE_REASON, STORAGE_ADVICE},
};

/*
 * Is the section of this provider without values that cannot be used?  If not, *failure is
 * DQDS_INVALID_CONNECTION, and says why.  Errors: 42804.
 */
bool
model_check_refused(JsonbContainer *section, Provider provider, Failure *failure)
{
	const char *name = provider_name(provider);

	for (int i = 0; i < lengthof(refused_values); i++)
	{
		const char *key = refused_values[i].key;
		const char *word = refused_values[i].word;
		char *value;

		if (!provider_is_in(provider, refused_values[i].providers))
			continue;
		value = model_string(section, name, key);
		if (value == NULL || (word != NULL && strcmp(word, value) != 0))
			continue;
		failure_set(failure, DQDS_INVALID_CONNECTION, refused_values[i].advice,
					"\"%s.%s\" in the connection model cannot be %s: %s", name, key,
					word != NULL ? word : "given", refused_values[i].reason);
		return false;
	}
	return true;
}
