/*
 * detail_functions.c
 *		Lists constraints and indexes, for SQL and for the bridge, columns for the bridge, and
 *		returns the definition of a view.
 *
 * dqds_list_columns itself is in list_functions.c, and the JSON of schemas and
 * tables in list_json.c.
 *
 * Each value of a remote server's row becomes a column or a JSON member, in the
 * same order, so tables describe the answers.  It must not know the queries.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "engine/wires.h"
#include "listing/answer_budget.h"
#include "listing/json_out.h"
#include "listing/list_arguments.h"
#include "listing/listing.h"
#include "listing/rows.h"
#include "wire/question.h"

PG_FUNCTION_INFO_V1(dqds_list_constraints);
PG_FUNCTION_INFO_V1(dqds_list_indexes);
PG_FUNCTION_INFO_V1(dqds_view_definition);
PG_FUNCTION_INFO_V1(dqds_list_columns_json);
PG_FUNCTION_INFO_V1(dqds_list_constraints_json);
PG_FUNCTION_INFO_V1(dqds_list_indexes_json);

/* The JSON members for the values of the answers. */
static const char *const column_members[] = {
	"tableName", "ordinalPosition", "columnName",         "columnType",        "length",
	"precision", "scale",           "nullable",           "primaryKey",        "comment",
	"fullType",  "baseType",        "enumLabels",         "defaultExpression", "generated",
	"identity",  "isUnique",        "primaryKeyPosition", "collation"};
static const char *const constraint_members[] = {
	"tableName",        "constraintName",  "constraintType",    "columnNames",
	"referencedSchema", "referencedTable", "referencedColumns", "definition"};
static const char *const index_members[] = {
	"tableName", "indexName",   "method",          "isUnique",  "isPrimary",
	"isValid",   "columnNames", "includedColumns", "predicate", "definition"};

StaticAssertDecl(lengthof(column_members) == COLUMN_DETAIL_VALUES,
				 "a value of a column is without a member, or a member without a value");
StaticAssertDecl(lengthof(constraint_members) == CONSTRAINT_VALUES, "likewise of a constraint");
StaticAssertDecl(lengthof(index_members) == INDEX_VALUES, "likewise of an index");

/* What is listed: the question, its name in messages, and the JSON members. */
typedef struct Subject
{
	Question question;
	const char *what;
	const char *const *members;
} Subject;

static const Subject columns = {QUESTION_COLUMN_DETAILS, "columns", column_members};
static const Subject constraints = {QUESTION_CONSTRAINTS, "constraints", constraint_members};
static const Subject indexes = {QUESTION_INDEXES, "indexes", index_members};
static const Subject view_definition = {QUESTION_VIEW_DEFINITION, "definitions of views", NULL};

/* The destination of the answer: one of the three is used. */
typedef struct Output
{
	const Subject *subject;
	RowsOut rows;
	JsonOut json;
	StringInfoData definition;
	AnswerBudget budget; /* for the definition */
} Output;

/* ---- asking ------------------------------------------------------------------------- */

/* Raise an error if the question is not supported for this provider. */
static void
check_provider(const Listing *listing, const Subject *subject)
{
	Failure failure = {0};

	if (listing->connection.failure.code != DQDS_OK ||
		provider_can_answer(listing->connection.target.provider, subject->question))
		return;
	failure_set(&failure, DQDS_UNSUPPORTED_PROVIDER,
				"Tables and columns can be listed for every provider that works.",
				"%s can be listed only for connections of provider type %s", subject->what,
				providers_that_answer(subject->question));
	failure_raise(&failure);
}

static void
run(Listing *listing, const Caller *caller, Output *output)
{
	check_provider(listing, output->subject);
	listing->output = output;
	listing_run(listing, output->subject->question, caller);
}

/* ---- rows ------------------------------------------------------------------------------ */

static void
emit_row(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	const AnswerShape *answer = question_answer(listing->question);
	Datum values[2 + MAX_ANSWER_COLUMNS];
	bool nulls[2 + MAX_ANSWER_COLUMNS];

	row_text(&values[0], &nulls[0], listing->connection.name);
	row_text(&values[1], &nulls[1], listing->schema_name);
	row_values(&values[2], &nulls[2], answer, remote);
	rows_put(&output->rows, values, nulls);
}

static void
restart_rows(Listing *listing)
{
	Output *output = listing->output;

	rows_clear(&output->rows);
}

static Datum
list_rows(FunctionCallInfo fcinfo, const Subject *subject)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output = {.subject = subject};

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	listing.schema_name = name_argument(fcinfo, 1, "schema_name");
	listing_restrict_to_argument(&listing, &caller, fcinfo, 2);
	listing.emit = emit_row;
	listing.restart = restart_rows;
	rows_open(fcinfo, &output.rows);
	output.rows.source = &listing.connection.target;
	run(&listing, &caller, &output);
	statement_show(&scope);
	return (Datum) 0;
}

/* dqds_list_constraints(connection, schema_name, table_names) */
Datum
dqds_list_constraints(PG_FUNCTION_ARGS)
{
	return list_rows(fcinfo, &constraints);
}

/* dqds_list_indexes(connection, schema_name, table_names) */
Datum
dqds_list_indexes(PG_FUNCTION_ARGS)
{
	return list_rows(fcinfo, &indexes);
}

/* ---- the definition of a view ---------------------------------------------------------- */

static void
take_piece(Listing *listing, const char **remote)
{
	Output *output = listing->output;

	/* The remote server truncates names that are too long. */
	if (strcmp(remote[0], listing->view_name) != 0 || remote[1] == NULL)
		return;
	answer_budget_take(&output->budget, &listing->connection.target, strlen(remote[1]));
	appendStringInfoString(&output->definition, remote[1]);
}

static void
restart_definition(Listing *listing)
{
	Output *output = listing->output;

	resetStringInfo(&output->definition);
	memset(&output->budget, 0, sizeof(output->budget));
}

/*
 * dqds_view_definition(connection, schema_name, view_name): NULL if there is no
 * such view, or the remote user has no privilege on it.
 */
Datum
dqds_view_definition(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output = {.subject = &view_definition};

	caller_init(&caller, fcinfo);
	statement_hide_model(&scope, &caller, fcinfo);
	listing_init(&listing);
	connection_argument(&caller, fcinfo, &listing.connection);
	listing.schema_name = name_argument(fcinfo, 1, "schema_name");
	listing.view_name = name_argument(fcinfo, 2, "view_name");
	listing.emit = take_piece;
	listing.restart = restart_definition;
	initStringInfo(&output.definition);
	run(&listing, &caller, &output);
	statement_show(&scope);
	if (output.definition.len == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(output.definition.data, output.definition.len));
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void
append_member(StringInfo text, const char *name, AnswerValue kind, const char *value)
{
	switch (kind)
	{
		case ANSWER_TEXT:
		case ANSWER_NAME:
			json_out_string(text, name, value);
			break;
		case ANSWER_TEXT_ARRAY:
			json_out_text_array(text, name, value);
			break;
		case ANSWER_INTEGER:
		case ANSWER_BIGINT:
		case ANSWER_POSITION:
		case ANSWER_BOOLEAN:
			if (value == NULL)
				return;
			json_out_name(text, name);
			/* listing.c makes sure of their spelling. */
			appendStringInfoString(text, value);
			break;
	}
}

static void
emit_json(Listing *listing, const char **remote)
{
	Output *output = listing->output;
	StringInfo text = &output->json.text;
	const AnswerShape *answer = question_answer(listing->question);

	json_out_element(&output->json);
	json_out_string(text, "connectionName", listing->connection.name);
	json_out_string(text, "schemaName", listing->schema_name);
	for (int i = 0; i < answer->ncolumns; i++)
		append_member(text, output->subject->members[i], answer->values[i], remote[i]);
	appendStringInfoChar(text, '}');
}

static void
restart_json(Listing *listing)
{
	Output *output = listing->output;

	json_out_clear(&output->json);
	appendStringInfoChar(&output->json.text, '[');
}

/*
 * Restrict a listing to the table named by argument n (from 0), whatever the
 * name looks like; NULL means all tables.
 */
static void
restrict_to_name(Listing *listing, FunctionCallInfo fcinfo, int n)
{
	Datum name;

	if (PG_ARGISNULL(n))
		return;
	name = PG_GETARG_DATUM(n);
	listing_restrict(listing,
					 PointerGetDatum(construct_array(&name, 1, TEXTOID, -1, false, TYPALIGN_INT)));
}

/* Arguments: connection_name, schema_name, table_name; NULL for table_name means all tables. */
static Datum
list_json(FunctionCallInfo fcinfo, const Subject *subject)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	Output output = {.subject = subject};

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	listing_init(&listing);
	connection_by_name(&caller, name_argument(fcinfo, 0, "connection_name"), &listing.connection);
	listing.schema_name = name_argument(fcinfo, 1, "schema_name");
	restrict_to_name(&listing, fcinfo, 2);
	listing.emit = emit_json;
	listing.restart = restart_json;
	json_out_open(fcinfo, &output.json);
	output.json.rows.source = &listing.connection.target;
	appendStringInfoChar(&output.json.text, '[');
	run(&listing, &caller, &output);
	appendStringInfoChar(&output.json.text, ']');
	json_out_close(&output.json);
	statement_show(&scope);
	return (Datum) 0;
}

Datum
dqds_list_columns_json(PG_FUNCTION_ARGS)
{
	return list_json(fcinfo, &columns);
}

Datum
dqds_list_constraints_json(PG_FUNCTION_ARGS)
{
	return list_json(fcinfo, &constraints);
}

Datum
dqds_list_indexes_json(PG_FUNCTION_ARGS)
{
	return list_json(fcinfo, &indexes);
}
