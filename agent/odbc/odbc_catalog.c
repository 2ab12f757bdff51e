/*
 * odbc_catalog.c
 *		Lists schemas and tables through the catalog functions of ODBC, for any source.
 *
 * What is a schema for us is a schema of the source, or a catalog where it has no schemas, or
 * ONLY_SCHEMA where it has neither.  Names are handed to the functions as patterns that match
 * at least themselves, since drivers differ in whether they take them for patterns; more than
 * was asked for is left out here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "odbc_link.h"

/* Columns of SQLTables. */
#define OF_CATALOG 1
#define OF_SCHEMA  2
#define OF_TABLE   3
#define OF_TYPE    4
#define OF_REMARKS 5
#define NCELLS     5

/* What types of tables are for us; others are no tables. */
static const struct
{
	const char *type;
	const char *kind;
} kinds[] = {
	{"TABLE", "table"},
	{"BASE TABLE", "table"},
	{"SYSTEM TABLE", "table"},
	{"SYSTEM VERSIONED", "table"},
	{"GLOBAL TEMPORARY", "table"},
	{"PARTITIONED TABLE", "table"},
	{"HIERARCHY TABLE", "table"},
	{"TYPED TABLE", "table"},
	{"VIEW", "view"},
	{"SYSTEM VIEW", "view"},
	{"TYPED VIEW", "view"},
	{"CALC VIEW", "view"},
	{"OLAP VIEW", "view"},
	{"JOIN VIEW", "view"},
	{"MATVIEW", "materialized_view"},
	{"MATERIALIZED VIEW", "materialized_view"},
	{"MATERIALIZED QUERY TABLE", "materialized_view"},
	{"FOREIGN TABLE", "foreign_table"},
	{"EXTERNAL TABLE", "foreign_table"},
	{"NICKNAME", "foreign_table"},
};

/* The kind of a table of this type; NULL: it is no table. */
static const char *
kind_of(const char *type)
{
	for (size_t i = 0; type != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcasecmp(kinds[i].type, type) == 0)
			return kinds[i].kind;
	return NULL;
}

/* ---- calling --------------------------------------------------------------------------------------- */

/* A name as a pattern that matches it; the caller's to free.  NULL for NULL. */
static SQLWCHAR *
pattern_of(const OdbcLink *link, const char *name)
{
	Text text = {0};
	SQLWCHAR *wide;

	if (name == NULL)
		return NULL;
	/* Wildcards stay as they are: they match themselves as well, and there may be no patterns. */
	for (text_add(&text, ""); *name != '\0'; name++)
	{
		if (*name == link->escape)
			text_add_bytes(&text, name, 1);
		text_add_bytes(&text, name, 1);
	}
	wide = wide_of(text.bytes);
	text_free(&text);
	return wide;
}

static SQLRETURN
call_tables(OdbcLink *link, const char *catalog, const char *schema, const char *table)
{
	/* Where catalogs take the place of schemas, drivers read patterns in their place, too. */
	SQLWCHAR *wide_catalog = link->names == NAMES_ARE_CATALOGS ? pattern_of(link, catalog)
							 : catalog == NULL                 ? NULL
															   : wide_of(catalog);
	SQLWCHAR *wide_schema = pattern_of(link, schema);
	SQLWCHAR *wide_table = wide_of(table);
	SQLRETURN result =
		SQLTablesW(link->statement, wide_catalog, wide_catalog == NULL ? 0 : SQL_NTS, wide_schema,
				   wide_schema == NULL ? 0 : SQL_NTS, wide_table, SQL_NTS, NULL, 0);

	free(wide_catalog);
	free(wide_schema);
	free(wide_table);
	return result;
}

/* Call SQLTables for one schema, or with NULL for all of them. */
static SQLRETURN
call_tables_of(OdbcLink *link, const char *schema)
{
	if (link->names == NAMES_ARE_SCHEMAS)
		return call_tables(link, link->catalog, schema == NULL ? "%" : schema, "%");
	if (link->names == NAMES_ARE_CATALOGS)
		return call_tables(link, schema == NULL ? "%" : schema, NULL, "%");
	return call_tables(link, NULL, NULL, "%");
}

/* The schema, as it is for us, of a row; NULL: it is none of ours. */
static const char *
schema_of(const OdbcLink *link, const OdbcRow *row)
{
	const char *catalog = odbc_cell(row, OF_CATALOG);

	if (link->names == NAMES_ARE_NONE)
		return ONLY_SCHEMA;
	if (link->names == NAMES_ARE_CATALOGS)
		return catalog;
	if (link->catalog != NULL && catalog != NULL && *catalog != '\0' &&
		strcmp(catalog, link->catalog) != 0)
		return NULL;
	return odbc_cell(row, OF_SCHEMA);
}

/* ---- schemas ----------------------------------------------------------------------------------------- */

/* Keep the schemas of what the statement has found. */
static bool
keep_schemas(Session *session, OdbcLink *link, const Ask *ask, Sorter *sorter)
{
	OdbcRow row = {0};
	bool more = true;
	bool good = true;

	while (good && (good = odbc_fetch(session, link, &row, NCELLS, &more)) && more)
	{
		const char *schema = schema_of(link, &row);

		if (schema != NULL && *schema != '\0' && wants_schema(session, schema, ask))
			good = keep_row(session, sorter, &schema);
	}
	odbc_row_free(&row);
	odbc_close(link);
	return good;
}

/* Ask for schemas as ODBC has it; false: the driver does not have it so. */
static bool
call_schemas(OdbcLink *link)
{
	SQLRETURN result = link->names == NAMES_ARE_SCHEMAS ? call_tables(link, "", "%", "")
														: call_tables(link, "%", "", "");

	return SQL_SUCCEEDED(result);
}

/* Collect all schemas; false: session_fault was called. */
static bool
collect_schemas(Session *session, OdbcLink *link, const Ask *ask, Sorter *sorter)
{
	const char *only = ONLY_SCHEMA;

	if (link->names == NAMES_ARE_NONE)
		return keep_row(session, sorter, &only);
	if (!odbc_ready(session, link, ask))
		return false;
	if (call_schemas(link) && !keep_schemas(session, link, ask, sorter))
		return false;
	odbc_close(link);
	if (sorter->nrows > 0)
		return true;
	/* Not all drivers answer that; then the schemas are those of the tables. */
	return odbc_ready(session, link, ask) &&
		   odbc_succeeded(session, link, call_tables_of(link, NULL)) &&
		   keep_schemas(session, link, ask, sorter);
}

bool
catalog_schemas(Session *session, OdbcLink *link, const Ask *ask)
{
	Sorter sorter;

	sorter_begin(&sorter, "t", 1, MAX_SORTED_BYTES);
	if (collect_schemas(session, link, ask, &sorter))
		return send_rows(session, &sorter, ask);
	sorter_free(&sorter);
	return false;
}

/* ---- tables ------------------------------------------------------------------------------------------- */

/* Some drivers say of a view that it is one, in place of a comment. */
static const char *
comment_of(const OdbcRow *row, const char *kind)
{
	const char *remarks = odbc_cell(row, OF_REMARKS);

	if (remarks == NULL || *remarks == '\0' ||
		(strcmp(kind, "view") == 0 && strcmp(remarks, "VIEW") == 0))
		return NULL;
	return remarks;
}

static bool
keep_table(Session *session, const Ask *ask, const OdbcRow *row, const char *schema, Sorter *sorter)
{
	const char *table = odbc_cell(row, OF_TABLE);
	const char *kind = kind_of(odbc_cell(row, OF_TYPE));
	const char *values[5];
	int first = ask->question == QUESTION_ALL_TABLES ? 0 : 1;

	if (table == NULL || kind == NULL || !wants_table(ask, table))
		return true;
	values[0] = schema;
	values[1] = table;
	values[2] = kind;
	values[3] = NULL; /* how many rows it has, no function tells without counting */
	values[4] = comment_of(row, kind);
	return keep_row(session, sorter, values + first);
}

/* Keep the tables of the schema that is asked about, or of all; false: session_fault was called. */
static bool
collect_tables(Session *session, OdbcLink *link, const Ask *ask, Sorter *sorter)
{
	bool all = ask->question == QUESTION_ALL_TABLES;
	const char *asked = all ? NULL : ask->values[0];
	OdbcRow row = {0};
	bool more = true;
	bool good = odbc_ready(session, link, ask) &&
				odbc_succeeded(session, link, call_tables_of(link, asked));

	while (good && (good = odbc_fetch(session, link, &row, NCELLS, &more)) && more)
	{
		const char *schema = schema_of(link, &row);

		if (schema != NULL &&
			(all ? wants_schema(session, schema, ask) : strcmp(schema, asked) == 0))
			good = keep_table(session, ask, &row, schema, sorter);
	}
	odbc_row_free(&row);
	odbc_close(link);
	return good;
}

bool
catalog_tables(Session *session, OdbcLink *link, const Ask *ask)
{
	bool all = ask->question == QUESTION_ALL_TABLES;
	int nvalues = all ? 5 : ask->question == QUESTION_TABLE_NAMES ? 1 : 4;
	Sorter sorter;
	bool good;

	sorter_begin(&sorter, all ? "tt" : "t", nvalues, MAX_SORTED_BYTES);
	good = collect_tables(session, link, ask, &sorter) && send_rows(session, &sorter, ask);
	sorter_free(&sorter);
	return good;
}

/*
 * Put the names of all tables of the schema that a question about columns names into the
 * sorter, and sort them; false: session_fault was called.
 */
bool
catalog_collect_tables(Session *session, OdbcLink *link, const Ask *ask, Sorter *sorter)
{
	const Ask tables = {.question = QUESTION_TABLE_NAMES,
						.values = {ask->values[0]},
						.timeout_ms = ask->timeout_ms};

	sorter_begin(sorter, "t", 1, MAX_SORTED_BYTES / 4);
	if (!collect_tables(session, link, &tables, sorter))
		return false;
	sorter_sort(sorter);
	return true;
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

/* Which schemas may be used, and which tables read, no function tells. */
bool
catalog_overview(Session *session, OdbcLink *link, const Ask *ask)
{
	const char *values[6] = {NULL};
	char schemas[24];
	char tables[24];
	long ntables = 0;
	OdbcRow row = {0};
	Sorter sorter;
	bool more = true;
	bool good;

	sorter_begin(&sorter, "t", 1, MAX_SORTED_BYTES);
	good = collect_schemas(session, link, ask, &sorter);
	snprintf(schemas, sizeof(schemas), "%zu", sorter.nrows);
	sorter_free(&sorter);
	good = good && odbc_ready(session, link, ask) &&
		   odbc_succeeded(session, link, call_tables_of(link, NULL));
	while (good && (good = odbc_fetch(session, link, &row, OF_TYPE, &more)) && more)
	{
		const char *schema = schema_of(link, &row);

		if (schema != NULL && wants_schema(session, schema, ask) &&
			kind_of(odbc_cell(&row, OF_TYPE)) != NULL)
			ntables++;
	}
	odbc_row_free(&row);
	odbc_close(link);
	snprintf(tables, sizeof(tables), "%ld", ntables);
	values[2] = schemas;
	values[4] = tables;
	return good && session_row(session, values, NULL, 6);
}
