/*
 * tds_catalog.c
 *		Lists schemas, tables and columns from the catalog of SQL Server.
 *
 * The views are those of sys, which say more than the functions of ODBC.  Names are compared
 * there as the database compares them, and again here by bytes; they are sorted here, since
 * no collation of all versions has the order of UTF-8.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odbc_link.h"

#define MAX_NAMED_TABLES 100 /* that are named in a query */

#define COMMENT_OF(place, minor)                                                                   \
	" LEFT JOIN sys.extended_properties AS e ON e.class = 1 AND e.major_id = " place               \
	" AND e.minor_id = " minor " AND e.name = N'MS_Description'"

#define ESTIMATES                                                                                  \
	" LEFT JOIN (SELECT object_id, SUM(rows) AS estimate FROM sys.partitions"                      \
	" WHERE index_id IN (0, 1) GROUP BY object_id) AS p ON p.object_id = o.object_id"

#define KEYS                                                                                       \
	" LEFT JOIN (SELECT ic.object_id, ic.column_id, ic.key_ordinal FROM sys.index_columns AS ic"   \
	" JOIN sys.indexes AS i ON i.object_id = ic.object_id AND i.index_id = ic.index_id"            \
	" WHERE i.is_primary_key = 1) AS k ON k.object_id = c.object_id"                               \
	" AND k.column_id = c.column_id"

/* ---- pieces of SQL ---------------------------------------------------------------------------------- */

/* A backslash before the end of a line would join the lines, so the text is cut there. */
static void
add_text(Text *sql, const char *value)
{
	text_add(sql, "N'");
	for (; *value != '\0'; value++)
	{
		text_add_bytes(sql, value, 1);
		if (*value == '\'')
			text_add(sql, "'");
		else if (*value == '\\' && (value[1] == '\n' || value[1] == '\r'))
			text_add(sql, "' + N'");
	}
	text_add(sql, "'");
}

/* Are objects of the system asked for?  They stand in other views. */
static bool
is_of_system(const Ask *ask)
{
	if (ask->question == QUESTION_ALL_TABLES || ask->question == QUESTION_OVERVIEW)
		return ask->question == QUESTION_ALL_TABLES && value_is_true(ask->values[0]);
	return strcmp(ask->values[0], "sys") == 0 || strcmp(ask->values[0], "INFORMATION_SCHEMA") == 0;
}

static void
add_objects(Text *sql, const Ask *ask)
{
	text_add(sql, is_of_system(ask) ? "sys.all_objects" : "sys.objects");
	text_add(sql, " AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id");
}

static void
add_condition(Text *sql, const Ask *ask)
{
	text_add(sql, " WHERE o.type IN ('U', 'V')");
	if (!is_of_system(ask))
		text_add(sql, " AND o.is_ms_shipped = 0");
	if (ask->question != QUESTION_ALL_TABLES && ask->question != QUESTION_OVERVIEW)
	{
		text_add(sql, " AND s.name = ");
		add_text(sql, ask->values[0]);
	}
}

/* Run a query, or the other one if the server refuses it: there are servers with fewer views. */
static bool
run(Session *session, OdbcLink *link, const Ask *ask, const Text *sql, const Text *other)
{
	if (!odbc_ready(session, link, ask))
		return false;
	if (odbc_execute(session, link, sql->bytes))
		return true;
	if (other == NULL || other->length == 0 ||
		!odbc_state_is(SQL_HANDLE_STMT, link->statement, "42"))
		return odbc_succeeded(session, link, SQL_ERROR);
	odbc_close(link);
	if (!odbc_ready(session, link, ask))
		return false;
	return odbc_execute(session, link, other->bytes) || odbc_succeeded(session, link, SQL_ERROR);
}

/* ---- schemas ------------------------------------------------------------------------------------------- */

static bool
list_schemas(Session *session, OdbcLink *link, const Ask *ask)
{
	Text sql = {0};
	OdbcRow row = {0};
	Sorter sorter;
	bool more = true;
	bool good;

	sorter_begin(&sorter, "t", 1, MAX_SORTED_BYTES);
	text_add(&sql, "SELECT name FROM sys.schemas");
	good = run(session, link, ask, &sql, NULL);
	while (good && (good = odbc_fetch(session, link, &row, 1, &more)) && more)
	{
		const char *schema = odbc_cell(&row, 1);

		if (schema != NULL && wants_schema(session, schema, ask))
			good = keep_row(session, &sorter, &schema);
	}
	odbc_row_free(&row);
	odbc_close(link);
	text_free(&sql);
	good = good && send_rows(session, &sorter, ask);
	sorter_free(&sorter);
	return good;
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

static void
write_tables(Text *sql, const Ask *ask, bool estimates)
{
	text_add(sql, "SELECT s.name, o.name, o.type, ");
	text_add(sql, estimates ? "p.estimate" : "NULL");
	text_add(sql, ", CAST(e.value AS nvarchar(4000)) FROM ");
	add_objects(sql, ask);
	if (estimates)
		text_add(sql, ESTIMATES);
	text_add(sql, COMMENT_OF("o.object_id", "0"));
	add_condition(sql, ask);
}

/* The values of a row of write_tables, as those of the answer with the schema before them. */
static bool
keep_table(Session *session, const Ask *ask, const OdbcRow *row, Sorter *sorter)
{
	bool all = ask->question == QUESTION_ALL_TABLES;
	const char *type = odbc_cell(row, 3);
	const char *values[5];

	for (int i = 0; i < 5; i++)
		values[i] = odbc_cell(row, i + 1);
	if (values[0] == NULL || values[1] == NULL || type == NULL || !wants_table(ask, values[1]) ||
		(all ? !wants_schema(session, values[0], ask) : strcmp(values[0], ask->values[0]) != 0))
		return true;
	values[2] = *type == 'V' ? "view" : "table";
	if (*type == 'V')
		values[3] = NULL;
	return keep_row(session, sorter, all ? values : values + 1);
}

static bool
list_tables(Session *session, OdbcLink *link, const Ask *ask)
{
	bool all = ask->question == QUESTION_ALL_TABLES;
	bool estimates = ask->question != QUESTION_TABLE_NAMES;
	Text sql = {0};
	Text other = {0};
	OdbcRow row = {0};
	Sorter sorter;
	bool more = true;
	bool good;

	sorter_begin(&sorter, all ? "tt" : "t", all ? 5 : estimates ? 4 : 1, MAX_SORTED_BYTES);
	write_tables(&sql, ask, estimates);
	if (estimates)
		write_tables(&other, ask, false);
	good = run(session, link, ask, &sql, &other);
	while (good && (good = odbc_fetch(session, link, &row, 5, &more)) && more)
		good = keep_table(session, ask, &row, &sorter);
	odbc_row_free(&row);
	odbc_close(link);
	text_free(&sql);
	text_free(&other);
	good = good && send_rows(session, &sorter, ask);
	sorter_free(&sorter);
	return good;
}

/* ---- columns --------------------------------------------------------------------------------------------- */

static void
add_names(Text *sql, char *const *names, size_t count)
{
	text_add(sql, " AND o.name IN (");
	for (size_t i = 0; i < count; i++)
	{
		text_add(sql, i == 0 ? "" : ", ");
		add_text(sql, names[i]);
	}
	text_add(sql, count == 0 ? "NULL)" : ")");
}

static void
write_columns(Text *sql, const Ask *ask, char *const *names, size_t count)
{
	text_add(
		sql,
		"SELECT s.name, o.name, c.column_id, c.name, t.name, c.max_length, c.precision, c.scale,"
		" c.is_nullable, k.key_ordinal, CAST(e.value AS nvarchar(4000)), d.definition,"
		" c.is_identity, c.collation_name FROM ");
	add_objects(sql, ask);
	text_add(sql, is_of_system(ask) ? " JOIN sys.all_columns" : " JOIN sys.columns");
	text_add(sql, " AS c ON c.object_id = o.object_id"
				  " JOIN sys.types AS t ON t.user_type_id = c.user_type_id" KEYS);
	text_add(sql, " LEFT JOIN sys.default_constraints AS d ON d.object_id = c.default_object_id");
	text_add(sql, COMMENT_OF("c.object_id", "c.column_id"));
	add_condition(sql, ask);
	if (names != NULL && count <= MAX_NAMED_TABLES)
		add_names(sql, names, count);
}

/* Columns of write_columns. */
#define OF_SCHEMA    1
#define OF_TABLE     2
#define OF_ORDINAL   3
#define OF_COLUMN    4
#define OF_TYPE      5
#define OF_LENGTH    6
#define OF_PRECISION 7
#define OF_SCALE     8
#define OF_NULLABLE  9
#define OF_KEY       10
#define OF_COMMENT   11
#define OF_DEFAULT   12
#define OF_IDENTITY  13
#define OF_COLLATION 14

/* Types that have a length, in bytes of their characters. */
static int
bytes_of_character(const char *type)
{
	if (strcmp(type, "char") == 0 || strcmp(type, "varchar") == 0)
		return 1;
	return strcmp(type, "nchar") == 0 || strcmp(type, "nvarchar") == 0 ? 2 : 0;
}

static bool
is_true(const OdbcRow *row, int column)
{
	const char *value = odbc_cell(row, column);

	return value != NULL && strcmp(value, "0") != 0;
}

static void
write_type(const char **values, bool endless, char *text, size_t size)
{
	if (values[5] != NULL && values[6] != NULL)
		snprintf(text, size, "%s(%s,%s)", values[3], values[5], values[6]);
	else if (values[4] != NULL || endless)
		snprintf(text, size, "%s(%s)", values[3], endless ? "max" : values[4]);
	else
		snprintf(text, size, "%s", values[3]);
}

static bool
keep_column(Session *session, const OdbcRow *row, Sorter *sorter)
{
	const char *values[19] = {NULL};
	const char *length = odbc_cell(row, OF_LENGTH);
	char characters[24];
	char type[300];
	int unit;

	values[0] = odbc_cell(row, OF_TABLE);
	values[1] = odbc_cell(row, OF_ORDINAL);
	values[2] = odbc_cell(row, OF_COLUMN);
	values[3] = odbc_cell(row, OF_TYPE);
	if (values[0] == NULL || values[1] == NULL || values[2] == NULL || values[3] == NULL)
		return true;
	unit = bytes_of_character(values[3]);
	if (unit > 0 && length != NULL && *length != '-')
	{
		snprintf(characters, sizeof(characters), "%ld", strtol(length, NULL, 10) / unit);
		values[4] = characters;
	}
	if (strcmp(values[3], "decimal") == 0 || strcmp(values[3], "numeric") == 0)
	{
		values[5] = odbc_cell(row, OF_PRECISION);
		values[6] = odbc_cell(row, OF_SCALE);
	}
	values[7] = odbc_cell(row, OF_NULLABLE) == NULL ? NULL : is_true(row, OF_NULLABLE) ? "t" : "f";
	values[8] = odbc_cell(row, OF_KEY) == NULL ? "f" : "t";
	values[9] = odbc_cell(row, OF_COMMENT);
	write_type(values, unit > 0 && length != NULL && *length == '-', type, sizeof(type));
	values[10] = type;
	values[13] = odbc_cell(row, OF_DEFAULT);
	values[15] = is_true(row, OF_IDENTITY) ? "by default" : NULL;
	values[17] = odbc_cell(row, OF_KEY);
	values[18] = odbc_cell(row, OF_COLLATION);
	return keep_row(session, sorter, values);
}

static bool
is_named(char *const *names, size_t count, const char *table)
{
	for (size_t i = 0; names != NULL && i < count; i++)
		if (strcmp(names[i], table) == 0)
			return true;
	return names == NULL;
}

static bool
list_columns(Session *session, OdbcLink *link, const Ask *ask)
{
	bool details =
		ask->question == QUESTION_COLUMN_DETAILS || ask->question == QUESTION_COLUMN_DETAILS_OF;
	size_t count = 0;
	char **names = ask->values[1] == NULL ? NULL : names_parse(ask->values[1], &count);
	Text sql = {0};
	OdbcRow row = {0};
	Sorter sorter;
	bool more = true;
	bool good;

	sorter_begin(&sorter, "tn", details ? 19 : 10, MAX_SORTED_BYTES);
	write_columns(&sql, ask, names, count);
	good = run(session, link, ask, &sql, NULL);
	while (good && (good = odbc_fetch(session, link, &row, OF_COLLATION, &more)) && more)
	{
		const char *schema = odbc_cell(&row, OF_SCHEMA);
		const char *table = odbc_cell(&row, OF_TABLE);

		if (schema != NULL && table != NULL && strcmp(schema, ask->values[0]) == 0 &&
			is_named(names, count, table))
			good = keep_column(session, &row, &sorter);
	}
	odbc_row_free(&row);
	odbc_close(link);
	text_free(&sql);
	if (names != NULL)
		names_free(names);
	good = good && send_rows(session, &sorter, ask);
	sorter_free(&sorter);
	return good;
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

/* The number of the connection, which all may see; and what is visible, counted here. */
static bool
overview(Session *session, OdbcLink *link, const Ask *ask)
{
	const char *values[6] = {NULL};
	char schemas[24];
	char tables[24];
	char pid[24] = "";
	long nschemas = 0;
	long ntables = 0;
	Text sql = {0};
	OdbcRow row = {0};
	bool more = true;
	bool good;

	text_add(&sql, "SELECT s.name, (SELECT COUNT(*) FROM sys.objects AS o WHERE"
				   " o.schema_id = s.schema_id AND o.type IN ('U', 'V') AND o.is_ms_shipped = 0),"
				   " @@SPID FROM sys.schemas AS s");
	good = run(session, link, ask, &sql, NULL);
	while (good && (good = odbc_fetch(session, link, &row, 3, &more)) && more)
		if (odbc_cell(&row, 1) != NULL && wants_schema(session, odbc_cell(&row, 1), ask))
		{
			nschemas++;
			ntables += odbc_cell(&row, 2) == NULL ? 0 : strtol(odbc_cell(&row, 2), NULL, 10);
			snprintf(pid, sizeof(pid), "%s", odbc_cell(&row, 3) == NULL ? "" : odbc_cell(&row, 3));
		}
	odbc_row_free(&row);
	odbc_close(link);
	text_free(&sql);
	snprintf(schemas, sizeof(schemas), "%ld", nschemas);
	snprintf(tables, sizeof(tables), "%ld", ntables);
	values[0] = *pid == '\0' ? NULL : pid;
	values[2] = schemas;
	values[4] = tables;
	return good && session_row(session, values, NULL, 6);
}

/* The ask of the driver for SQL Server. */
bool
tds_ask(Session *session, const Ask *ask)
{
	OdbcLink *link = session_state(session);

	switch (ask->question)
	{
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			return list_schemas(session, link, ask);
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
		case QUESTION_TABLE_DETAILS:
		case QUESTION_ALL_TABLES:
			return list_tables(session, link, ask);
		case QUESTION_COLUMNS:
		case QUESTION_COLUMNS_OF:
		case QUESTION_COLUMN_DETAILS:
		case QUESTION_COLUMN_DETAILS_OF:
			return list_columns(session, link, ask);
		case QUESTION_OVERVIEW:
			return overview(session, link, ask);
		default:
			return odbc_ask(session, ask);
	}
}
