/*
 * duckdb_link.h
 *		The inside of the driver for DuckDB, which reads files of this machine.
 *
 * duckdb_driver.c logs in and asks, duckdb_engine.c loads the library and has it describe
 * files, and files.c opens and lists directories.
 */
#ifndef DQDS_DUCKDB_LINK_H
#define DQDS_DUCKDB_LINK_H

#include "driver.h"
#include "duckdb_api.h"
#include "sorter.h"

/* A kind of files. */
typedef struct FileFormat
{
	const char *name;              /* as published */
	const char *reader;            /* the function of DuckDB */
	const char *const *extensions; /* ended by NULL */
} FileFormat;

/* A schema: a directory, under a name of the connection's. */
typedef struct Directory
{
	const char *schema;
	const char *path;
	int fd;
} Directory;

typedef struct DuckLink
{
	DuckLibrary library;
	DuckDatabase database;
	DuckConnection connection;
	const FileFormat *format;
	Directory *directories; /* in the order of the bytes of their schemas */
	size_t ndirectories;
} DuckLink;

/* What was found in a directory. */
typedef struct TableFile
{
	bool is_folder;
	long long size; /* of a file, in bytes */
} TableFile;

extern const FileFormat *file_format(const char *name);
extern int files_open_directory(Session *session, const char *allowed, const Directory *directory);
extern bool files_find(const Directory *directory, const FileFormat *format, const char *name,
					   TableFile *file);
extern bool files_list(Session *session, const Directory *directory, const FileFormat *format,
					   Sorter *names);
extern int files_open(Session *session, const Directory *directory, const FileFormat *format,
					  const char *name, bool *compressed);

extern bool duckdb_begin(Session *session, DuckLink *link);
extern bool duckdb_run(Session *session, DuckLink *link, const char *sql, const char *about,
					   DuckResult *result);
extern bool duckdb_columns(Session *session, DuckLink *link, const Directory *directory,
						   const char *name, bool details);

#endif /* DQDS_DUCKDB_LINK_H */
