/*
 * settings.c
 *		The variables behind the extension's settings, and its clock.
 *
 * dqds.c defines the settings.  This file must not know what they are for.
 */
#include "postgres.h"

#include "portability/instr_time.h"

#include "base/settings.h"

int dqds_connect_timeout_ms;
int dqds_query_timeout_ms;
int dqds_session_idle_timeout_ms;
int dqds_session_max_age_ms;
int dqds_max_parallel;
int dqds_max_cached_sessions;
int dqds_max_answer_size_kb;
char *dqds_allowed_hosts;
char *dqds_denied_hosts;
char *dqds_secret_env_prefix;
char *dqds_ssl_root_certs;
char *dqds_agent;
char *dqds_duckdb_library;
char *dqds_duckdb_directories;
char *dqds_odbc_drivers;

/*
 * Until this module is loaded, PostgreSQL knows no definition of our settings:
 * any role may set one in its connection string.  That value hides the one in
 * the configuration file, and is dropped when the module is loaded.  An invalid
 * value in the file is dropped, too, with only a warning.  Either would leave
 * the default in force, which permits more.  So the name of such a setting is
 * recorded here, and the session then connects to nothing.
 */
const char *dqds_lost_setting = NULL;

/* The current time in microseconds, on a clock that never goes back. */
int64
dqds_now_us(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}
