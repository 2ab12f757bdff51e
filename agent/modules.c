/*
 * modules.c
 *		Finds the driver of a provider in the modules beside the program.
 *
 * A module is loaded when its first session is wanted, so that a session of MySQL does not
 * wait for the libraries of others, and a library that is not installed is missed only by
 * those who need it.
 *
 * Owns: which module has which provider.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "modules.h"

static const struct
{
	const char *provider;
	const char *module;
} providers[] = {
	{"mysql", "mysql"},     {"mariadb", "mysql"},   {"trino", "http"},     {"presto", "http"},
	{"clickhouse", "http"}, {"databricks", "http"}, {"snowflake", "http"}, {"bigquery", "http"},
	{"sqlserver", "odbc"},  {"db2", "odbc"},        {"oracle", "odbc"},    {"hana", "odbc"},
	{"teradata", "odbc"},   {"spark", "odbc"},      {"duckdb", "duckdb"},
};

#define NPROVIDERS (sizeof(providers) / sizeof(providers[0]))

/* The driver of each provider, once it is prepared. */
static const Driver *prepared[NPROVIDERS];

static bool
module_path(const char *module, char *path, size_t size)
{
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash;

	if (length < 0)
		return false;
	program[length] = '\0';
	slash = strrchr(program, '/');
	return slash != NULL && snprintf(path, size, "%.*s/dqds-agent-%s.so", (int) (slash - program),
									 program, module) < (int) size;
}

/* The drivers of a module; NULL: *why says what is missing, in memory that the next call uses again. */
static const Driver *
load(const char *module, const char **why)
{
	char path[PATH_MAX];
	const Driver *drivers;
	void *library;

	*why = "the program does not know where it is";
	if (!module_path(module, path, sizeof(path)))
		return NULL;
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	drivers = library == NULL ? NULL : dlsym(library, "dqds_drivers");
	if (drivers == NULL)
		*why = dlerror();
	return drivers;
}

static const Driver *
driver_of(const Driver *drivers, const char *provider)
{
	for (; drivers != NULL && drivers->provider != NULL; drivers++)
		if (strcmp(drivers->provider, provider) == 0)
			return drivers;
	return NULL;
}

/*
 * The driver of a provider, prepared; NULL: *why says what is missing, in memory that the next
 * call uses again.
 */
const Driver *
module_driver(const char *provider, const char **why)
{
	*why = "there is no driver for it";
	for (size_t i = 0; i < NPROVIDERS; i++)
		if (strcmp(providers[i].provider, provider) == 0)
		{
			const Driver *driver = prepared[i];

			if (driver == NULL)
				driver = driver_of(load(providers[i].module, why), provider);
			if (driver == NULL ||
				(prepared[i] == NULL && driver->prepare != NULL && !driver->prepare(why)))
				return NULL;
			prepared[i] = driver;
			return driver;
		}
	return NULL;
}

/* Print which providers there are drivers for, and what the others miss. */
void
modules_list(void)
{
	const char *why;

	for (size_t i = 0; i < NPROVIDERS; i++)
		if (driver_of(load(providers[i].module, &why), providers[i].provider) != NULL)
			printf("%s: yes\n", providers[i].provider);
		else
			printf("%s: no (%s)\n", providers[i].provider, why);
}
