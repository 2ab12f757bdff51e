/*
 * odbc_columns.c
 *		Lists columns through the catalog functions of ODBC, for any source.
 *
 * Some drivers tell columns of what is no table, as indexes, and count columns on from one table
 * to the next: the tables are looked up, and the columns counted again.  Primary keys have to be asked for table by table: they are told as long as there are few
 * tables and time, and are not known of the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odbc_link.h"

#define MAX_SINGLE_TABLES 50  /* that are asked for one by one */
#define MAX_KEYED_TABLES  200 /* whose keys are asked for */
#define MAX_KEY_COLUMNS   64

/* Columns of SQLColumns. */
#define OF_CATALOG  1
#define OF_SCHEMA   2
#define OF_TABLE    3
#define OF_COLUMN   4
#define OF_SQL_TYPE 5
#define OF_TYPE     6
#define OF_SIZE     7
#define OF_DIGITS   9
#define OF_NULLABLE 11
#define OF_REMARKS  12
#define OF_DEFAULT  13
#define OF_ORDINAL  17
#define NCELLS      17

/* Values of the answer (wire/question.c). */
#define TABLE        0
#define ORDINAL      1
#define COLUMN       2
#define PRIMARY_KEY  8
#define COMMENT      9
#define FULL_TYPE    10
#define DEFAULT      13
#define KEY_POSITION 17
#define NCOLUMN      10
#define NDETAIL      18

/* The key of the table whose columns are being sent. */
typedef struct Key
{
	bool known;
	int ncolumns;
	char *columns[MAX_KEY_COLUMNS]; /* in the order of the key */
} Key;

/* ---- calling ---------------------------------------------------------------------------------------- */

typedef struct Place
{
	SQLWCHAR *catalog;
	SQLWCHAR *schema;
	SQLWCHAR *table; /* NULL: all */
} Place;

static SQLSMALLINT
length_of(const SQLWCHAR *wide)
{
	return wide == NULL ? 0 : SQL_NTS;
}

/* A name, in which an escape character stands for itself if it is part of a pattern. */
static SQLWCHAR *
wide_name(const OdbcLink *link, const char *name, bool pattern)
{
	Text text = {0};
	SQLWCHAR *wide;

	for (text_add(&text, ""); *name != '\0'; name++)
	{
		if (pattern && *name == link->escape)
			text_add_bytes(&text, name, 1);
		text_add_bytes(&text, name, 1);
	}
	wide = wide_of(text.bytes);
	text_free(&text);
	return wide;
}

static Place
place_of(const OdbcLink *link, const char *schema, const char *table, bool pattern)
{
	Place place = {NULL, NULL, NULL};

	if (link->names == NAMES_ARE_CATALOGS)
		place.catalog = wide_name(link, schema, pattern);
	else if (link->names == NAMES_ARE_SCHEMAS)
	{
		place.catalog = link->catalog == NULL ? NULL : wide_of(link->catalog);
		place.schema = wide_name(link, schema, pattern);
	}
	if (table != NULL)
		place.table = wide_name(link, table, pattern);
	else
		place.table = wide_of("%");
	return place;
}

static void
place_free(Place *place)
{
	free(place->catalog);
	free(place->schema);
	free(place->table);
}

static SQLRETURN
call_columns(OdbcLink *link, const char *schema, const char *table)
{
	Place place = place_of(link, schema, table, true);
	SQLRETURN result =
		SQLColumnsW(link->statement, place.catalog, length_of(place.catalog), place.schema,
					length_of(place.schema), place.table, length_of(place.table), NULL, 0);

	place_free(&place);
	return result;
}

static SQLRETURN
call_key(OdbcLink *link, const char *schema, const char *table)
{
	Place place = place_of(link, schema, table, false);
	SQLRETURN result =
		SQLPrimaryKeysW(link->statement, place.catalog, length_of(place.catalog), place.schema,
						length_of(place.schema), place.table, length_of(place.table));

	place_free(&place);
	return result;
}

/* ---- one column ---------------------------------------------------------------------------------------- */

/* Is it a type of characters, of which there are at most so many? */
static bool
has_length(long type)
{
	return type == SQL_CHAR || type == SQL_VARCHAR || type == SQL_WCHAR || type == SQL_WVARCHAR;
}

static bool
is_decimal_type(long type)
{
	return type == SQL_DECIMAL || type == SQL_NUMERIC;
}

/* A whole number that is not negative; NULL: it is none. */
static const char *
number_of(const OdbcRow *row, int column)
{
	const char *value = odbc_cell(row, column);

	return value != NULL && *value >= '0' && *value <= '9' ? value : NULL;
}

static void
write_full_type(const OdbcRow *row, const char **values, char *text, size_t size)
{
	const char *type = odbc_cell(row, OF_TYPE);

	if (type == NULL || strchr(type, '(') != NULL)
		snprintf(text, size, "%s", type == NULL ? "" : type);
	else if (values[5] != NULL && values[6] != NULL)
		snprintf(text, size, "%s(%s,%s)", type, values[5], values[6]);
	else if (values[4] != NULL)
		snprintf(text, size, "%s(%s)", type, values[4]);
	else
		snprintf(text, size, "%s", type);
	values[FULL_TYPE] = *text == '\0' ? NULL : text;
}

/* Keep the column of a row, which is the nth of its table as they come. */
static bool
keep_column(Session *session, const OdbcRow *row, int nth, Sorter *sorter)
{
	const char *values[NDETAIL] = {NULL};
	const char *type = odbc_cell(row, OF_SQL_TYPE);
	const char *nullable = odbc_cell(row, OF_NULLABLE);
	const char *remarks = odbc_cell(row, OF_REMARKS);
	long sql_type = type == NULL ? 0 : strtol(type, NULL, 10);
	char ordinal[16];
	char full_type[300];

	snprintf(ordinal, sizeof(ordinal), "%d", nth);
	values[TABLE] = odbc_cell(row, OF_TABLE);
	values[ORDINAL] = number_of(row, OF_ORDINAL) == NULL ? ordinal : number_of(row, OF_ORDINAL);
	values[COLUMN] = odbc_cell(row, OF_COLUMN);
	values[3] = odbc_cell(row, OF_TYPE);
	values[4] = has_length(sql_type) ? number_of(row, OF_SIZE) : NULL;
	values[5] = is_decimal_type(sql_type) ? number_of(row, OF_SIZE) : NULL;
	values[6] = is_decimal_type(sql_type) ? number_of(row, OF_DIGITS) : NULL;
	values[7] = nullable == NULL || *nullable == '2' ? NULL : *nullable == '0' ? "f" : "t";
	values[COMMENT] = remarks == NULL || *remarks == '\0' ? NULL : remarks;
	write_full_type(row, values, full_type, sizeof(full_type));
	/* The word NULL is none, as ODBC has it. */
	values[DEFAULT] = odbc_cell(row, OF_DEFAULT);
	if (values[DEFAULT] != NULL && strcmp(values[DEFAULT], "NULL") == 0)
		values[DEFAULT] = NULL;
	return values[TABLE] == NULL || values[COLUMN] == NULL || keep_row(session, sorter, values);
}

/* ---- all columns ------------------------------------------------------------------------------------------ */

static bool
is_of_schema(const OdbcLink *link, const OdbcRow *row, const char *schema)
{
	const char *found = odbc_cell(row, link->names == NAMES_ARE_CATALOGS ? OF_CATALOG : OF_SCHEMA);

	return link->names == NAMES_ARE_NONE || (found != NULL && strcmp(found, schema) == 0);
}

/* Is the table one of those that are asked for?  names may be NULL: all are. */
static bool
is_asked(char *const *names, size_t count, const char *table)
{
	for (size_t i = 0; table != NULL && names != NULL && i < count; i++)
		if (strcmp(names[i], table) == 0)
			return true;
	return table != NULL && names == NULL;
}

/* Keep the columns of a table, or with NULL of all that are asked for. */
static bool
collect(Session *session, OdbcLink *link, const Ask *ask, const char *table, char *const *names,
		size_t count, const Sorter *tables, Sorter *sorter)
{
	OdbcRow row = {0};
	Text last = {0}; /* the table of the last row */
	int nth = 0;
	bool more = true;
	bool good = odbc_ready(session, link, ask) &&
				odbc_succeeded(session, link, call_columns(link, ask->values[0], table));

	text_add(&last, "");
	while (good && (good = odbc_fetch(session, link, &row, NCELLS, &more)) && more)
	{
		const char *found = odbc_cell(&row, OF_TABLE);

		if (!is_of_schema(link, &row, ask->values[0]) || found == NULL ||
			(table != NULL ? strcmp(found, table) != 0 : !is_asked(names, count, found)) ||
			!sorter_has(tables, found))
			continue;
		nth = strcmp(last.bytes, found) == 0 ? nth + 1 : 1;
		text_clear(&last);
		text_add(&last, found);
		good = keep_column(session, &row, nth, sorter);
	}
	text_free(&last);
	odbc_row_free(&row);
	odbc_close(link);
	return good;
}

static bool
collect_all(Session *session, OdbcLink *link, const Ask *ask, Sorter *sorter)
{
	bool named =
		(ask->question == QUESTION_COLUMNS_OF || ask->question == QUESTION_COLUMN_DETAILS_OF) &&
		ask->values[1] != NULL;
	size_t count = 0;
	char **names = named ? names_parse(ask->values[1], &count) : NULL;
	Sorter tables;
	bool good = catalog_collect_tables(session, link, ask, &tables);

	if (named && count <= MAX_SINGLE_TABLES)
		for (size_t i = 0; good && i < count; i++)
			good = collect(session, link, ask, names[i], NULL, 0, &tables, sorter);
	else if (good)
		good = collect(session, link, ask, NULL, names, count, &tables, sorter);
	sorter_free(&tables);
	if (names != NULL)
		names_free(names);
	return good;
}

/* ---- keys --------------------------------------------------------------------------------------------------- */

static void
forget_key(Key *key)
{
	for (int i = 0; i < key->ncolumns; i++)
		free(key->columns[i]);
	*key = (Key){0};
}

/* Column 4 of SQLPrimaryKeys is the column, 5 its position. */
static void
take_key_column(Key *key, const OdbcRow *row)
{
	const char *column = odbc_cell(row, 4);
	const char *position = odbc_cell(row, 5);
	long place = position == NULL ? 0 : strtol(position, NULL, 10);

	if (column == NULL || place < 1 || place > MAX_KEY_COLUMNS)
		return;
	while (key->ncolumns < place)
		key->columns[key->ncolumns++] = NULL;
	free(key->columns[place - 1]);
	key->columns[place - 1] = strdup(column);
}

/* Learn the key of a table; false: session_fault was called.  A driver may not know of keys. */
static bool
learn_key(Session *session, OdbcLink *link, const Ask *ask, const char *table, Key *key)
{
	OdbcRow row = {0};
	bool more = true;
	bool good = odbc_ready(session, link, ask);

	forget_key(key);
	if (!good || !SQL_SUCCEEDED(call_key(link, ask->values[0], table)))
	{
		odbc_close(link);
		return good && !session_is_cancelled(session);
	}
	while (good && (good = odbc_fetch(session, link, &row, 5, &more)) && more)
		take_key_column(key, &row);
	key->known = good;
	odbc_row_free(&row);
	odbc_close(link);
	return good;
}

/* Put into a row what is known of its column's place in the key; text is where a number may stand. */
static void
place_in_key(const Key *key, const char **row, char *text, size_t size)
{
	row[PRIMARY_KEY] = key->known ? "f" : NULL;
	for (int i = 0; i < key->ncolumns; i++)
		if (key->columns[i] != NULL && strcmp(key->columns[i], row[COLUMN]) == 0)
		{
			snprintf(text, size, "%d", i + 1);
			row[PRIMARY_KEY] = "t";
			row[KEY_POSITION] = text;
		}
}

/* ---- the answer ----------------------------------------------------------------------------------------------- */

static bool
send_columns(Session *session, OdbcLink *link, const Ask *ask, Sorter *sorter)
{
	bool details =
		ask->question == QUESTION_COLUMN_DETAILS || ask->question == QUESTION_COLUMN_DETAILS_OF;
	const char *last = NULL;
	const char **row;
	Key key = {0};
	char position[16];
	char ordinal[16];
	int nth = 0;
	int nkeyed = 0;
	bool good = true;

	sorter_sort(sorter);
	while (good && (row = sorter_next(sorter)) != NULL)
	{
		if (last == NULL || strcmp(last, row[TABLE]) != 0)
		{
			last = row[TABLE];
			nth = 0;
			forget_key(&key);
			if (nkeyed++ < MAX_KEYED_TABLES && session_time_left(session) > ask->timeout_ms / 2)
				good = learn_key(session, link, ask, last, &key);
		}
		place_in_key(&key, row, position, sizeof(position));
		snprintf(ordinal, sizeof(ordinal), "%d", ++nth);
		row[ORDINAL] = ordinal;
		good = good && session_row(session, row, NULL, details ? NDETAIL : NCOLUMN);
	}
	forget_key(&key);
	return good;
}

bool
catalog_columns(Session *session, OdbcLink *link, const Ask *ask)
{
	Sorter sorter;
	bool good;

	/* There is only the one. */
	if (link->names == NAMES_ARE_NONE && strcmp(ask->values[0], ONLY_SCHEMA) != 0)
		return true;
	sorter_begin(&sorter, "tn", NDETAIL, MAX_SORTED_BYTES);
	good = collect_all(session, link, ask, &sorter) && send_columns(session, link, ask, &sorter);
	sorter_free(&sorter);
	return good;
}
