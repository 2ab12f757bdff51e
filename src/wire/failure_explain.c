/*
 * failure_explain.c
 *		Fills the templates of failures' texts.
 *
 * The texts stand in tables: failure_common.c has those of any remote, the files called
 * failure_* in the folder of a wire those of its servers.  In them %h is the host, %p the
 * port, %d the database, %u the user, %P the provider type, %m what the remote said, %s words of our own, and %t
 * the same where they are seconds.  As identifiers to be pasted into SQL, %D is the
 * database, %U the user, %O the object that the remote's words end in, and %Q the user
 * again, in quotes only where it needs them.  %w is a sentence on white space at the ends of
 * the password, or nothing.  What a remote says is foreign input: it is shown only where
 * nothing better is known, on one line, shortened, and without the password.
 *
 * It must not know which failure it is, or of which kind the remote is.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/failure.h"
#include "base/remote_text.h"
#include "model/provider.h"
#include "model/secret.h"
#include "model/target.h"
#include "wire/failure_explain.h"

#define MAX_REMOTE_MESSAGE 400

/* ---- templates ------------------------------------------------------------------ */

/* Show a foreign text on one line, short, and without any secret. */
static void
append_foreign(StringInfo out, const char *foreign, const Target *target)
{
	StringInfoData text;

	/* Secrets first: what is cut off or replaced below could hide a piece of one from us. */
	initStringInfo(&text);
	appendStringInfoString(&text, secret_hide(target, remote_text(foreign)));

	text.len = strcspn(text.data, "\r\n");
	if (text.len > MAX_REMOTE_MESSAGE)
		text.len = pg_mbcliplen(text.data, text.len, MAX_REMOTE_MESSAGE);
	text.data[text.len] = '\0';
	appendStringInfoString(out, visible_text(text.data));
}

/* An identifier as it stands in SQL, always quoted, so that it can be pasted anywhere. */
static void
append_identifier(StringInfo out, const char *name)
{
	appendStringInfoChar(out, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendStringInfoChar(out, '"');
		appendStringInfoChar(out, *name);
	}
	appendStringInfoChar(out, '"');
}

/* White space that people paste without seeing it; beyond ASCII, as UTF-8. */
static const char *const white_spaces[] = {
	" ",
	"\t",
	"\n",
	"\v",
	"\f",
	"\r",
	"\xC2\x85",     /* next line */
	"\xC2\xA0",     /* no-break space */
	"\xE2\x80\x82", /* en space */
	"\xE2\x80\x83", /* em space */
	"\xE2\x80\x89", /* thin space */
	"\xE2\x80\x8B", /* zero width space */
	"\xE2\x80\xA8", /* line separator */
	"\xE2\x80\xA9", /* paragraph separator */
	"\xE2\x80\xAF", /* narrow no-break space */
	"\xE2\x81\xA0", /* word joiner */
	"\xE3\x80\x80", /* ideographic space */
};

/*
 * Does the password begin or end with white space?  Nothing is said of a stored one:
 * its user need not be the one who wrote it.
 */
static bool
has_white_space_at_an_end(const Target *target)
{
	size_t length;

	if (target->password == NULL || target->stored_secret)
		return false;
	length = strlen(target->password);
	for (int i = 0; i < lengthof(white_spaces); i++)
	{
		size_t size = strlen(white_spaces[i]);

		if (size <= length && (memcmp(target->password, white_spaces[i], size) == 0 ||
							   strcmp(target->password + length - size, white_spaces[i]) == 0))
			return true;
	}
	return false;
}

/*
 * A text with its blanks filled, palloc'd and fit to be shown.  foreign is what the remote
 * said, own are words of our own; each may be NULL where the template does not ask for it.
 */
char *
explain_text(const char *template, const Target *target, const char *foreign, const char *own)
{
	StringInfoData out;

	initStringInfo(&out);
	for (const char *c = template; *c != '\0'; c++)
	{
		if (*c != '%')
		{
			appendStringInfoChar(&out, *c);
			continue;
		}
		switch (*++c)
		{
			case 'h':
				/* A provider without a server reads what is here. */
				if (*target->shown_host == '\0' && strncmp(c, "h:%p", 4) == 0)
				{
					appendStringInfoString(&out, "this machine");
					c += 3;
					break;
				}
				appendStringInfoString(&out, target->shown_host);
				break;
			case 'p':
				appendStringInfoString(&out, target->shown_port);
				break;
			case 'd':
				appendStringInfoString(&out, target->shown_database);
				break;
			case 'u':
				appendStringInfoString(&out, target->shown_user);
				break;
			case 'P':
				appendStringInfoString(&out, provider_name(target->provider));
				break;
			case 'D':
				append_identifier(&out, target->shown_database);
				break;
			case 'U':
				append_identifier(&out, target->shown_user);
				break;
			case 'Q':
				appendStringInfoString(&out, quote_identifier(target->shown_user));
				break;
			case 's':
			case 't':
				appendStringInfoString(&out, own);
				break;
			case 'O':
				append_identifier(&out, strrchr(foreign, ' ') + 1);
				break;
			case 'm':
				append_foreign(&out, foreign, target);
				break;
			case 'w':
				if (has_white_space_at_an_end(target))
					appendStringInfoString(&out, " The password begins or ends with white space.");
				break;
		}
	}
	return unconstify(char *, visible_text(out.data));
}

/*
 * Note the cause in *failure.  foreign is what the remote said; NULL: that must not be
 * shown, or there is nothing.  A message that would end in its words then goes without
 * them, and the hint says so.  own is for %s or %t, or NULL.
 */
void
explain(const Explanation *explanation, const Target *target, const char *foreign, const char *own,
		Failure *failure)
{
	const char *message = explanation->message;
	const char *words = strstr(message, ": %m");
	const char *hint = explanation->hint;

	if (words != NULL && foreign == NULL)
	{
		message = pnstrdup(message, words - message);
		hint = psprintf("%s The words of the server are not shown where a connection with options "
						"uses a "
						"stored secret.",
						hint);
	}
	failure->code = explanation->code;
	failure->message = explain_text(message, target, foreign, own);
	failure->hint = explain_text(hint, target, foreign, own);
	failure->sqlstate[0] = '\0';
}

/* Keep text as the remote's own SQLSTATE, if it is one: a server may send anything in its place. */
void
note_sqlstate(Failure *failure, const char *text)
{
	if (strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && text[5] == '\0')
		strlcpy(failure->sqlstate, text, sizeof(failure->sqlstate));
}
