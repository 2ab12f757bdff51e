/*
 * odbc_rows.c
 *		Runs the one statement of a connection, and fetches its rows.
 *
 * A value is cut after MAX_VALUE characters: longer ones are definitions and comments, of
 * which the beginning will do, or no names at all.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "odbc_link.h"

#define MAX_VALUE     16384
#define GRACE_SECONDS 2  /* over the backend's own deadline */
#define RECANCEL_MS   50 /* a cancel that came between two statements has had no effect */
#define MAX_CANCELS   (CANCEL_TIMEOUT_MS / RECANCEL_MS)

/* Get the statement ready for a call; false: session_fault was called. */
bool
odbc_ready(Session *session, OdbcLink *link, const Ask *ask)
{
	SQLULEN seconds = ask->timeout_ms / 1000 + GRACE_SECONDS;

	if (session_is_cancelled(session))
	{
		session_fault(session, FAULT_IS_SERVER, 0, "HY008", "cancelled");
		return false;
	}
	/* Not all drivers have it; the backend's deadline holds. */
	(void) SQLSetStmtAttrW(link->statement, SQL_ATTR_QUERY_TIMEOUT,
						   (SQLPOINTER) (uintptr_t) seconds, 0);
	link->running = true;
	return true;
}

/* Was a call on the statement successful?  False: session_fault was called. */
bool
odbc_succeeded(Session *session, OdbcLink *link, SQLRETURN result)
{
	if (SQL_SUCCEEDED(result) || result == SQL_NO_DATA)
		return true;
	(void) odbc_report(session, SQL_HANDLE_STMT, link->statement);
	odbc_close(link);
	return false;
}

/* Run a statement of SQL, after odbc_ready; the result is left for the caller to look at. */
bool
odbc_execute(Session *session, OdbcLink *link, const char *sql)
{
	SQLWCHAR *wide = wide_of(sql);
	SQLRETURN result = SQLExecDirectW(link->statement, wide, SQL_NTS);

	free(wide);
	return SQL_SUCCEEDED(result) || result == SQL_NO_DATA;
}

static bool
read_cell(Session *session, OdbcLink *link, OdbcRow *row, int column)
{
	static SQLWCHAR buffer[MAX_VALUE + 1];
	SQLLEN length = SQL_NULL_DATA;
	SQLRETURN result =
		SQLGetData(link->statement, column, SQL_C_WCHAR, buffer, sizeof(buffer), &length);
	size_t units;

	if (!SQL_SUCCEEDED(result) && result != SQL_NO_DATA)
		return odbc_succeeded(session, link, result);
	row->present[column - 1] = result != SQL_NO_DATA && length != SQL_NULL_DATA;
	if (!row->present[column - 1])
		return true;
	units = length == SQL_NO_TOTAL || length < 0 || length / sizeof(SQLWCHAR) > MAX_VALUE
				? MAX_VALUE
				: length / sizeof(SQLWCHAR);
	/* Half a character at the place where it was cut is none. */
	if (units == MAX_VALUE && (buffer[units - 1] & 0xFC00) == 0xD800)
		units--;
	text_clear(&row->values[column - 1]);
	text_add(&row->values[column - 1], "");
	text_add_wide(&row->values[column - 1], buffer, units);
	return true;
}

/*
 * Fetch the next row, and of it the first ncells values; *more: there was one.  False:
 * session_fault was called.
 */
bool
odbc_fetch(Session *session, OdbcLink *link, OdbcRow *row, int ncells, bool *more)
{
	SQLRETURN result = SQLFetch(link->statement);
	SQLSMALLINT ncolumns = 0;

	*more = SQL_SUCCEEDED(result);
	if (!odbc_succeeded(session, link, result))
		return false;
	if (*more && !odbc_succeeded(session, link, SQLNumResultCols(link->statement, &ncolumns)))
		return false;
	memset(row->present, 0, sizeof(row->present));
	for (int i = 1; *more && i <= ncells && i <= ncolumns; i++)
		if (!read_cell(session, link, row, i))
			return false;
	return true;
}

/* A value of the row, by its number from 1; NULL: it is NULL, or was not read. */
const char *
odbc_cell(const OdbcRow *row, int column)
{
	return row->present[column - 1] ? row->values[column - 1].bytes : NULL;
}

/* Be done with what the statement has run. */
void
odbc_close(OdbcLink *link)
{
	link->running = false;
	(void) SQLFreeStmt(link->statement, SQL_CLOSE);
}

void
odbc_row_free(OdbcRow *row)
{
	for (int i = 0; i < MAX_CELLS; i++)
		text_free(&row->values[i]);
}

/* The driver's cancel. */
void
odbc_cancel(Session *session)
{
	const struct timespec pause = {.tv_nsec = RECANCEL_MS * 1000000L};
	OdbcLink *link = session_state(session);

	for (int i = 0; link != NULL && i < MAX_CANCELS && link->running; i++)
	{
		(void) SQLCancel(link->statement);
		(void) nanosleep(&pause, NULL);
	}
}
