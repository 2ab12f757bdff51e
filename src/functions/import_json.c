/*
 * import_json.c
 *		dqds_import_tables_json: an import for the bridge, with parameters and answer in JSON.
 *
 * The answer describes a finished job, with the columns of each table in their
 * order, in pieces that the bridge concatenates.  It must not ask the remote
 * server itself.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "arguments/connection_argument.h"
#include "arguments/model_text.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "functions/jobs.h"
#include "listing/import.h"
#include "listing/json_out.h"
#include "listing/list_arguments.h"
#include "listing/listing.h"

PG_FUNCTION_INFO_V1(dqds_import_tables_json);

/* ---- parameters ------------------------------------------------------------------------ */

/* Get a member; returns false if it is missing or null.  Errors: 42804 for another type. */
static bool
member(Jsonb *object, const char *key, enum jbvType type, const char *expected, JsonbValue *value)
{
	if (getKeyJsonValueFromContainer(&object->root, key, strlen(key), value) == NULL ||
		value->type == jbvNull)
		return false;
	if (value->type != type || (type == jbvBinary && !JsonContainerIsArray(value->val.binary.data)))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("\"%s\" must be of type %s", key, expected)));
	return true;
}

/* A string, palloc'd; NULL if it is missing or null. */
static char *
string_member(Jsonb *object, const char *key)
{
	JsonbValue value;

	return member(object, key, jbvString, "string", &value)
			   ? pnstrdup(value.val.string.val, value.val.string.len)
			   : NULL;
}

static char *
required_member(Jsonb *object, const char *key)
{
	char *value = string_member(object, key);

	if (value == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is missing in the import parameters", key)));
	return value;
}

/* A limit; -1, which means no limit, if it is missing or null. */
static int64
limit_member(Jsonb *object, const char *key)
{
	JsonbValue value;
	char *digits;

	if (!member(object, key, jbvNumeric, "number", &value))
		return -1;
	digits = numeric_normalize(value.val.numeric);
	if (strspn(digits, "0123456789") != strlen(digits) || strlen(digits) > 10 ||
		strtoll(digits, NULL, 10) > PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" must be a whole number that is not negative", key)));
	return strtoll(digits, NULL, 10);
}

/* A text[] of the strings in an array; returns false if there are none. */
static bool
names_member(Jsonb *object, const char *key, Datum *names)
{
	JsonbValue value;
	JsonbValue item;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	ArrayBuildState *elements = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	int count = 0;

	if (!member(object, key, jbvBinary, "array", &value))
		return false;
	iterator = JsonbIteratorInit(value.val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (item.type != jbvString)
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("\"%s\" must be an array of strings", key)));
		(void) accumArrayResult(
			elements,
			PointerGetDatum(cstring_to_text_with_len(item.val.string.val, item.val.string.len)),
			false, TEXTOID, CurrentMemoryContext);
		count++;
	}
	*names = makeArrayResult(elements, CurrentMemoryContext);
	return count > 0;
}

/*
 * Read the parameters into the listing; returns the name of the connection,
 * which is not looked up yet.
 */
static char *
read_parameters(Jsonb *object, Listing *listing)
{
	Datum names;
	char *connection_name;

	/* The types of all members are checked first. */
	(void) string_member(object, "connectionName");
	(void) string_member(object, "schemaName");
	listing->max_rows = limit_member(object, "tablesImportLimit");
	if (names_member(object, "tableNames", &names))
		listing_restrict(listing, names);
	listing->contains = string_member(object, "tableNameContains");
	connection_name = required_member(object, "connectionName");
	listing->schema_name = required_member(object, "schemaName");
	return connection_name;
}

static Jsonb *
parameters_argument(FunctionCallInfo fcinfo)
{
	Jsonb *object = NULL;

	if (!PG_ARGISNULL(0))
		object =
			json_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), "the text of the import parameters");
	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("the import parameters must be a JSON object")));
	return object;
}

/* ---- the answer ------------------------------------------------------------------------- */

/* The positions of the values of a column in the answer to QUESTION_COLUMNS. */
typedef enum ColumnValue
{
	COLUMN_NAME = 2,
	COLUMN_TYPE,
	COLUMN_LENGTH,
	COLUMN_PRECISION,
	COLUMN_SCALE,
	COLUMN_NULLABLE,
	COLUMN_PRIMARY_KEY
} ColumnValue;

typedef struct ImportDocument
{
	JsonOut json;
	const Caller *caller;
	const char *business_key; /* of the job, or NULL */
	bool in_table;            /* the columns of a table are being written */
	bool in_column;           /* one of them has been written */
	bool any_missing;         /* objects that were not found are being written, after the tables */
} ImportDocument;

static void
begin_answer(void *argument)
{
	ImportDocument *document = argument;
	StringInfo json = &document->json.text;

	appendStringInfoString(json, "{\"jobId\":");
	job_append(json, document->caller, JOB_IMPORT_TABLES, document->business_key);
	appendStringInfoString(json, ",\"status\":\"finished\",\"result\":{\"source_table_specs\":[");
}

static void
end_table(ImportDocument *document)
{
	if (document->in_table)
		appendStringInfoString(&document->json.text, "}}");
	document->in_table = false;
}

static void
begin_table(void *argument, const char *name)
{
	ImportDocument *document = argument;
	bool first = !document->in_table;

	(void) name;
	end_table(document);
	json_out_flush(&document->json);
	appendStringInfo(&document->json.text, "%s{\"columns\":{", first ? "" : ",");
	document->in_table = true;
	document->in_column = false;
}

static void
append_integer(StringInfo text, const char *name, Datum value, bool isnull)
{
	if (!isnull)
		appendStringInfo(text, ",\"%s\":%d", name, DatumGetInt32(value));
}

static void
put_column(void *argument, const Datum *values, const bool *nulls)
{
	ImportDocument *document = argument;
	StringInfo json = &document->json.text;

	if (document->in_column)
		appendStringInfoChar(json, ',');
	document->in_column = true;
	escape_json(json, TextDatumGetCString(values[COLUMN_NAME]));
	appendStringInfoString(json, ":{\"type_snapshot\":{");
	if (!nulls[COLUMN_TYPE])
		json_out_string(json, "column_type", TextDatumGetCString(values[COLUMN_TYPE]));
	if (!nulls[COLUMN_NULLABLE])
		json_out_boolean(json, "nullable", DatumGetBool(values[COLUMN_NULLABLE]));
	append_integer(json, "length", values[COLUMN_LENGTH], nulls[COLUMN_LENGTH]);
	append_integer(json, "precision", values[COLUMN_PRECISION], nulls[COLUMN_PRECISION]);
	append_integer(json, "scale", values[COLUMN_SCALE], nulls[COLUMN_SCALE]);
	appendStringInfoChar(json, '}');
	if (!nulls[COLUMN_PRIMARY_KEY] && DatumGetBool(values[COLUMN_PRIMARY_KEY]))
		json_out_boolean(json, "id", true);
	appendStringInfoChar(json, '}');
	json_out_flush(&document->json);
}

/*
 * The members are like the published ones for tables; without table_name, the
 * schema or pattern was not found.
 */
static void
put_not_found(void *argument, const char *schema, const char *table)
{
	ImportDocument *document = argument;
	StringInfo json = &document->json.text;

	if (!document->any_missing)
	{
		end_table(document);
		appendStringInfoString(json, "],\"not_found\":[{");
	}
	else
		appendStringInfoString(json, ",{");
	document->any_missing = true;
	json_out_string(json, "schema_name", schema);
	json_out_string(json, "table_name", table);
	appendStringInfoChar(json, '}');
	json_out_flush(&document->json);
}

static void
end_answer(ImportDocument *document)
{
	end_table(document);
	appendStringInfoString(&document->json.text, "]}}");
	json_out_close(&document->json);
}

/* dqds_import_tables_json(parameters, business_key) */
Datum
dqds_import_tables_json(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	Listing listing;
	ImportDocument document = {.caller = &caller};
	ImportSink sink = {.begin = begin_answer,
					   .table = begin_table,
					   .column = put_column,
					   .not_found = put_not_found,
					   .argument = &document};
	char *name;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	listing_init(&listing);
	name = read_parameters(parameters_argument(fcinfo), &listing);
	PreventCommandIfReadOnly("dqds_import_tables");
	connection_by_name(&caller, name, &listing.connection);

	json_out_open(fcinfo, &document.json);
	document.json.rows.source = &listing.connection.target;
	document.business_key = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	import_run(&listing, true, &caller, &sink);
	end_answer(&document);
	statement_show(&scope);
	return (Datum) 0;
}
