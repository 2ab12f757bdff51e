/*
 * settings.c
 *		The settings of the extension as variables, and its clock.
 *
 * dqds.c defines the settings.  It must not know what they are for.
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

/*
 * Until this module is loaded a setting of ours is a mere name to PostgreSQL:
 * any role may give it a value with its connection, which then hides that of the
 * configuration file, and is dropped when the module is loaded.  And a value in
 * the file that cannot be read is dropped with no more than a warning.  Either
 * would leave the default in force, which permits more: so note it, and connect
 * to nothing.
 */
const char *dqds_lost_setting = NULL;

/* Microseconds on a clock that never goes back. */
int64
dqds_now_us(void)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}
