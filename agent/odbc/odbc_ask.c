/*
 * odbc_ask.c
 *		Which function answers a question, for any source.
 */
#include "odbc_link.h"

/* Have the server run a statement, so that it is known to be there. */
static bool
probe(Session *session, OdbcLink *link, const Ask *ask)
{
	const char *value = "1";
	OdbcRow row = {0};
	bool more = false;
	bool good = odbc_ready(session, link, ask);

	if (!good)
		return false;
	if (odbc_execute(session, link, form_probe(link->form)))
		good = odbc_fetch(session, link, &row, 1, &more);
	/* A server that refuses the statement, since its SQL has it in another way, is there as well. */
	else if (!odbc_state_is(SQL_HANDLE_STMT, link->statement, "42"))
		good = odbc_succeeded(session, link, SQL_ERROR);
	odbc_row_free(&row);
	odbc_close(link);
	return good && session_row(session, &value, NULL, 1);
}

/* The driver's ask. */
bool
odbc_ask(Session *session, const Ask *ask)
{
	OdbcLink *link = session_state(session);

	switch (ask->question)
	{
		case QUESTION_PROBE:
			return probe(session, link, ask);
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			return catalog_schemas(session, link, ask);
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
		case QUESTION_TABLE_DETAILS:
		case QUESTION_ALL_TABLES:
			return catalog_tables(session, link, ask);
		case QUESTION_COLUMNS:
		case QUESTION_COLUMNS_OF:
		case QUESTION_COLUMN_DETAILS:
		case QUESTION_COLUMN_DETAILS_OF:
			return catalog_columns(session, link, ask);
		case QUESTION_OVERVIEW:
			return catalog_overview(session, link, ask);
		default:
			session_fault(session, FAULT_IS_MODEL, 0, NULL, "there is no such question");
			return false;
	}
}
