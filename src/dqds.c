/*
 * dqds.c
 *		The module's magic block, and the definitions of its settings.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "agent/odbc_drivers.h"
#include "base/compat.h"
#include "base/settings.h"
#include "model/policy.h"

DQDS_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

static const struct
{
	const char *name;
	const char *description;
	int *variable;
	int initial;
	int min;
	int max;
	GucContext context;
	int flags;
} integer_settings[] = {
	{"dqds.connect_timeout", "Time that resolving, connecting and logging in may take together.",
	 &dqds_connect_timeout_ms, 10000, 1, 3600000, PGC_USERSET, GUC_UNIT_MS},
	{"dqds.query_timeout", "Time that a catalog query may take at the remote server.",
	 &dqds_query_timeout_ms, 30000, 1, 3600000, PGC_USERSET, GUC_UNIT_MS},
	{"dqds.session_idle_timeout",
	 "Time after which an idle remote session is closed; 0 keeps none.",
	 &dqds_session_idle_timeout_ms, 60000, 0, 86400000, PGC_USERSET, GUC_UNIT_MS},
	{"dqds.session_max_age",
	 "Time after its login at which a remote session is no longer reused; 0 keeps none.",
	 &dqds_session_max_age_ms, 300000, 0, 86400000, PGC_USERSET, GUC_UNIT_MS},
	{"dqds.max_parallel", "Number of remote operations that one call runs at once.",
	 &dqds_max_parallel, 200, 1, 10000, PGC_SUSET, 0},
	{"dqds.max_cached_sessions", "Number of idle remote sessions that a backend keeps.",
	 &dqds_max_cached_sessions, 16, 0, 1000, PGC_SUSET, 0},
	{"dqds.max_answer_size", "Size of a remote server's answer that one call keeps at most.",
	 &dqds_max_answer_size_kb, 256 * 1024, 1024, MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB},
};

static const struct
{
	const char *name;
	const char *description;
	char **variable;
	const char *initial;
	GucStringCheckHook check;
	char *(*first_bad)(const char *value); /* what is wrong with it; there if check is */
} string_settings[] = {
	{"dqds.allowed_hosts", "Hosts that may be connected to: name patterns, addresses, networks.",
	 &dqds_allowed_hosts, "*", policy_check_hosts, policy_bad_host},
	{"dqds.denied_hosts", "Hosts that may not be connected to, even if they are allowed.",
	 &dqds_denied_hosts, "169.254.0.0/16, fe80::/10, 0.0.0.0/8, ::, 100.100.100.200, fd00:ec2::254",
	 policy_check_hosts, policy_bad_host},
	{"dqds.secret_env_prefix",
	 "Prefix of the environment variables that connection models may name.",
	 &dqds_secret_env_prefix, "DQDS_SECRET_", NULL},
	{"dqds.ssl_root_certs",
	 "File of the certificates that sslmode verify-ca and verify-full trust.", &dqds_ssl_root_certs,
	 "/etc/ssl/certs/ca-certificates.crt", NULL},
	{"dqds.agent",
	 "File of the program that connects to servers other than PostgreSQL; empty: dqds-agent beside "
	 "the extension's library.",
	 &dqds_agent, "", NULL},
	{"dqds.duckdb_library",
	 "File of the library libduckdb, by which connections of provider type duckdb read files; "
	 "empty: none.",
	 &dqds_duckdb_library, "", NULL},
	{"dqds.duckdb_directories",
	 "Directories, with commas between, below which connections of provider type duckdb may read "
	 "files.",
	 &dqds_duckdb_directories, "", NULL},
	{"dqds.odbc_drivers", "Files of the ODBC drivers for providers that are reached through one.",
	 &dqds_odbc_drivers, "", odbc_drivers_check, odbc_drivers_bad},
};

/*
 * The value that a superuser's setting has as a mere name; NULL: none.  If it will
 * be dropped because of who gave it, that is noted.
 */
static const char *
placeholder_value(const char *name)
{
	const struct config_generic *setting = dqds_find_setting(name);

	if (setting == NULL || (setting->flags & GUC_CUSTOM_PLACEHOLDER) == 0)
		return NULL;
	/* given with the connection, by a role that is not a superuser */
	if (setting->reset_source == PGC_S_CLIENT && setting->reset_scontext == PGC_BACKEND)
		dqds_lost_setting = name;
	return ((const struct config_string *) setting)->reset_val;
}

/* Find out which settings of superusers will be lost, before the module defines them. */
static void
note_lost_settings(void)
{
	for (int i = 0; i < lengthof(integer_settings); i++)
	{
		const char *value;
		int number;

		if (integer_settings[i].context != PGC_SUSET)
			continue;
		value = placeholder_value(integer_settings[i].name);
		if (value != NULL && (!parse_int(value, &number, integer_settings[i].flags, NULL) ||
							  number < integer_settings[i].min || number > integer_settings[i].max))
			dqds_lost_setting = integer_settings[i].name;
	}
	for (int i = 0; i < lengthof(string_settings); i++)
	{
		const char *value = placeholder_value(string_settings[i].name);

		if (value != NULL && string_settings[i].first_bad != NULL &&
			string_settings[i].first_bad(value) != NULL)
			dqds_lost_setting = string_settings[i].name;
	}
}

void
_PG_init(void)
{
	note_lost_settings();
	for (int i = 0; i < lengthof(integer_settings); i++)
		DefineCustomIntVariable(integer_settings[i].name, integer_settings[i].description, NULL,
								integer_settings[i].variable, integer_settings[i].initial,
								integer_settings[i].min, integer_settings[i].max,
								integer_settings[i].context, integer_settings[i].flags, NULL, NULL,
								NULL);
	for (int i = 0; i < lengthof(string_settings); i++)
		DefineCustomStringVariable(string_settings[i].name, string_settings[i].description, NULL,
								   string_settings[i].variable, string_settings[i].initial,
								   PGC_SUSET, GUC_SUPERUSER_ONLY, string_settings[i].check, NULL,
								   NULL);
	MarkGUCPrefixReserved("dqds");
}
