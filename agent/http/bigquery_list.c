/*
 * bigquery_list.c
 *		The driver for BigQuery: lists datasets, tables and columns over its REST API.
 *
 * No job is run, so that nothing has to be paid for.  A listing of tables tells little more
 * than names: what else there is, each table is asked for.
 */
#include <stdio.h>
#include <string.h>

#include "bigquery.h"
#include "drivers.h"

#define MAX_SINGLE_ASKED 50 /* tables of a listing that are asked for their rows and comments */
#define NUMBER_BYTES     24

/* schema, table, kind, estimate, comment, partition of, owner, size */
#define TABLE_WIDTH 8
/* table, ordinal, column, type, length, precision, scale, nullable, primary key, comment, full type */
#define COLUMN_WIDTH 11

typedef struct Listing
{
	Session *session;
	CloudLink *link;
	const Ask *ask;
	const char *dataset;
	Sorter sorter;
} Listing;

/* ---- datasets ---------------------------------------------------------------------------------------- */

static bool
take_datasets(void *argument, const json_t *page)
{
	Listing *listing = argument;
	const json_t *dataset;
	size_t i;
	bool good = true;

	json_array_foreach(json_object_get(page, "datasets"), i, dataset)
	{
		const char *name = json_text(json_object_get(dataset, "datasetReference"), "datasetId");

		/* Those that begin so are BigQuery's own, for results. */
		if (good && name != NULL && (*name != '_' || value_is_true(listing->ask->values[0])))
			good = cloud_add(listing->session, &listing->sorter, &name);
	}
	return good;
}

/* Gather the names of the datasets in listing->sorter. */
static bool
list_datasets(Listing *listing)
{
	Text path = {0};
	bool good;

	sorter_begin(&listing->sorter, "t", 1, MAX_SORTED_BYTES);
	bigquery_begin_path(&path, listing->link);
	text_addf(&path, "/datasets?maxResults=1000%s",
			  value_is_true(listing->ask->values[0]) ? "&all=true" : "");
	good = cloud_pages(listing->session, listing->link, &path, "pageToken", "nextPageToken",
					   take_datasets, listing);
	text_free(&path);
	return good;
}

/* ---- tables -------------------------------------------------------------------------------------------- */

static const char *
kind_of(const char *type)
{
	static const struct
	{
		const char *type;
		const char *kind;
	} kinds[] = {{"VIEW", "view"},
				 {"MATERIALIZED_VIEW", "materialized_view"},
				 {"EXTERNAL", "foreign_table"}};

	for (size_t i = 0; type != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return kinds[i].kind;
	return "table";
}

static bool
take_tables(void *argument, const json_t *page)
{
	Listing *listing = argument;
	const json_t *table;
	size_t i;
	bool good = true;

	json_array_foreach(json_object_get(page, "tables"), i, table)
	{
		const char *values[TABLE_WIDTH] = {
			listing->dataset, json_text(json_object_get(table, "tableReference"), "tableId"),
			kind_of(json_text(table, "type"))};

		if (good && values[1] != NULL && cloud_is_wanted(listing->ask, values[1]))
			good = cloud_add(listing->session, &listing->sorter, values);
	}
	return good;
}

/* Gather the tables of a dataset in listing->sorter, in order. */
static bool
list_tables(Listing *listing, const char *dataset)
{
	Text path = {0};
	bool good;

	listing->dataset = dataset;
	sorter_begin(&listing->sorter, "tt", TABLE_WIDTH, MAX_SORTED_BYTES);
	bigquery_begin_path(&path, listing->link);
	text_add(&path, "/datasets/");
	http_add_encoded(&path, dataset);
	text_add(&path, "/tables?maxResults=1000");
	good = cloud_pages(listing->session, listing->link, &path, "pageToken", "nextPageToken",
					   take_tables, listing);
	sorter_sort(&listing->sorter);
	text_free(&path);
	return good;
}

/* What is known of one table; the caller's to free by json_decref(). */
static CloudOutcome
ask_table(Listing *listing, const char *dataset, const char *name, json_t **table)
{
	Text path = {0};
	CloudRequest request = {.method = "GET", .may_be_missing = true};
	CloudOutcome outcome;

	bigquery_begin_path(&path, listing->link);
	text_add(&path, "/datasets/");
	http_add_encoded(&path, dataset);
	text_add(&path, "/tables/");
	http_add_encoded(&path, name);
	request.path = path.bytes;
	outcome = cloud_ask(listing->session, listing->link, &request, table);
	text_free(&path);
	return outcome;
}

/* Put a row about a table, with what it itself tells if it is asked. */
static bool
put_table(Listing *listing, const char **row, bool asked)
{
	bool all = listing->ask->question == QUESTION_ALL_TABLES;
	int nvalues = cloud_table_values(listing->ask->question);
	char rows[NUMBER_BYTES], size[NUMBER_BYTES];
	json_t *table = NULL;
	const char *comment;
	bool good = true;

	if (asked)
		good = ask_table(listing, row[0], row[1], &table) != CLOUD_FAILED;
	comment = json_text(table, "description");
	if (table != NULL)
	{
		/* Of a view it is always 0. */
		if (strstr(row[2], "view") == NULL)
			row[3] = cloud_number(json_object_get(table, "numRows"), rows, sizeof(rows));
		row[4] = comment == NULL || *comment == '\0' ? NULL : comment;
		if (value_is_true(listing->ask->values[5]) && strcmp(row[2], "table") == 0)
			row[7] = cloud_number(json_object_get(table, "numBytes"), size, sizeof(size));
	}
	if (nvalues > TABLE_WIDTH - 1)
		nvalues = TABLE_WIDTH - 1;
	good = good &&
		   session_row(listing->session, all ? row : row + 1, NULL, all ? nvalues + 1 : nvalues);
	json_decref(table);
	return good;
}

static bool
put_tables(Listing *listing, const char *dataset)
{
	bool good = list_tables(listing, dataset);
	bool asked =
		listing->ask->question != QUESTION_TABLE_NAMES && listing->sorter.nrows <= MAX_SINGLE_ASKED;
	const char **row;

	while (good && (row = sorter_next(&listing->sorter)) != NULL)
		good = put_table(listing, row, asked);
	sorter_free(&listing->sorter);
	return good;
}

static bool
put_all_tables(Listing *listing)
{
	bool good = list_datasets(listing);
	Sorter datasets = listing->sorter;
	const char **row;

	sorter_sort(&datasets);
	while (good && (row = sorter_next(&datasets)) != NULL)
		good = put_tables(listing, row[0]);
	sorter_free(&datasets);
	return good;
}

/* ---- columns --------------------------------------------------------------------------------------------- */

static const char *
in_primary_key(const json_t *table, const char *column)
{
	const json_t *key = json_object_get(json_object_get(table, "tableConstraints"), "primaryKey");
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(key, "columns"), i, name)
	{
		if (json_is_string(name) && strcmp(json_string_value(name), column) == 0)
			return "t";
	}
	return "f";
}

static bool
put_column(Listing *listing, const json_t *table, const char *name, const json_t *field,
		   size_t place)
{
	char ordinal[NUMBER_BYTES], length[NUMBER_BYTES], precision[NUMBER_BYTES], scale[NUMBER_BYTES];
	const char *type = json_text(field, "type");
	const char *mode = json_text(field, "mode");
	const char *comment = json_text(field, "description");
	bool decimal = type != NULL && strstr(type, "NUMERIC") != NULL;
	const char *values[COLUMN_WIDTH] = {
		name,
		ordinal,
		json_text(field, "name"),
		type,
		cloud_number(json_object_get(field, "maxLength"), length, sizeof(length)),
		decimal ? cloud_number(json_object_get(field, "precision"), precision, sizeof(precision))
				: NULL,
		decimal ? cloud_number(json_object_get(field, "scale"), scale, sizeof(scale)) : NULL,
		mode != NULL && strcmp(mode, "REQUIRED") == 0 ? "f" : "t",
		NULL,
		comment == NULL || *comment == '\0' ? NULL : comment};
	Text array = {0};
	bool good;

	if (values[2] == NULL || type == NULL)
		return true;
	snprintf(ordinal, sizeof(ordinal), "%zu", place + 1);
	values[8] = in_primary_key(table, values[2]);
	text_addf(&array, "ARRAY<%s>", type);
	if (mode != NULL && strcmp(mode, "REPEATED") == 0)
		values[3] = array.bytes;
	values[10] = values[3];
	good = session_row(listing->session, values, NULL,
					   cloud_is_about_details(listing->ask->question) ? 11 : 10);
	text_free(&array);
	return good;
}

static bool
put_columns_of(Listing *listing, const char *name)
{
	json_t *table;
	const json_t *field;
	size_t i;
	CloudOutcome outcome = ask_table(listing, listing->ask->values[0], name, &table);
	bool good = outcome != CLOUD_FAILED;

	json_array_foreach(json_object_get(json_object_get(table, "schema"), "fields"), i, field)
	{
		good = good && put_column(listing, table, name, field, i);
	}
	json_decref(table);
	return good;
}

/* The names that are asked about, in order, as tables of a listing are. */
static void
list_wanted(Listing *listing)
{
	size_t count;
	char **names = names_parse(listing->ask->values[1], &count);

	sorter_begin(&listing->sorter, "tt", TABLE_WIDTH, MAX_SORTED_BYTES);
	for (size_t i = 0; i < count; i++)
	{
		const char *values[TABLE_WIDTH] = {"", names[i]};

		(void) sorter_add(&listing->sorter, values);
	}
	sorter_sort(&listing->sorter);
	names_free(names);
}

/* A request for each table: listings do not tell columns. */
static bool
put_columns(Listing *listing)
{
	Ask all = {.question = listing->ask->question};
	Listing names = {.session = listing->session, .link = listing->link, .ask = &all};
	const char *last = NULL;
	const char **row;
	bool good = true;

	if (listing->ask->values[1] != NULL)
		list_wanted(listing);
	else
	{
		good = list_tables(&names, listing->ask->values[0]);
		listing->sorter = names.sorter;
	}
	while (good && (row = sorter_next(&listing->sorter)) != NULL)
	{
		if (last == NULL || strcmp(last, row[1]) != 0)
			good = put_columns_of(listing, row[1]);
		last = row[1];
	}
	sorter_free(&listing->sorter);
	return good;
}

/* ---- asking ------------------------------------------------------------------------------------------------- */

static bool
put_datasets(Listing *listing)
{
	if (list_datasets(listing))
		return cloud_put(listing->session, &listing->sorter, 1, NULL);
	sorter_free(&listing->sorter);
	return false;
}

static bool
put_overview(Listing *listing)
{
	return cloud_put_overview(listing->session, &listing->sorter, list_datasets(listing));
}

/* The driver's ask. */
bool
bigquery_ask(Session *session, const Ask *ask)
{
	static const char *const one[] = {"1"};
	Listing listing = {.session = session, .link = session_state(session), .ask = ask};

	if (!cloud_is_ready(session, listing.link))
		return false;
	switch (ask->question)
	{
		case QUESTION_PROBE:
			return bigquery_check_project(session, listing.link) &&
				   session_row(session, one, NULL, 1);
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			return put_datasets(&listing);
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
		case QUESTION_TABLE_DETAILS:
			return put_tables(&listing, ask->values[0]);
		case QUESTION_ALL_TABLES:
			return put_all_tables(&listing);
		case QUESTION_OVERVIEW:
			return put_overview(&listing);
		default:
			return put_columns(&listing);
	}
}
