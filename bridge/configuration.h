/*
 * configuration.h
 *		What the options have come to.
 */
#ifndef BRIDGE_CONFIGURATION_H
#define BRIDGE_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

#define MAX_HOST_NAMES 32

/* Filled once at start and never changed: every thread may read it.  Lives as long as the process. */
typedef struct Options
{
	const char *listen;         /* as given */
	char listen_address[80];    /* "127.0.0.1:8888" or "[::1]:8888", canonical */
	const char *control_db;     /* holds a password: never logged, never shown */
	const char *anonymous_role; /* NULL: no request without a token */
	char *host_names[MAX_HOST_NAMES];
	size_t host_name_count;
	int threads;
	int pool_size;
	int request_timeout; /* seconds */
	int max_body;        /* bytes */
	bool log_json;
	bool allow_superuser;
	bool allow_remote_anonymous;
	bool is_loopback; /* what it listens on */
	bool check;
} Options;

#endif /* BRIDGE_CONFIGURATION_H */
