/*
 * odbc_link.h
 *		The inside of the drivers that use ODBC.
 *
 * odbc_login.c logs in, with what odbc_form.c writes; odbc_ask.c answers questions, with
 * odbc_catalog.c through the catalog functions of ODBC, or with tds_catalog.c through the
 * catalog of SQL Server; odbc_rows.c fetches; odbc_report.c says what went wrong.
 */
#ifndef DQDS_ODBC_LINK_H
#define DQDS_ODBC_LINK_H

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

#include "driver.h"
#include "sorter.h"
#include "text.h"

#define MAX_SORTED_BYTES ((size_t) 64 * 1024 * 1024)
#define MAX_CELLS        20 /* values of a row that are read */

/* What of the source is a schema for us. */
typedef enum NamesAre
{
	NAMES_ARE_SCHEMAS,
	NAMES_ARE_CATALOGS, /* as the databases of MySQL */
	NAMES_ARE_NONE      /* the source has neither: all tables are in ONLY_SCHEMA */
} NamesAre;

#define ONLY_SCHEMA "main"

/* How a driver wants to be told where to connect to (odbc_form.c). */
typedef struct OdbcForm OdbcForm;

typedef struct OdbcLink
{
	SQLHENV environment;
	SQLHDBC connection;
	SQLHSTMT statement; /* one for all that is asked */
	const OdbcForm *form;
	NamesAre names;
	char *catalog; /* the one that is connected to, if names are schemas; NULL: none */
	char escape;   /* makes the next character of a pattern stand for itself; '\0': none does */
	volatile bool running; /* the statement is */
} OdbcLink;

/* The values of one row, as UTF-8. */
typedef struct OdbcRow
{
	Text values[MAX_CELLS];
	bool present[MAX_CELLS]; /* it is not NULL */
} OdbcRow;

/* odbc_text.c */
extern SQLWCHAR *wide_of(const char *utf8);
extern void text_add_wide(Text *text, const SQLWCHAR *wide, size_t length);

/* odbc_form.c */
extern const OdbcForm *form_find(const Session *session, const char *driver);
extern const char *form_driver_name(const OdbcForm *form);
extern const char *form_probe(const OdbcForm *form);
extern bool form_checks_password(const OdbcForm *form);
extern bool form_may_end_tls(const OdbcForm *form);
extern bool form_write(Session *session, const OdbcForm *form, const char *driver, Text *text);

/* tds_file.c */
extern bool tds_write_file(Session *session);

/* odbc_login.c */
extern bool odbc_login(Session *session);

/* odbc_report.c */
extern bool odbc_report(Session *session, SQLSMALLINT type, SQLHANDLE handle);
extern bool odbc_state_is(SQLSMALLINT type, SQLHANDLE handle, const char *beginning);

/* odbc_rows.c */
extern bool odbc_ready(Session *session, OdbcLink *link, const Ask *ask);
extern bool odbc_succeeded(Session *session, OdbcLink *link, SQLRETURN result);
extern bool odbc_execute(Session *session, OdbcLink *link, const char *sql);
extern bool odbc_fetch(Session *session, OdbcLink *link, OdbcRow *row, int ncells, bool *more);
extern const char *odbc_cell(const OdbcRow *row, int column);
extern void odbc_close(OdbcLink *link);
extern void odbc_row_free(OdbcRow *row);
extern void odbc_cancel(Session *session);

/* odbc_ask.c */
extern bool odbc_ask(Session *session, const Ask *ask);
extern bool tds_ask(Session *session, const Ask *ask);

/* odbc_wanted.c */
extern bool wants_schema(const Session *session, const char *schema, const Ask *ask);
extern bool wants_table(const Ask *ask, const char *table);
extern bool keep_row(Session *session, Sorter *sorter, const char *const *values);
extern bool send_rows(Session *session, Sorter *sorter, const Ask *ask);

/* odbc_catalog.c */
extern bool catalog_schemas(Session *session, OdbcLink *link, const Ask *ask);
extern bool catalog_tables(Session *session, OdbcLink *link, const Ask *ask);
extern bool catalog_collect_tables(Session *session, OdbcLink *link, const Ask *ask,
								   Sorter *sorter);
extern bool catalog_overview(Session *session, OdbcLink *link, const Ask *ask);

/* odbc_columns.c */
extern bool catalog_columns(Session *session, OdbcLink *link, const Ask *ask);

#endif /* DQDS_ODBC_LINK_H */
