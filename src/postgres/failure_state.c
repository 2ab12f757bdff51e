/*
 * failure_state.c
 *		What an error of the server means when it ends a login.
 *
 * It is found by its SQLSTATE, the routine of the server's source that reported it (every
 * PostgreSQL server names it, in every language), what was seen of the login, and only
 * where that does not tell, by its words.
 */
#include "postgres.h"

#include "base/failure.h"
#include "model/target.h"
#include "postgres/failure_internal.h"
#include "postgres/failure_postgres.h"
#include "wire/failure_explain.h"

/* Is the user named in what a server says? */
bool
names_user(const Target *target, const char *text)
{
	/* A server cuts what is longer than a name may be. */
	return strstr(text, pnstrdup(target->user, 32)) != NULL;
}

/* Does this routine read settings? */
static bool
reads_settings(const char *routine)
{
	for (int i = 0; settings_routines[i] != NULL; i++)
	{
		size_t length = strlen(settings_routines[i]);

		if (settings_routines[i][length - 1] == '*'
				? strncmp(routine, settings_routines[i], length - 1) == 0
				: strcmp(routine, settings_routines[i]) == 0)
			return true;
	}
	return false;
}

static bool
meets(Condition condition, const Target *target, const LoginEvidence *evidence,
	  const Refusal *refusal)
{
	switch (condition)
	{
		case ALWAYS:
			break;
		case ASKED_PASSWORD:
			return evidence->asked_password;
		case UNNAMED_USER:
			return !names_user(target, refusal->text);
		case TLS_DISABLED:
			return strcmp(target->sslmode, "disable") == 0;
		case OPTIONS_READ:
			return target->options != NULL &&
				   (refusal->routine[0] == '\0' || reads_settings(refusal->routine));
	}
	return true;
}

/*
 * Explain an error of the server by its row in login_states; false: there is none.
 * words is what may be shown of the text, or NULL.
 */
bool
explain_login_state(const Target *target, const LoginEvidence *evidence, const Refusal *refusal,
					const char *words, Failure *failure)
{
	for (const LoginState *row = login_states; row->sqlstate != NULL; row++)
	{
		if (strncmp(row->sqlstate, refusal->sqlstate, strlen(row->sqlstate)) != 0 ||
			(row->routine != NULL && strcmp(row->routine, refusal->routine) != 0) ||
			(row->piece != NULL && strstr(refusal->text, row->piece) == NULL) ||
			!meets(row->condition, target, evidence, refusal))
			continue;
		explain(&row->explanation, target, words, NULL, failure);
		return true;
	}
	return false;
}
