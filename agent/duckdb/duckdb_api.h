/*
 * duckdb_api.h
 *		The few functions of libduckdb that are used, as its documentation declares them.
 *
 * The library is not installed by a package, so there is no header of it: it is loaded from
 * the file that the setting dqds.duckdb_library names.
 */
#ifndef DQDS_DUCKDB_API_H
#define DQDS_DUCKDB_API_H

#include <stdint.h>

typedef void *DuckDatabase;
typedef void *DuckConnection;
typedef void *DuckConfig;

/* The library writes it; its members are read through the functions only. */
typedef struct DuckResult
{
	uint64_t counts[3];
	void *columns;
	char *error;
	void *data;
} DuckResult;

/* Those that can fail return 0 when they have not. */
#define DUCKDB_FUNCTIONS(X)                                                                        \
	X(int, create_config, (DuckConfig *) )                                                         \
	X(int, set_config, (DuckConfig, const char *, const char *) )                                  \
	X(void, destroy_config, (DuckConfig *) )                                                       \
	X(int, open_ext, (const char *, DuckDatabase *, DuckConfig, char **) )                         \
	X(int, connect, (DuckDatabase, DuckConnection *) )                                             \
	X(int, query, (DuckConnection, const char *, DuckResult *) )                                   \
	X(const char *, result_error, (DuckResult *) )                                                 \
	X(uint64_t, row_count, (DuckResult *) )                                                        \
	X(char *, value_varchar, (DuckResult *, uint64_t, uint64_t))                                   \
	X(void, destroy_result, (DuckResult *) )                                                       \
	X(void, interrupt, (DuckConnection))                                                           \
	X(const char *, library_version, (void) )                                                      \
	X(void, free, (void *) )

#define DUCKDB_MEMBER(type, name, arguments) type(*name) arguments;
typedef struct DuckLibrary
{
	DUCKDB_FUNCTIONS(DUCKDB_MEMBER)
} DuckLibrary;

#endif /* DQDS_DUCKDB_API_H */
