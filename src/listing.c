/*
 * listing.c
 *		A listing: asks one remote one question and passes on what belongs to the answer.
 *
 * The remote filters where it can; the filters are applied again here, so that
 * the answer is right whatever the remote does.  A value that is not what it
 * should be becomes NULL, and free text that is too long is cut.  It must not
 * know what becomes of the rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "dqds.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

/* An unfiltered listing; the caller sets what is asked. */
void
listing_init(Listing *listing)
{
	memset(listing, 0, sizeof(*listing));
	listing->max_rows = -1;
}

/* Restrict a listing to the names of a text[]. */
void
listing_restrict(Listing *listing, Datum names)
{
	Datum *elements;
	bool *nulls;
	int count;

	listing->names = name_set_make();
	listing->names_literal = OidOutputFunctionCall(F_ARRAY_OUT, names);
	deconstruct_array(DatumGetArrayTypeP(names), TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			name_set_add(listing->names, TextDatumGetCString(elements[i]));
}

static bool
passes(Listing *listing, const char *name)
{
	if (listing->max_rows >= 0 && listing->count >= listing->max_rows)
		return false;
	if (listing->contains != NULL && strstr(name, listing->contains) == NULL)
		return false;
	if (listing->names != NULL && !name_set_has(listing->names, name))
		return false;
	listing->count++;
	return true;
}

/* A whole number in the range of the type, in the one spelling that JSON and SQL share. */
static bool
is_number(const char *text, bool is_bigint)
{
	const char *digits = text + (*text == '-' ? 1 : 0);
	long long number;

	if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0' ||
		(digits[0] == '0' && digits[1] != '\0'))
		return false;
	errno = 0;
	number = strtoll(text, NULL, 10);
	return errno == 0 && (is_bigint || (number >= PG_INT32_MIN && number <= PG_INT32_MAX));
}

/* A longer text (a comment, the name of a type) is cut, and ends in a mark. */
#define MAX_TEXT_BYTES (64 * 1024)

/* No real name is that long, and a name that is cut would be another one. */
#define MAX_NAME_BYTES (64 * 1024)

static const char *
valid_text(const char *sent)
{
	const char *text = remote_text(sent);
	size_t length = strlen(text);
	const char *mark = GetDatabaseEncoding() == PG_UTF8 ? "\xE2\x80\xA6" : "...";

	if (length <= MAX_TEXT_BYTES)
		return text;
	return psprintf("%.*s%s", pg_mbcliplen(text, length, MAX_TEXT_BYTES), text, mark);
}

/* An array that is too long is none: without its end it would be another one. */
static const char *
valid_text_array(const char *sent)
{
	const char *text = remote_text(sent);
	List *elements;

	return strlen(text) <= MAX_TEXT_BYTES && text_array_parse(text, &elements) ? text : NULL;
}

/* Errors: QD023 when it is too long. */
static const char *
valid_name(const Target *target, const char *sent)
{
	Failure failure = {0};

	if (strlen(sent) > MAX_NAME_BYTES)
	{
		diagnose_answer(target, "a name of more than 64 kB", &failure);
		failure_raise(&failure);
	}
	return remote_text(sent);
}

/* What a remote sent, as a value that it should be; NULL if it is none. */
static const char *
valid_value(const Target *target, const char *sent, AnswerValue value)
{
	if (sent == NULL)
		return NULL;
	switch (value)
	{
		case ANSWER_NAME:
			return valid_name(target, sent);
		case ANSWER_TEXT:
			return valid_text(sent);
		case ANSWER_TEXT_ARRAY:
			return valid_text_array(sent);
		case ANSWER_INTEGER:
		case ANSWER_POSITION:
			return is_number(sent, false) ? sent : NULL;
		case ANSWER_BIGINT:
			return is_number(sent, true) ? sent : NULL;
		case ANSWER_BOOLEAN:
			/* In PostgreSQL's or another server's spelling. */
			return strchr("tT1", *sent) != NULL && *sent != '\0' ? "true" : "false";
	}
	return NULL;
}

/* The engine's sink: the first value is the name of what is listed, or of its table. */
static void
take_row(void *sink, const char **values, int nvalues)
{
	Listing *listing = sink;
	const AnswerShape *answer = dialect_answer(listing->question);
	MemoryContext old = MemoryContextSwitchTo(listing->row_context);
	bool usable = true;

	for (int i = 0; i < nvalues; i++)
	{
		values[i] = valid_value(&listing->connection.target, values[i], answer->values[i]);
		if (values[i] == NULL &&
			(answer->values[i] == ANSWER_NAME || answer->values[i] == ANSWER_POSITION))
			usable = false;
	}
	if (usable && passes(listing, values[0]))
		listing->emit(listing, values);
	MemoryContextSwitchTo(old);
	MemoryContextReset(listing->row_context);
}

static void
fill_query(const Listing *listing, RemoteQuery *query)
{
	memset(query, 0, sizeof(*query));
	query->question = listing->question;
	switch (listing->question)
	{
		case QUESTION_SCHEMAS:
			query->values[0] = listing->include_system ? "true" : "false";
			break;
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
			query->values[0] = listing->schema_name;
			query->values[1] = listing->contains == NULL ? "" : listing->contains;
			/* The remote does not know the names, so it must not count for us. */
			query->values[2] = listing->max_rows < 0 || listing->names != NULL
								   ? NULL
								   : psprintf("%lld", (long long) listing->max_rows);
			break;
		case QUESTION_COLUMNS:
			query->values[0] = listing->schema_name;
			query->values[1] = listing->names_literal;
			break;
		default:
			break;
	}
}

/* Ask without the filters: they are applied to what arrives. */
static void
drop_filters(RemoteQuery *query)
{
	if (query->question == QUESTION_TABLE_NAMES || query->question == QUESTION_TABLES)
	{
		query->values[1] = "";
		query->values[2] = NULL;
	}
	else if (query->question == QUESTION_COLUMNS)
		query->values[1] = NULL;
}

static void
ask(Listing *listing, Operation *operation, const Caller *caller)
{
	operation->failure.untranslatable = false;
	listing->count = 0;
	engine_run(operation, 1, caller->role);
}

/* Can the remote not even read the schema's name?  With a limit of 0 it has no value to send that could be at fault. */
static bool
schema_is_untranslatable(const Listing *listing, const Caller *caller)
{
	Operation probe = {0};

	probe.target = &listing->connection.target;
	probe.query.question = QUESTION_TABLE_NAMES;
	probe.query.values[0] = listing->schema_name;
	probe.query.values[1] = "";
	probe.query.values[2] = "0";
	engine_run(&probe, 1, caller->role);
	return probe.failure.code != DQDS_OK && probe.failure.untranslatable;
}

/*
 * Ask, and call emit for each row.  A failure, of the remote or of the model, is
 * raised as an error of class QD; the rows emitted before are of no use then.
 *
 * A name or filter that the remote's encoding cannot express matches nothing
 * there.  It is found out by its error: then all is asked for and filtered here,
 * and if it is the schema's name, there are no rows.  If it is neither, it is a
 * value that the remote cannot send, which is a failure.
 */
void
listing_run(Listing *listing, Question question, const Caller *caller)
{
	Operation operation = {0};

	if (listing->connection.failure.code != DQDS_OK)
		failure_raise(&listing->connection.failure);
	listing->question = question;
	listing->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dqds row", ALLOCSET_DEFAULT_SIZES);
	operation.target = &listing->connection.target;
	fill_query(listing, &operation.query);
	operation.on_row = take_row;
	operation.sink = listing;
	ask(listing, &operation, caller);
	if (operation.failure.code != DQDS_OK && operation.failure.untranslatable &&
		listing->schema_name != NULL && listing->count == 0)
	{
		drop_filters(&operation.query);
		ask(listing, &operation, caller);
	}
	MemoryContextDelete(listing->row_context);
	if (operation.failure.code != DQDS_OK &&
		!(operation.failure.untranslatable && listing->schema_name != NULL &&
		  schema_is_untranslatable(listing, caller)))
		failure_raise(&operation.failure);
}
