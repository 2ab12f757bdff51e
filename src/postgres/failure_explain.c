/*
 * failure_explain.c
 *		From what libpq and the remote server say to an error code, a message and a hint.
 *
 * What libpq and servers say stands in tables: diagnosis_texts.c for a login,
 * diagnosis_pooler.c for poolers, diagnosis_query.c for a query; a failure that needs
 * none of them is noted where it is found, with failure_set().  Here the templates
 * of these tables are filled: %h host, %p port, %d database, %u user, %m what the
 * remote said; as identifiers to be pasted into SQL, %D database, %U user, %O the object
 * that the remote's words end in; and %w a sentence on white space at the ends of the
 * password, or nothing.  What a remote says is foreign input: it is shown only where
 * nothing better is known, on one line, shortened, and without the password.
 *
 * Evidence counts before words: the SQLSTATE, the routine of the server's source that
 * reported the error (every PostgreSQL server names it, in every language), and what
 * we saw ourselves.  libpq is called with its messages in English (libpq_scope.c), so
 * matching a piece of those does not depend on a locale.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "base/error_codes.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "model/secret.h"
#include "model/target.h"
#include "postgres/failure_explain.h"
#include "postgres/failure_internal.h"

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
 * Does the password begin or end with white space?  Never told of a stored one, which
 * a caller may use who did not write it: then it is nothing that the caller may know.
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

static char *
fill_template(const char *template, const Target *target, const char *foreign)
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
			case 'D':
				append_identifier(&out, target->shown_database);
				break;
			case 'U':
				append_identifier(&out, target->shown_user);
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
	return out.data;
}

/*
 * Note the cause in *failure.  foreign is what the remote said; NULL: that must not be
 * shown, or there is nothing.  A message that would end in its words then goes without
 * them, and the hint says so.
 */
void
explain(const Explanation *explanation, const Target *target, const char *foreign, Failure *failure)
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
	failure->message = unconstify(char *, visible_text(fill_template(message, target, foreign)));
	failure->hint = unconstify(char *, visible_text(fill_template(hint, target, foreign)));
	failure->sqlstate[0] = '\0';
}

/* Keep text as the remote's own SQLSTATE, if it is one: a server may send anything in its place. */
void
note_sqlstate(Failure *failure, const char *text)
{
	if (strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && text[5] == '\0')
		strlcpy(failure->sqlstate, text, sizeof(failure->sqlstate));
}

/* ---- failures that are known without any words ----------------------------------------- */

/* clang-format off */
static const Explanation known_failures[] = {
	{DQDS_PASSWORD_REQUIRED, "the connection to %h:%p needs a password",
	 "Give the password of user \"%u\" in the connection."},
	{DQDS_BUSY, "no capacity is left to connect to %h:%p", "Try again in a moment."},
	{DQDS_CONNECTION_LOST, "the connection to %h:%p was lost",
	 "Try again; look at the log of the remote server if it happens repeatedly."},
	{DQDS_NOT_POSTGRES, "what answers at %h:%p does not speak the PostgreSQL protocol",
	 "Check host and port: another service listens there."},
};
/* clang-format on */

/* A failure that is known by what we see ourselves. */
void
diagnose_known(const Target *target, DqdsErrorCode code, Failure *failure)
{
	for (int i = 0; i < lengthof(known_failures); i++)
		if (known_failures[i].code == code)
		{
			explain(&known_failures[i], target, NULL, failure);
			return;
		}
	failure_set(failure, code, "Check host, port and the firewalls on the way.",
				"could not connect to %s:%s", target->shown_host, target->shown_port);
}

/* A login that reached its deadline: what was the other side doing? */
void
diagnose_no_answer(const Target *target, ConnectStage stage, int elapsed_ms, Failure *failure)
{
	double seconds = elapsed_ms / 1000.0;

	if (stage == STAGE_TCP)
		failure_set(failure, DQDS_UNREACHABLE, "Check host, port and the firewalls on the way.",
					"no answer from %s:%s within %.1f s", target->shown_host, target->shown_port,
					seconds);
	else
		failure_set(
			failure, DQDS_SERVER_SILENT,
			"Check that this is the port of the database, that the server is not overloaded, and "
			"that a pooler in between reaches it.",
			"the server at %s:%s accepted the connection but did not complete the login within "
			"%.1f s",
			target->shown_host, target->shown_port, seconds);
}

/* None of the addresses of a name has a server of the kind that is asked for; so many answered. */
void
diagnose_wrong_kind(const Target *target, int asked, int naddresses, Failure *failure)
{
	failure_set(failure, DQDS_LOGIN_NOT_ALLOWED,
				"Change or drop the property target_session_attrs.",
				"%d of the %d addresses of %s:%s answered, and none is of the kind that "
				"target_session_attrs asks for",
				asked, naddresses, target->shown_host, target->shown_port);
}

/* An answer that is none; what names it in our own words. */
void
diagnose_answer(const Target *target, const char *what, Failure *failure)
{
	static const Explanation explanation = {
		DQDS_REMOTE_ERROR, "the server at %h:%p sent %m",
		"Check that host and port are those of the database, and that provider_type says what it "
		"is."};

	explain(&explanation, target, what, failure);
}
