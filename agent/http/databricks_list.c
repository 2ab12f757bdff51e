/*
 * databricks_list.c
 *		The driver for Databricks: the listings of Unity Catalog.
 *
 * They come page by page, in no order, and a page may be empty; keys are told only of tables
 * that are asked for one by one.
 */
#include <stdio.h>
#include <string.h>

#include "databricks.h"
#include "drivers.h"

#define UNITY            "/api/2.1/unity-catalog/"
#define MAX_SINGLE_ASKED 100 /* tables that are asked for one by one */
#define SYSTEM_SCHEMA    "information_schema"
#define NUMBER_BYTES     24

/* schema, table, kind, estimate, comment, partition of, owner */
#define TABLE_WIDTH 7
/* table, ordinal, column, type, length, precision, scale, nullable, primary key, comment, full type */
#define COLUMN_WIDTH 11

typedef struct Listing
{
	Session *session;
	CloudLink *link;
	const Ask *ask;
	Sorter sorter;
	json_t *wanted; /* NULL: all; else an object of names */
} Listing;

/* ---- schemas ---------------------------------------------------------------------------------------- */

static bool
take_schemas(void *argument, const json_t *page)
{
	Listing *listing = argument;
	const json_t *schema;
	size_t i;
	bool good = true;

	json_array_foreach(json_object_get(page, "schemas"), i, schema)
	{
		const char *name = json_text(schema, "name");

		if (good && name != NULL &&
			(value_is_true(listing->ask->values[0]) || strcmp(name, SYSTEM_SCHEMA) != 0))
			good = cloud_add(listing->session, &listing->sorter, &name);
	}
	return good;
}

/* Gather the names of the schemas in listing->sorter. */
static bool
list_schemas(Listing *listing)
{
	Text path = {0};
	bool good;

	sorter_begin(&listing->sorter, "t", 1, MAX_SORTED_BYTES);
	text_add(&path, UNITY "schemas?max_results=0&catalog_name=");
	http_add_encoded(&path, listing->link->catalog);
	good = cloud_pages(listing->session, listing->link, &path, "page_token", "next_page_token",
					   take_schemas, listing);
	text_free(&path);
	return good;
}

/* ---- tables ------------------------------------------------------------------------------------------ */

static const char *
kind_of(const char *type)
{
	if (type == NULL)
		return "table";
	if (strcmp(type, "MATERIALIZED_VIEW") == 0)
		return "materialized_view";
	if (strcmp(type, "FOREIGN") == 0)
		return "foreign_table";
	return strstr(type, "VIEW") != NULL ? "view" : "table";
}

static const char *
text_or_null(const json_t *object, const char *key)
{
	const char *text = json_text(object, key);

	return text == NULL || *text == '\0' ? NULL : text;
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
		const char *values[TABLE_WIDTH] = {json_text(table, "schema_name"),
										   json_text(table, "name"),
										   kind_of(json_text(table, "table_type")),
										   NULL,
										   text_or_null(table, "comment"),
										   NULL,
										   text_or_null(table, "owner")};

		if (good && values[0] != NULL && values[1] != NULL &&
			cloud_is_wanted(listing->ask, values[1]))
			good = cloud_add(listing->session, &listing->sorter, values);
	}
	return good;
}

static bool
page_tables(Listing *listing, const char *schema, bool columns, CloudPage take)
{
	Text path = {0};
	bool good;

	text_addf(&path, UNITY "tables?max_results=0&omit_properties=true%s&catalog_name=",
			  columns ? "" : "&omit_columns=true");
	http_add_encoded(&path, listing->link->catalog);
	text_add(&path, "&schema_name=");
	http_add_encoded(&path, schema);
	good = cloud_pages(listing->session, listing->link, &path, "page_token", "next_page_token",
					   take, listing);
	text_free(&path);
	return good;
}

/* Put the tables of one schema. */
static bool
put_tables(Listing *listing, const char *schema)
{
	bool all = listing->ask->question == QUESTION_ALL_TABLES;
	int nvalues = cloud_table_values(listing->ask->question);
	const char **row;
	bool good;

	if (nvalues > TABLE_WIDTH - 1)
		nvalues = TABLE_WIDTH - 1;
	sorter_begin(&listing->sorter, "tt", TABLE_WIDTH, MAX_SORTED_BYTES);
	good = page_tables(listing, schema, false, take_tables);
	sorter_sort(&listing->sorter);
	while (good && (row = sorter_next(&listing->sorter)) != NULL)
		good =
			session_row(listing->session, all ? row : row + 1, NULL, all ? nvalues + 1 : nvalues);
	sorter_free(&listing->sorter);
	return good;
}

static bool
put_all_tables(Listing *listing)
{
	bool good = list_schemas(listing);
	Sorter schemas = listing->sorter;
	const char **row;

	sorter_sort(&schemas);
	while (good && (row = sorter_next(&schemas)) != NULL)
		good = put_tables(listing, row[0]);
	sorter_free(&schemas);
	return good;
}

/* ---- columns ------------------------------------------------------------------------------------------- */

/* Is the column in the primary key?  NULL: the answer does not tell. */
static const char *
in_primary_key(const json_t *table, const char *column)
{
	const json_t *constraints = json_object_get(table, "table_constraints");
	const json_t *constraint;
	const json_t *name;
	size_t i, k;

	json_array_foreach(constraints, i, constraint)
	{
		const json_t *key = json_object_get(constraint, "primary_key_constraint");

		json_array_foreach(json_object_get(key, "child_columns"), k, name)
		{
			if (json_is_string(name) && strcmp(json_string_value(name), column) == 0)
				return "t";
		}
	}
	return json_is_array(constraints) ? "f" : NULL;
}

static bool
add_column(Listing *listing, const json_t *table, const json_t *column, size_t place)
{
	char ordinal[NUMBER_BYTES], precision[NUMBER_BYTES], scale[NUMBER_BYTES];
	const json_t *position = json_object_get(column, "position");
	const char *type = json_text(column, "type_name");
	bool decimal = type != NULL && strcmp(type, "DECIMAL") == 0;
	const char *values[COLUMN_WIDTH] = {
		json_text(table, "name"),
		ordinal,
		json_text(column, "name"),
		type,
		NULL,
		decimal ? cloud_number(json_object_get(column, "type_precision"), precision, NUMBER_BYTES)
				: NULL,
		decimal ? cloud_number(json_object_get(column, "type_scale"), scale, NUMBER_BYTES) : NULL,
		json_is_false(json_object_get(column, "nullable")) ? "f" : "t",
		NULL,
		text_or_null(column, "comment"),
		json_text(column, "type_text")};

	snprintf(ordinal, sizeof(ordinal), "%zu",
			 json_is_integer(position) ? (size_t) json_integer_value(position) + 1 : place + 1);
	if (values[2] == NULL)
		return true;
	values[8] = in_primary_key(table, values[2]);
	return cloud_add(listing->session, &listing->sorter, values);
}

static bool
add_columns(Listing *listing, const json_t *table)
{
	const char *name = json_text(table, "name");
	const json_t *column;
	size_t i;
	bool good = true;

	if (name == NULL || (listing->wanted != NULL && json_object_get(listing->wanted, name) == NULL))
		return true;
	json_array_foreach(json_object_get(table, "columns"), i, column)
	{
		good = good && add_column(listing, table, column, i);
	}
	return good;
}

static bool
take_columns(void *argument, const json_t *page)
{
	const json_t *table;
	size_t i;
	bool good = true;

	json_array_foreach(json_object_get(page, "tables"), i, table)
	{
		good = good && add_columns(argument, table);
	}
	return good;
}

/* Ask for one table. */
static bool
ask_table(Listing *listing, const char *schema, const char *name)
{
	Text path = {0};
	CloudRequest request = {.method = "GET", .may_be_missing = true};
	CloudOutcome outcome;
	json_t *table;

	text_add(&path, UNITY "tables/");
	http_add_encoded(&path, listing->link->catalog);
	text_add(&path, ".");
	http_add_encoded(&path, schema);
	text_add(&path, ".");
	http_add_encoded(&path, name);
	request.path = path.bytes;
	outcome = cloud_ask(listing->session, listing->link, &request, &table);
	if (outcome == CLOUD_DONE && !add_columns(listing, table))
		outcome = CLOUD_FAILED;
	json_decref(table);
	text_free(&path);
	return outcome != CLOUD_FAILED;
}

/* The names that are asked about, as the keys of an object; NULL: all are. */
static json_t *
read_wanted(const Ask *ask)
{
	json_t *wanted = NULL;
	char **names;
	size_t count;

	if (ask->values[1] == NULL)
		return NULL;
	wanted = json_object();
	names = names_parse(ask->values[1], &count);
	for (size_t i = 0; i < count; i++)
		(void) json_object_set_new(wanted, names[i], json_true());
	names_free(names);
	return wanted;
}

static bool
put_columns(Listing *listing)
{
	const char *schema = listing->ask->values[0];
	const char *name;
	json_t *unused;
	bool good = true;

	listing->wanted = read_wanted(listing->ask);
	sorter_begin(&listing->sorter, "tn", COLUMN_WIDTH, MAX_SORTED_BYTES);
	if (listing->wanted != NULL && json_object_size(listing->wanted) <= MAX_SINGLE_ASKED)
	{
		json_object_foreach(listing->wanted, name, unused)
		{
			good = good && ask_table(listing, schema, name);
		}
	}
	else
		good = page_tables(listing, schema, true, take_columns);
	json_decref(listing->wanted);
	if (good)
		return cloud_put(listing->session, &listing->sorter,
						 cloud_is_about_details(listing->ask->question) ? 11 : 10, NULL);
	sorter_free(&listing->sorter);
	return false;
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

static bool
put_schemas(Listing *listing)
{
	if (list_schemas(listing))
		return cloud_put(listing->session, &listing->sorter, 1, NULL);
	sorter_free(&listing->sorter);
	return false;
}

/* The tables of all schemas are not counted for it: each schema would be a listing. */
static bool
put_overview(Listing *listing)
{
	return cloud_put_overview(listing->session, &listing->sorter, list_schemas(listing));
}

/* The driver's ask. */
bool
databricks_ask(Session *session, const Ask *ask)
{
	Listing listing = {.session = session, .link = session_state(session), .ask = ask};

	switch (ask->question)
	{
		case QUESTION_PROBE:
			return databricks_probe(session, listing.link);
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			return put_schemas(&listing);
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
