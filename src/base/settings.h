/*
 * settings.h
 *		The variables behind the extension's settings, and its clock.
 */
#ifndef DQDS_SETTINGS_H
#define DQDS_SETTINGS_H

extern int dqds_connect_timeout_ms;
extern int dqds_query_timeout_ms;
extern int dqds_session_idle_timeout_ms;
extern int dqds_session_max_age_ms;
extern int dqds_max_parallel;
extern int dqds_max_cached_sessions;
extern int dqds_max_answer_size_kb;
extern char *dqds_allowed_hosts;
extern char *dqds_denied_hosts;
extern char *dqds_secret_env_prefix;
extern char *dqds_ssl_root_certs;
extern char *dqds_agent;
extern char *dqds_duckdb_library;
extern char *dqds_duckdb_directories;
extern char *dqds_odbc_drivers;
extern const char *dqds_lost_setting; /* NULL: all settings are in force */

/* The current time in microseconds, on a clock that never goes back. */
extern int64 dqds_now_us(void);

#endif /* DQDS_SETTINGS_H */
