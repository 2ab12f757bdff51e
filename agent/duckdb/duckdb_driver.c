/*
 * duckdb_driver.c
 *		The driver for DuckDB: directories are schemas, and files and folders are tables.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duckdb_link.h"
#include "text.h"

#define MEMORY_MB       1024
#define MAX_DIRECTORIES 40 /* each has a descriptor */

/* ---- logging in ------------------------------------------------------------------------------- */

static int
compare_directories(const void *a, const void *b)
{
	return strcmp(((const Directory *) a)->schema, ((const Directory *) b)->schema);
}

/* Read the schemas and paths, and open them all. */
static bool
open_directories(Session *session, DuckLink *link, json_t *object)
{
	const char *allowed = session_login(session, LOGIN_ALLOWED);
	const char *schema;
	json_t *path;

	link->directories = calloc(json_object_size(object) + 1, sizeof(Directory));
	if (link->directories == NULL)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return false;
	}
	json_object_foreach(object, schema, path) if (json_is_string(path))
		link->directories[link->ndirectories++] =
		(Directory){.schema = schema, .path = json_string_value(path)};
	qsort(link->directories, link->ndirectories, sizeof(Directory), compare_directories);
	for (size_t i = 0; i < link->ndirectories; i++)
	{
		link->directories[i].fd =
			files_open_directory(session, allowed == NULL ? "" : allowed, &link->directories[i]);
		if (link->directories[i].fd < 0)
			return false;
	}
	return true;
}

/* What the connection says; the object of its directories, which stays for ever, or NULL. */
static json_t *
read_model(Session *session, DuckLink *link)
{
	const char *format = session_login(session, LOGIN_FORMAT);
	const char *directories = session_login(session, LOGIN_DIRECTORIES);
	json_t *object = directories == NULL ? NULL : json_loads(directories, 0, NULL);

	link->format = file_format(format);
	if (link->format == NULL)
		session_fault(session, FAULT_IS_MODEL, 0, NULL,
					  "files of the format %s cannot be read, only csv, json and parquet",
					  format == NULL ? "that is not named" : format);
	else if (!json_is_object(object))
		session_fault(session, FAULT_IS_MODEL, 0, NULL, "it names no directories");
	else if (json_object_size(object) > MAX_DIRECTORIES)
		session_fault(session, FAULT_IS_MODEL, 0, NULL, "it names more than %d directories",
					  MAX_DIRECTORIES);
	else
		return object;
	return NULL;
}

static bool
login(Session *session)
{
	DuckLink *link = calloc(1, sizeof(*link));
	json_t *directories;

	if (link == NULL)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return false;
	}
	session_set_state(session, link);
	session_stage(session, STAGE_IS_SPOKEN);
	directories = read_model(session, link);
	if (directories == NULL || !open_directories(session, link, directories) ||
		!duckdb_begin(session, link))
		return false;
	session_fact(session, FACT_VERSION, link->library.library_version());
	return true;
}

/* ---- asking ------------------------------------------------------------------------------------- */

static const Directory *
find_directory(const DuckLink *link, const char *schema)
{
	for (size_t i = 0; schema != NULL && i < link->ndirectories; i++)
		if (strcmp(link->directories[i].schema, schema) == 0)
			return &link->directories[i];
	return NULL;
}

static bool
put_table(Session *session, const Ask *ask, const Directory *directory, const char *name,
		  const TableFile *file)
{
	bool all = ask->question == QUESTION_ALL_TABLES;
	bool sized = value_is_true(ask->values[5]) && !file->is_folder;
	char size[24];
	/* kind, rows, comment, partition of, owner, size, extension, can select */
	const char *values[] = {directory->schema,   name, "table", NULL, NULL, NULL, NULL,
							sized ? size : NULL, NULL, NULL};
	int nvalues = ask->question == QUESTION_TABLE_NAMES ? 1
				  : ask->question == QUESTION_TABLES    ? 4
														: 9;

	snprintf(size, sizeof(size), "%lld", file->size);
	return session_row(session, all ? values : values + 1, NULL, all ? nvalues + 1 : nvalues);
}

/* Does the name pass the filters of the question? */
static bool
is_wanted(const Ask *ask, const char *name)
{
	return (ask->values[1] == NULL || strstr(name, ask->values[1]) != NULL) &&
		   (ask->values[4] == NULL || strstr(name, ask->values[4]) == NULL);
}

static bool
put_tables(Session *session, DuckLink *link, const Ask *ask, const Directory *directory)
{
	long left = ask->values[2] == NULL ? -1 : strtol(ask->values[2], NULL, 10);
	Sorter names;
	const char **row;
	bool good = files_list(session, directory, link->format, &names);

	while (good && left != 0 && (row = sorter_next(&names)) != NULL)
	{
		TableFile file;

		if (!is_wanted(ask, row[0]) || !files_find(directory, link->format, row[0], &file))
			continue;
		good = put_table(session, ask, directory, row[0], &file);
		left--;
	}
	sorter_free(&names);
	return good;
}

static bool
is_about_details(Question question)
{
	return question == QUESTION_COLUMN_DETAILS || question == QUESTION_COLUMN_DETAILS_OF;
}

/* The names that are asked about, sorted, or all of the directory. */
static bool
list_asked(Session *session, DuckLink *link, const Ask *ask, const Directory *directory,
		   Sorter *names)
{
	char **wanted;
	size_t count;

	if (ask->values[1] == NULL)
		return files_list(session, directory, link->format, names);
	sorter_begin(names, "t", 1, SIZE_MAX / 2);
	wanted = names_parse(ask->values[1], &count);
	for (size_t i = 0; i < count; i++)
		(void) sorter_add(names, (const char *const *) &wanted[i]);
	names_free(wanted);
	sorter_sort(names);
	return true;
}

static bool
put_columns(Session *session, DuckLink *link, const Ask *ask)
{
	const Directory *directory = find_directory(link, ask->values[0]);
	Sorter names;
	const char **row;
	char *last = NULL;
	bool good = true;

	if (directory == NULL)
		return true;
	good = list_asked(session, link, ask, directory, &names);
	while (good && (row = sorter_next(&names)) != NULL)
	{
		if (last != NULL && strcmp(last, row[0]) == 0)
			continue;
		free(last);
		last = strdup(row[0]);
		if (session_is_cancelled(session))
		{
			session_fault(session, FAULT_IS_SERVER, 0, NULL, "cancelled");
			good = false;
		}
		else
			good =
				duckdb_columns(session, link, directory, row[0], is_about_details(ask->question));
	}
	free(last);
	sorter_free(&names);
	return good;
}

static bool
put_schemas(Session *session, const DuckLink *link)
{
	bool good = true;

	for (size_t i = 0; good && i < link->ndirectories; i++)
		good = session_row(session, &link->directories[i].schema, NULL, 1);
	return good;
}

static long
count_tables(Session *session, DuckLink *link)
{
	long count = 0;

	for (size_t i = 0; i < link->ndirectories; i++)
	{
		const Directory *directory = &link->directories[i];
		Sorter names;
		const char **row;
		TableFile file;

		if (!files_list(session, directory, link->format, &names))
			return -1;
		while ((row = sorter_next(&names)) != NULL)
			count += files_find(directory, link->format, row[0], &file);
		sorter_free(&names);
	}
	return count;
}

static bool
put_overview(Session *session, DuckLink *link)
{
	long count = count_tables(session, link);
	char schemas[24], tables[24];
	const char *values[] = {NULL, NULL, schemas, schemas, tables};

	snprintf(schemas, sizeof(schemas), "%zu", link->ndirectories);
	snprintf(tables, sizeof(tables), "%ld", count);
	return count >= 0 && session_row(session, values, NULL, 5);
}

static bool
put_probe(Session *session, DuckLink *link)
{
	static const char *const one[] = {"1"};
	DuckResult result;

	if (!duckdb_run(session, link, "SELECT 1", NULL, &result))
		return false;
	link->library.destroy_result(&result);
	return session_row(session, one, NULL, 1);
}

static bool
put_all_tables(Session *session, DuckLink *link, const Ask *ask)
{
	bool good = true;

	for (size_t i = 0; good && i < link->ndirectories; i++)
		good = put_tables(session, link, ask, &link->directories[i]);
	return good;
}

static bool
ask_files(Session *session, const Ask *ask)
{
	DuckLink *link = session_state(session);
	const Directory *directory;

	switch (ask->question)
	{
		case QUESTION_PROBE:
			return put_probe(session, link);
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			return put_schemas(session, link);
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
		case QUESTION_TABLE_DETAILS:
			directory = find_directory(link, ask->values[0]);
			return directory == NULL || put_tables(session, link, ask, directory);
		case QUESTION_ALL_TABLES:
			return put_all_tables(session, link, ask);
		case QUESTION_OVERVIEW:
			return put_overview(session, link);
		default:
			return put_columns(session, link, ask);
	}
}

/* ---- the end -------------------------------------------------------------------------------------- */

static void
cancel(Session *session)
{
	DuckLink *link = session_state(session);

	if (link != NULL && link->connection != NULL)
		link->library.interrupt(link->connection);
}

/* Nothing is kept but memory and descriptors, which end with the process. */
static void
leave(Session *session)
{
	(void) session;
}

const Driver dqds_drivers[] = {{.provider = "duckdb",
								.memory_mb = MEMORY_MB,
								.login = login,
								.ask = ask_files,
								.cancel = cancel,
								.leave = leave},
							   {NULL}};
