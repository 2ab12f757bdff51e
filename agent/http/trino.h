/*
 * trino.h
 *		The inside of the drivers for Trino and Presto.
 *
 * trino.c logs in, asks and cancels; trino_statement.c runs one statement, page by page;
 * trino_sql.c writes the statements, and trino_columns.c makes rows of what they tell of columns.
 */
#ifndef DQDS_TRINO_H
#define DQDS_TRINO_H

#include <pthread.h>

#include "http.h"
#include "json_rows.h"

/* What is known when a statement is written. */
typedef struct TrinoDialect
{
	const char *catalog;
	bool is_presto;
	bool remarks;         /* comments and kinds are asked for in the catalog named system */
	bool column_comments; /* information_schema.columns has them */
} TrinoDialect;

typedef struct TrinoLink
{
	Http *http;
	TrinoDialect dialect;
	const char *headers[4];
	Text user_header;

	/* For the thread that cancels, under the mutex. */
	pthread_mutex_t mutex;
	Text next; /* the path at which the statement goes on; empty: there is none */
	bool busy; /* a statement is under way */
} TrinoLink;

/* An error of the server; the texts are the caller's to free by trino_error_free(). */
typedef struct TrinoError
{
	bool told; /* by session_fault, so the members below are empty */
	long code;
	Text name;
	Text text;
	bool after_rows; /* rows had come before it */
} TrinoError;

extern bool trino_run(Session *session, TrinoLink *link, const Text *sql, JsonRowSink sink,
					  void *argument, TrinoError *error);
extern void trino_tell(Session *session, TrinoError *error);
extern void trino_error_free(TrinoError *error);
extern void trino_end_statement(TrinoLink *link, Http *http);
extern bool trino_ask_patiently(Session *session, Http *http, const HttpRequest *request,
								HttpAnswer *answer);

extern void trino_write(Text *sql, const Ask *ask, const TrinoDialect *dialect);
extern void trino_write_check(Text *sql, const TrinoDialect *dialect);
extern void trino_write_count(Text *sql, const Ask *ask, const TrinoDialect *dialect, int limit);
extern bool trino_is_about_columns(Question question);
extern bool trino_is_about_tables(Question question);
extern bool trino_column_row(Session *session, const json_t *row, Question question);

#endif /* DQDS_TRINO_H */
