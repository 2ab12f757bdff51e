/*
 * duckdb_engine.c
 *		Loads libduckdb, and has it describe files.
 *
 * The library is given nothing but files that files.c has opened, as descriptors of this
 * process, which it opens again: what is at their paths by then does not matter.  Its own access
 * to files is restricted to the directories of the connection, it loads no extension, and its
 * configuration is locked before it sees a file.  It runs in the thread that asks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duckdb_link.h"
#include "text.h"

#define DESCRIPTORS "/proc/self/fd/"

/* How it is opened, and what is set afterwards, in this order. */
static const struct
{
	const char *name;
	const char *value;
} options[] = {
	{"threads", "1"},
	{"memory_limit", "256MB"},
	{"temp_directory", ""},
	{"autoinstall_known_extensions", "false"},
	{"autoload_known_extensions", "false"},
	{"allow_community_extensions", "false"},
	{"allow_persistent_secrets", "false"},
};
static const char restrictions[] =
	"SET enable_external_access = false; SET lock_configuration = true";

/* ---- the library ------------------------------------------------------------------------------ */

static bool
find_functions(DuckLibrary *library, void *handle)
{
#define FIND(type, name, arguments)                                                                \
	if ((*(void **) &library->name = dlsym(handle, "duckdb_" #name)) == NULL)                      \
		return false;
	DUCKDB_FUNCTIONS(FIND)
#undef FIND
	return true;
}

static bool
load(Session *session, DuckLibrary *library)
{
	const char *path = session_login(session, LOGIN_LIBRARY);
	void *handle;

	if (path == NULL || *path != '/')
	{
		session_fault(session, FAULT_IS_DRIVER, 0, NULL,
					  "the setting dqds.duckdb_library does not name the file of libduckdb");
		return false;
	}
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle != NULL && find_functions(library, handle))
		return true;
	session_fault(session, FAULT_IS_DRIVER, 0, NULL,
				  "what the setting dqds.duckdb_library names cannot be loaded: %s",
				  handle == NULL ? dlerror() : "it is no libduckdb, or too old");
	return false;
}

/* ---- the database ------------------------------------------------------------------------------- */

static bool
open_database(Session *session, DuckLink *link)
{
	DuckLibrary *library = &link->library;
	DuckConfig config = NULL;
	char *error = NULL;
	bool good = library->create_config(&config) == 0;

	/* A version that does not know one of them has nothing to turn off. */
	for (size_t i = 0; good && i < sizeof(options) / sizeof(options[0]); i++)
		(void) library->set_config(config, options[i].name, options[i].value);
	good = good && library->open_ext(NULL, &link->database, config, &error) == 0 &&
		   library->connect(link->database, &link->connection) == 0;
	if (!good)
		session_fault(session, FAULT_IS_SERVER, 0, NULL, "%s",
					  error == NULL ? "it cannot be opened" : error);
	library->destroy_config(&config);
	return good;
}

/*
 * Run a statement; about, which may be NULL, names the file that it is about.  The result is
 * the caller's to destroy.  False: session_fault was called, and there is none.
 */
bool
duckdb_run(Session *session, DuckLink *link, const char *sql, const char *about, DuckResult *result)
{
	const char *error;

	if (link->library.query(link->connection, sql, result) == 0)
		return true;
	error = link->library.result_error(result);
	if (error == NULL)
		error = "unknown error";
	if (about == NULL)
		session_fault(session, FAULT_IS_SERVER, 0, NULL, "%s", error);
	else
		session_fault(session, FAULT_IS_SERVER, 0, NULL, "file \"%s\": %s", about, error);
	link->library.destroy_result(result);
	return false;
}

/*
 * Permit the directories of the connection, which are open, and nothing else from now on.  The
 * library compares the real paths of files with them.
 */
static bool
restrict_access(Session *session, DuckLink *link)
{
	Text sql = {0};
	DuckResult result;
	bool good;

	text_add(&sql, "SET allowed_directories = [");
	for (size_t i = 0; i < link->ndirectories; i++)
	{
		char name[sizeof(DESCRIPTORS) + 16];
		char path[PATH_MAX];
		ssize_t length;

		snprintf(name, sizeof(name), DESCRIPTORS "%d", link->directories[i].fd);
		length = readlink(name, path, sizeof(path) - 1);
		path[length < 0 ? 0 : length] = '\0';
		if (i > 0)
			text_add(&sql, ", ");
		text_add_quoted(&sql, path, '\'');
	}
	text_add(&sql, "]; ");
	text_add(&sql, restrictions);
	good = duckdb_run(session, link, sql.bytes, NULL, &result);
	if (good)
		link->library.destroy_result(&result);
	text_free(&sql);
	return good;
}

/*
 * Load the library, and open an empty database in memory, from which the directories of the
 * connection can be read; false: session_fault was called.
 */
bool
duckdb_begin(Session *session, DuckLink *link)
{
	return load(session, &link->library) && open_database(session, link) &&
		   restrict_access(session, link);
}

/* ---- columns ---------------------------------------------------------------------------------------- */

/* Is it a type such as DECIMAL(18,3), or STRUCT(a INTEGER), that is no array of it? */
static bool
has_parts(const char *type)
{
	size_t length = strlen(type);

	return length > 0 && type[length - 1] == ')' && strchr(type, '(') != NULL;
}

static bool
put_column(Session *session, const char *table, unsigned long ordinal, const char *name,
		   const char *type, const char *nullable, bool details)
{
	char number[24], kind[128], precision[16] = "", scale[16] = "";
	size_t length = has_parts(type) ? strcspn(type, "(") : strlen(type);
	int p, s;

	snprintf(number, sizeof(number), "%lu", ordinal);
	snprintf(kind, sizeof(kind), "%.*s", (int) length, type);
	if (sscanf(type, "DECIMAL(%d,%d)", &p, &s) == 2 && has_parts(type))
	{
		snprintf(precision, sizeof(precision), "%d", p);
		snprintf(scale, sizeof(scale), "%d", s);
	}
	{
		const char *values[] = {table,
								number,
								name,
								kind,
								NULL,
								*precision == '\0' ? NULL : precision,
								*scale == '\0' ? NULL : scale,
								nullable != NULL && strcmp(nullable, "NO") == 0 ? "f" : "t",
								"f",
								NULL,
								type};

		return session_row(session, values, NULL, details ? 11 : 10);
	}
}

/* Put the rows of the columns that a result describes. */
static bool
put_columns(Session *session, DuckLink *link, DuckResult *result, const char *table, bool details)
{
	const DuckLibrary *library = &link->library;
	bool good = true;

	for (uint64_t row = 0; good && row < library->row_count(result); row++)
	{
		char *name = library->value_varchar(result, 0, row);
		char *type = library->value_varchar(result, 1, row);
		char *nullable = library->value_varchar(result, 2, row);

		good = name == NULL || type == NULL ||
			   put_column(session, table, row + 1, name, type, nullable, details);
		library->free(name);
		library->free(type);
		library->free(nullable);
	}
	return good;
}

/*
 * Put a row for each column of a table, if it is there.  The columns of a folder are those of
 * its first file.  False: session_fault was called.
 */
bool
duckdb_columns(Session *session, DuckLink *link, const Directory *directory, const char *name,
			   bool details)
{
	bool compressed;
	int fd = files_open(session, directory, link->format, name, &compressed);
	Text sql = {0};
	DuckResult result;
	bool good;

	if (fd < 0)
		return true;
	text_addf(&sql, "DESCRIBE SELECT * FROM %s('" DESCRIPTORS "%d'%s)", link->format->reader, fd,
			  compressed ? ", compression = 'gzip'" : "");
	good = duckdb_run(session, link, sql.bytes, name, &result);
	if (good)
	{
		good = put_columns(session, link, &result, name, details);
		link->library.destroy_result(&result);
	}
	text_free(&sql);
	close(fd);
	return good;
}
