/*
 * listing.c
 *		Runs a listing: asks a remote server one question, and passes on the rows that belong to the answer.
 *
 * The remote server filters where it can; the filters are applied again here,
 * so that the answer is right whatever the server does.  A value of the wrong
 * form becomes NULL, and free text that is too long is cut.  A server that
 * fails to convert a character to our encoding is asked again for unconverted
 * bytes, which are converted (encoding.c) and sorted here.  It must not know
 * what is done with the rows.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/memutils.h"

#include "base/caller.h"
#include "base/encoding.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/name_set.h"
#include "base/remote_text.h"
#include "base/text_array.h"
#include "engine/engine.h"
#include "listing/listing.h"
#include "listing/sorted_answer.h"
#include "model/provider.h"
#include "model/target.h"
#include "wire/failure_common.h"
#include "wire/question.h"

/* Initialize a listing without filters; the caller then sets what is asked. */
void
listing_init(Listing *listing)
{
	memset(listing, 0, sizeof(*listing));
	listing->max_rows = -1;
	listing->partitions = true;
	listing->definitions = DEFINITIONS_ALL;
}

/* A substring filter in the form in which names are compared with it; NULL if it is empty. */
static const char *
as_compared(const Listing *listing, const char *text)
{
	if (text == NULL || *text == '\0')
		return NULL;
	return listing->ignore_case ? str_tolower(text, strlen(text), DEFAULT_COLLATION_OID) : text;
}

static bool
contains(const Listing *listing, const char *name, const char *piece)
{
	if (listing->ignore_case)
		name = str_tolower(name, strlen(name), DEFAULT_COLLATION_OID);
	return strstr(name, piece) != NULL;
}

/* Does a name pass the filters?  A requested name is marked as found, even beyond the limit. */
static bool
passes(const Listing *listing, const char *name)
{
	if (listing->wanted_piece != NULL && !contains(listing, name, listing->wanted_piece))
		return false;
	if (listing->unwanted_piece != NULL && contains(listing, name, listing->unwanted_piece))
		return false;
	return listing->names == NULL || name_set_mark(listing->names, name);
}

/* Is it an integer in the range of the type, in the spelling that JSON and SQL share? */
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

/* Longer text (a comment, the name of a type) is cut, and ends in a mark. */
#define MAX_TEXT_BYTES (64 * 1024)

/* No real name is that long, and a cut name would be a different one. */
#define MAX_NAME_BYTES (64 * 1024)

static const char *
valid_text(const char *sent, int encoding)
{
	const char *text = remote_text(remote_decode(sent, encoding));
	size_t length = strlen(text);
	const char *mark = GetDatabaseEncoding() == PG_UTF8 ? "\xE2\x80\xA6" : "...";

	if (length <= MAX_TEXT_BYTES)
		return text;
	return psprintf("%.*s%s", pg_mbcliplen(text, length, MAX_TEXT_BYTES), text, mark);
}

/* An array that is too long is not valid: without its end it would be a different one. */
static const char *
valid_text_array(const char *sent, int encoding)
{
	const char *text = remote_text(remote_decode(sent, encoding));
	List *elements;

	return strlen(text) <= MAX_TEXT_BYTES && text_array_parse(text, &elements) ? text : NULL;
}

/* Errors: QD023 if it is too long. */
static const char *
valid_name(const Target *target, const char *sent, int encoding)
{
	Failure failure = {0};

	if (strlen(sent) > MAX_NAME_BYTES)
	{
		failure_common(target, FAILED_ANSWER, "a name of more than 64 kB", &failure);
		failure_raise(&failure);
	}
	return remote_text(remote_decode(sent, encoding));
}

/* The value that a remote server sent, made valid; NULL if it does not have the form of value. */
static const char *
valid_value(const Listing *listing, const char *sent, AnswerValue value)
{
	if (sent == NULL)
		return NULL;
	switch (value)
	{
		case ANSWER_NAME:
			return valid_name(&listing->connection.target, sent, listing->encoding);
		case ANSWER_TEXT:
			return valid_text(sent, listing->encoding);
		case ANSWER_TEXT_ARRAY:
			return valid_text_array(sent, listing->encoding);
		case ANSWER_INTEGER:
		case ANSWER_POSITION:
			return is_number(sent, false) ? sent : NULL;
		case ANSWER_BIGINT:
			return is_number(sent, true) ? sent : NULL;
		case ANSWER_BOOLEAN:
			/* In the spelling of PostgreSQL or of another server. */
			return strchr("tT1", *sent) != NULL && *sent != '\0' ? "true" : "false";
	}
	return NULL;
}

static void
emit_row(Listing *listing, const char **values)
{
	if (listing->max_rows >= 0 && listing->count >= listing->max_rows)
		return;
	listing->count++;
	listing->emit(listing, values);
}

/*
 * The engine's sink.  The first value is the name of the listed object, or of
 * its table, unless the name of a schema precedes it.
 */
static void
take_row(void *sink, const char **values, int nvalues)
{
	Listing *listing = sink;
	const AnswerShape *answer = question_answer(listing->question);
	MemoryContext old = MemoryContextSwitchTo(listing->row_context);
	bool usable = true;

	for (int i = 0; i < nvalues; i++)
	{
		values[i] = valid_value(listing, values[i], answer->values[i]);
		if (values[i] == NULL &&
			(answer->values[i] == ANSWER_NAME || answer->values[i] == ANSWER_POSITION))
			usable = false;
	}
	if (usable && passes(listing, values[listing->question == QUESTION_ALL_TABLES ? 1 : 0]))
	{
		if (listing->sorted != NULL)
			sorted_answer_put(listing->sorted, values);
		else
			emit_row(listing, values);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(listing->row_context);
}

static void
emit_sorted(Listing *listing)
{
	const char *values[MAX_ANSWER_COLUMNS];
	MemoryContext old = MemoryContextSwitchTo(listing->row_context);

	sorted_answer_sort(listing->sorted);
	while (sorted_answer_next(listing->sorted, values))
	{
		CHECK_FOR_INTERRUPTS();
		emit_row(listing, values);
		MemoryContextReset(listing->row_context);
	}
	MemoryContextSwitchTo(old);
}

static void
end_sorting(Listing *listing)
{
	if (listing->sorted != NULL)
		sorted_answer_end(listing->sorted);
	listing->sorted = NULL;
}

/* ---- the query ------------------------------------------------------------------------ */

/*
 * A name that must be matched.  If it cannot exist at the remote server, it
 * becomes empty, which matches nothing.
 */
static const char *
sought(const char *name, int encoding)
{
	const char *bytes = NULL;

	return name != NULL && !remote_encode(name, encoding, &bytes) ? "" : bytes;
}

/*
 * A filter that the remote server may omit.  One that cannot be encoded, or
 * that contains the replacement character, is left to passes().
 */
static const char *
filter(const char *text, int encoding)
{
	const char *bytes;

	if (text == NULL ||
		(encoding != REMOTE_CONVERTS && strstr(text, remote_replacement()) != NULL) ||
		!remote_encode(text, encoding, &bytes))
		return NULL;
	return bytes;
}

/* Does the remote server apply the whole filter? */
static bool
same_filter(const char *sent, const char *piece)
{
	return (sent == NULL) == (piece == NULL);
}

static void
fill_table_query(const Listing *listing, RemoteQuery *query, int encoding)
{
	bool sorts = listing->sorted == NULL && listing->names == NULL;

	query->values[0] = sought(listing->schema_name, encoding);
	if (listing->question == QUESTION_ALL_TABLES)
		query->values[0] = listing->include_system ? "true" : "false";
	query->values[3] = listing->partitions ? "true" : "false";
	query->values[5] = listing->sizes ? "true" : "false";
	/* A remote server folds case by its own rules, which may differ from ours. */
	if (!listing->ignore_case)
	{
		query->values[1] = filter(listing->wanted_piece, encoding);
		query->values[4] = filter(listing->unwanted_piece, encoding);
	}
	/* The remote server may apply the limit only if it filters and sorts exactly as we do. */
	if (listing->max_rows >= 0 && sorts && same_filter(query->values[1], listing->wanted_piece) &&
		same_filter(query->values[4], listing->unwanted_piece))
		query->values[2] = psprintf("%lld", (long long) listing->max_rows);
}

/*
 * Columns of named tables are requested with another query than those of all;
 * both have the same answer.
 */
static void
fill_column_query(const Listing *listing, RemoteQuery *query, int encoding)
{
	query->values[0] = sought(listing->schema_name, encoding);
	query->values[1] = filter(listing->names_literal, encoding);
	query->values[2] = psprintf("%d", (int) listing->definitions);
	query->question = listing->question;
	if (query->values[1] != NULL)
		query->question = listing->question == QUESTION_COLUMNS ? QUESTION_COLUMNS_OF
																: QUESTION_COLUMN_DETAILS_OF;
}

static void
fill_key_query(const Listing *listing, RemoteQuery *query, int encoding)
{
	query->values[0] = sought(listing->schema_name, encoding);
	query->values[1] = filter(listing->names_literal, encoding);
	query->values[2] = psprintf("%d", (int) listing->definitions);
}

/* The engine's QueryFiller: fill in the query and its parameters. */
static void
fill_query(void *sink, RemoteQuery *query, int encoding)
{
	Listing *listing = sink;

	listing->encoding = encoding;
	if (encoding != REMOTE_CONVERTS && listing->sorted == NULL)
		listing->sorted =
			sorted_answer_begin(question_answer(listing->question), &listing->connection.target);
	switch (listing->question)
	{
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			query->values[0] = listing->include_system ? "true" : "false";
			break;
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
		case QUESTION_TABLE_DETAILS:
		case QUESTION_ALL_TABLES:
			fill_table_query(listing, query, encoding);
			break;
		case QUESTION_COLUMNS:
		case QUESTION_COLUMN_DETAILS:
			fill_column_query(listing, query, encoding);
			break;
		case QUESTION_CONSTRAINTS:
		case QUESTION_INDEXES:
			fill_key_query(listing, query, encoding);
			break;
		case QUESTION_VIEW_DEFINITION:
			query->values[0] = sought(listing->schema_name, encoding);
			query->values[1] = sought(listing->view_name, encoding);
			break;
		default:
			break;
	}
}

static void
ask(Listing *listing, Operation *operation, const Caller *caller)
{
	memset(operation, 0, sizeof(*operation));
	operation->target = &listing->connection.target;
	operation->query.question = listing->question;
	operation->query.of_old_version = listing->old_version;
	operation->raw = listing->raw;
	operation->fill = fill_query;
	operation->on_row = take_row;
	operation->sink = listing;
	listing->count = 0;
	listing->encoding = REMOTE_CONVERTS;
	engine_run(operation, 1, caller->role);
}

/*
 * Ask the question, and call emit for each row.  If that fails, it returns
 * false, *failure says why, and the emitted rows must be discarded.  A failure
 * of the connection argument is raised as an error of class QD.
 *
 * An error of the remote server shows that a character cannot be converted, in
 * a name or filter of ours or in the answer.  Then, and for later questions of
 * the same Listing, the server converts nothing.
 */
bool
listing_try(Listing *listing, Question question, const Caller *caller, Failure *failure)
{
	Operation operation;

	if (listing->emit == NULL || listing->restart == NULL)
		elog(ERROR, "a listing without emit or restart");
	if (listing->connection.failure.code != DQDS_OK)
		failure_raise(&listing->connection.failure);
	listing->question = question;
	listing->wanted_piece = as_compared(listing, listing->contains);
	listing->unwanted_piece = as_compared(listing, listing->excludes);
	listing->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dqds row", ALLOCSET_DEFAULT_SIZES);
	ask(listing, &operation, caller);
	if (operation.failure.cause == CAUSE_OLD_VERSION && !listing->old_version)
	{
		listing->restart(listing);
		listing->old_version = true;
		ask(listing, &operation, caller);
	}
	if (operation.failure.cause == CAUSE_UNTRANSLATABLE && listing->encoding == REMOTE_CONVERTS)
	{
		listing->restart(listing);
		end_sorting(listing);
		listing->raw = true;
		ask(listing, &operation, caller);
	}
	if (operation.failure.code == DQDS_OK && listing->sorted != NULL)
		emit_sorted(listing);
	end_sorting(listing);
	MemoryContextDelete(listing->row_context);
	*failure = operation.failure;
	return failure->code == DQDS_OK;
}
