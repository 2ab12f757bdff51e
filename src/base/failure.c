/*
 * failure.c
 *		The value that says why a remote operation failed, and raising it as an error.
 *
 * It must not decide what a failure is: its callers do and, for what a remote
 * server or a library reports, the files failure_*.c in wire/ and in the folder
 * of each wire.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/error_codes.h"
#include "base/failure.h"
#include "base/remote_text.h"

static const struct
{
	const char *sqlstate;
	const char *name;
} error_codes[] = {{"00000", "ok"},
#define DQDS_TABLE_ROW(symbol, sqlstate, name) {sqlstate, name},
				   DQDS_ERROR_CODES(DQDS_TABLE_ROW)
#undef DQDS_TABLE_ROW
};

/* The name that users see; static memory. */
const char *
error_code_name(DqdsErrorCode code)
{
	return error_codes[code].name;
}

/*
 * Reset a Failure to success, without any message or hint of an earlier
 * failure.
 */
void
failure_clear(Failure *failure)
{
	memset(failure, 0, sizeof(*failure));
}

/*
 * Record a failure.  The message is formatted into the current memory context
 * and cut at 2 kB; both it and the hint are escaped for display (visible_text).
 * hint may be NULL; the pointer is kept, and the text copied only if something
 * in it has to be escaped.
 */
void
failure_set(Failure *failure, DqdsErrorCode code, const char *hint, const char *fmt, ...)
{
	va_list args;
	char buffer[2048];
	int length;

	va_start(args, fmt);
	length = vsnprintf(buffer, sizeof(buffer), fmt, args);
	va_end(args);
	/* Cut between characters: invalid text could be stored, but not restored from a dump. */
	if (length >= (int) sizeof(buffer))
		buffer[pg_mbcliplen(buffer, sizeof(buffer) - 1, sizeof(buffer) - 8)] = '\0';

	failure->code = code;
	failure->message = pstrdup(visible_text(buffer));
	failure->hint = hint == NULL ? NULL : unconstify(char *, visible_text(hint));
	failure->sqlstate[0] = '\0';
}

/* Raise a failure as an error of class QD.  The remote server's SQLSTATE goes to DETAIL. */
void
failure_raise(const Failure *failure)
{
	const char *state = error_codes[failure->code].sqlstate;

	ereport(ERROR, (errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
					errmsg_internal("%s", failure->message),
					failure->sqlstate[0] != '\0'
						? errdetail("The remote server reported SQLSTATE %s.", failure->sqlstate)
						: 0,
					failure->hint != NULL ? errhint("%s", failure->hint) : 0));
	pg_unreachable();
}
