/*
 * conninfo.c
 *		Reads conninfo strings and URIs with libpq's own parser.
 *
 * libpq's complaints quote the input, in which a password may stand, so they are told
 * apart here and not handed on.  It must not know what a parameter is for.
 */
#include "postgres.h"

#include "libpq-fe.h"
#include "nodes/pg_list.h"

#include "postgres/conninfo.h"
#include "postgres/libpq_scope.h"

/* What libpq complains of, in English, and what is said in its place. */
static const struct
{
	const char *piece;
	const char *reason;
} mistakes[] = {
	{"missing \"=\" after", "a word is not followed by \"=\""},
	{"unterminated quoted string", "a quoted value is not closed"},
	{"invalid percent-encoded token", "a % is not followed by two hexadecimal digits"},
	{"forbidden value %00", "%00 is not a character"},
	{"looking for matching \"]\"", "an IPv6 address is not closed by \"]\""},
	{"IPv6 host address may not be empty", "an IPv6 address is empty"},
	{"unexpected character", "an IPv6 address is not followed by \":\" or \"/\""},
};

/*
 * The options of a conninfo string or URI, to be freed with PQconninfoFree.  NULL:
 * the beginning of what libpq complains of is in complaint.
 */
static PQconninfoOption *
parse(const char *text, char *complaint, size_t size)
{
	LibpqScope scope;
	char *message = NULL;
	PQconninfoOption *options;

	libpq_enter(&scope);
	options = PQconninfoParse(text, &message);
	libpq_leave(&scope);
	strlcpy(complaint, message == NULL ? "" : message, size);
	PQfreemem(message);
	if (options == NULL && *complaint == '\0')
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return options;
}

static void
explain_complaint(const char *complaint, ConninfoFault *fault)
{
	static const char unknown[] = "invalid connection option";
	const char *start = strchr(complaint, '"');
	const char *end = strrchr(complaint, '"');

	*fault = (ConninfoFault){.reason = "syntax error"};
	if (strncmp(complaint, unknown, strlen(unknown)) == 0)
	{
		fault->unknown_keyword = start < end ? pnstrdup(start + 1, end - start - 1) : "";
		return;
	}
	for (int i = 0; i < lengthof(mistakes); i++)
		if (strstr(complaint, mistakes[i].piece) != NULL)
		{
			fault->reason = mistakes[i].reason;
			return;
		}
}

/* An empty value stands for the default, so it is left out. */
static List *
copy_options(const PQconninfoOption *options)
{
	List *copies = NIL;

	for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
	{
		ConninfoOption *copy;

		if (o->val == NULL || *o->val == '\0')
			continue;
		copy = palloc(sizeof(ConninfoOption));
		copy->keyword = pstrdup(o->keyword);
		copy->value = pstrdup(o->val);
		copy->is_secret = *o->dispchar == '*';
		copies = lappend(copies, copy);
	}
	return copies;
}

/*
 * Read a conninfo string, or a URI that begins with postgresql://, into a list of
 * ConninfoOption *.  False: *fault says what is wrong.  Errors: out of memory.
 */
bool
conninfo_read(const char *text, List **options, ConninfoFault *fault)
{
	char complaint[1024];
	PQconninfoOption *parsed = parse(text, complaint, sizeof(complaint));

	if (parsed == NULL)
	{
		explain_complaint(complaint, fault);
		return false;
	}
	PG_TRY();
	{
		*options = copy_options(parsed);
	}
	PG_FINALLY();
	{
		PQconninfoFree(parsed);
	}
	PG_END_TRY();
	return true;
}

/* Is this a keyword of conninfo strings? */
bool
conninfo_is_keyword(const char *word)
{
	char ignored[64];
	PQconninfoOption *options = parse("", ignored, sizeof(ignored));
	bool found = false;

	for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL && !found; o++)
		found = strcmp(o->keyword, word) == 0;
	PQconninfoFree(options);
	return found;
}
