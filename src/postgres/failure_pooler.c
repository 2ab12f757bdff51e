/*
 * failure_pooler.c
 *		What poolers, proxies and QuestDB say: their own refusals, and those of a server behind them.
 *
 * PgBouncer before 1.24 gives one SQLSTATE, 08P01, to everything and hands on the words of
 * the server alone; pgpool-II gives XX000 to what is its own.  Neither names a routine of
 * the server's source.  So there are only the words, which later versions of PgBouncer
 * put into a sentence of their own; the same cause gets the code that it has without a
 * pooler.  Words in another language tell no more than which object they name.
 */
#include "postgres.h"

#include "base/failure.h"
#include "model/target.h"
#include "postgres/failure_postgres.h"
#include "wire/failure_explain.h"
#include "postgres/failure_internal.h"

#define PASSWORD_REFUSED                                                                           \
	{                                                                                              \
		DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",     \
			"Check the user and the password of the connection, and the users of the pooler.%w"    \
	}

#define POOLER_DOES_NOT_LET_IN                                                                     \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED,                                                                    \
			"the connection pooler at %h:%p does not let user \"%u\" log in to database \"%d\"",   \
			"Check the pooler's own rules (auth_hba_file of PgBouncer, pool_hba.conf of "          \
			"pgpool-II) for this client, user, database and TLS."                                  \
	}

#define SERVER_DOES_NOT_LET_IN                                                                     \
	{                                                                                              \
		DQDS_LOGIN_NOT_ALLOWED,                                                                    \
			"the server behind the connection pooler at %h:%p does not let user \"%u\" log in to " \
			"database \"%d\"",                                                                     \
			"Check that server's pg_hba.conf for the address of the pooler, user, database and "   \
			"TLS."                                                                                 \
	}

#define NO_SERVER                                                                                  \
	{                                                                                              \
		DQDS_SERVER_SILENT,                                                                        \
			"the connection pooler at %h:%p got no connection to the server behind it",            \
			"Check that this server runs and that the pooler reaches it by name and port; it can " \
			"also be that the pooler is paused, or that its pool is too small."                    \
	}

#define NONE_LEFT                                                                                  \
	{                                                                                              \
		DQDS_TOO_MANY_CONNECTIONS, "the connection pooler at %h:%p has no connection left",        \
			"Try again later, or raise the limit of the pooler (max_client_conn of PgBouncer); "   \
			"with a lower dqds.session_idle_timeout, fewer of its idle clients are dqds' own."     \
	}

/*
 * The first row whose pieces (the second may be NULL) stand in the words, in this order,
 * counts.  Where it has an SQLSTATE, the cause is the one that a server reports with that
 * state from that routine.
 */
static const struct
{
	const char *piece;
	const char *second;
	const char *sqlstate;
	const char *routine;
	Explanation explanation;
} pooler_words[] = {
	/* the pooler's own */
	{.piece = "no such database",
	 .explanation = {DQDS_DATABASE_NOT_FOUND,
					 "the connection pooler at %h:%p knows no database \"%d\"",
					 "Check the name of the database in the pooler's configuration."}},
	{.piece = "no such user", .explanation = PASSWORD_REFUSED},
	{.piece = "\"trust\" authentication failed", .explanation = PASSWORD_REFUSED},
	{.piece = "SASL authentication failed", .explanation = PASSWORD_REFUSED},
	{.piece = "certificate authentication failed",
	 .explanation = {DQDS_TLS_FAILED, "the server at %h:%p demands a client certificate",
					 "Client certificates are not supported: let the server ask for the password "
					 "alone."}},
	{.piece = "login rejected", .explanation = POOLER_DOES_NOT_LET_IN},
	{.piece = "no authentication method is found", .explanation = POOLER_DOES_NOT_LET_IN},
	{.piece = "pool_hba.conf", .explanation = POOLER_DOES_NOT_LET_IN},
	{.piece = "SSL required",
	 .explanation = {DQDS_TLS_FAILED, "the connection pooler at %h:%p demands TLS",
					 "Set sslmode to require."}},
	{.piece = "no more connections allowed", .explanation = NONE_LEFT},
	{.piece = "client connections exceeded", .explanation = NONE_LEFT},
	{.piece = "nsupported startup parameter",
	 .explanation = {DQDS_INVALID_CONNECTION,
					 "the connection pooler at %h:%p refuses the option that was sent",
					 "Drop options from the connection, or add it to the pooler's "
					 "ignore_startup_parameters."}},
	{.piece = "not supported by admin console",
	 .explanation = {DQDS_INVALID_CONNECTION,
					 "database \"%d\" at %h:%p is the console of a connection pooler",
					 "Name a database of the server behind the pooler."}},
	/* of the server behind it */
	{.piece = "valid client certificate",
	 .explanation = {DQDS_LOGIN_NOT_ALLOWED,
					 "the server behind the connection pooler at %h:%p demands a client "
					 "certificate",
					 "Give the pooler one, or let that server ask for the password alone."}},
	{.piece = "pg_hba.conf", .explanation = SERVER_DOES_NOT_LET_IN},
	{.piece = "Ident authentication failed", .explanation = SERVER_DOES_NOT_LET_IN},
	{.piece = "Peer authentication failed", .explanation = SERVER_DOES_NOT_LET_IN},
	{.piece = "is not permitted to log in",
	 .sqlstate = "28000",
	 .routine = "InitializeSessionUserId"},
	{.piece = "role \"",
	 .second = "\" does not exist",
	 .sqlstate = "28000",
	 .routine = "InitializeSessionUserId"},
	{.piece = "authentication failed for user", .explanation = PASSWORD_REFUSED},
	{.piece = "too many connections for ", .sqlstate = "53300", .routine = ""},
	{.piece = "too many clients already", .sqlstate = "53300", .routine = ""},
	{.piece = "connection slots are reserved", .sqlstate = "53300", .routine = ""},
	{.piece = "permission denied for database", .sqlstate = "42501", .routine = "CheckMyDatabase"},
	{.piece = "is not currently accepting connections", .sqlstate = "55000", .routine = ""},
	{.piece = "canceling statement ", .sqlstate = "57014", .routine = ""},
	{.piece = "terminating connection ", .sqlstate = "57P01", .routine = ""},
	{.piece = "the database system is ", .sqlstate = "57P03", .routine = ""},
	{.piece = "database \"",
	 .second = "\" does not exist",
	 .explanation = {DQDS_DATABASE_NOT_FOUND,
					 "database \"%d\" does not exist behind the connection pooler at %h:%p",
					 "Check the name of the database; names are case-sensitive."}},
	/* the pooler's own again, which may hold words of the server: these come last */
	{.piece = "query_wait_timeout", .explanation = NO_SERVER},
	{.piece = "server login has been failing", .explanation = NO_SERVER},
	{.piece = "client_login_timeout", .explanation = NO_SERVER},
	{.piece = "cannot connect to server", .explanation = NO_SERVER},
	{.piece = "server DNS lookup failed", .explanation = NO_SERVER},
	{.piece = "not accepting any new connections", .explanation = NO_SERVER},
	{.piece = "failed to create a backend connection", .explanation = NO_SERVER},
	{.piece = "uthentication failed", .explanation = PASSWORD_REFUSED},
	{.piece = "not allowed", .explanation = POOLER_DOES_NOT_LET_IN},
};

/* QuestDB gives the SQLSTATE 00000 to all its errors. */
static const Explanation questdb_password = {
	DQDS_AUTHENTICATION_FAILED, "password authentication failed for user \"%u\" at %h:%p",
	"Check the user and the password of the connection.%w"};

/* ---- words that we cannot read ----------------------------------------------------------- */

/* Does the text name this object, in quotes of whatever language? */
static bool
quotes(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *hit = strstr(text, name); hit != NULL; hit = strstr(hit + 1, name))
	{
		unsigned char before = hit == text ? ' ' : (unsigned char) hit[-1];
		unsigned char after = (unsigned char) hit[length];

		if ((before == '"' && after == '"') || (before >= 0x80 && after >= 0x80))
			return true;
	}
	return false;
}

static const Explanation names_the_database = {
	DQDS_REMOTE_ERROR,
	"the server behind the connection pooler at %h:%p refused the login with words on database "
	"\"%d\": %m",
	"The database may not exist, not accept connections or have no connection left, or user "
	"\"%u\" may have no CONNECT privilege on it; with lc_messages = 'C' at that server dqds tells "
	"which."};

static const Explanation names_the_user = {
	DQDS_REMOTE_ERROR,
	"the server behind the connection pooler at %h:%p refused the login with words on user "
	"\"%u\": %m",
	"The password may be wrong or have expired, or the user may not exist, not have LOGIN or have "
	"no connection left; with lc_messages = 'C' at that server dqds tells which."};

/* The words name the database or the user, and not both. */
static bool
explain_by_name(const Target *target, const char *text, const char *words, Failure *failure)
{
	bool user = quotes(text, target->user);
	bool database = quotes(text, target->database);

	if (user == database)
		return false;
	explain(user ? &names_the_user : &names_the_database, target, words, NULL, failure);
	return true;
}

/* ------------------------------------------------------------------------------------------- */

static bool
has_pieces(const char *text, const char *piece, const char *second)
{
	const char *hit = strstr(text, piece);

	return hit != NULL && (second == NULL || strstr(hit + strlen(piece), second) != NULL);
}

/*
 * Explain an error that names no routine of a server's source, with that SQLSTATE, as one
 * that a pooler sent; false: it is none, or nothing is known of it.  evidence may be NULL,
 * for a query.  words is what may be shown of text, or NULL.
 */
bool
explain_pooler(const Target *target, const LoginEvidence *evidence, const char *sqlstate,
			   const char *text, const char *words, Failure *failure)
{
	static const LoginEvidence nothing_seen = {0};
	bool is_pooler = strncmp(sqlstate, "08", 2) == 0;

	if (strcmp(sqlstate, "00000") == 0 && strstr(text, "invalid username/password") != NULL)
	{
		explain(&questdb_password, target, NULL, NULL, failure);
		return true;
	}
	if (!is_pooler && strcmp(sqlstate, "XX000") != 0 && strcmp(sqlstate, "28000") != 0)
		return false;
	for (int i = 0; i < lengthof(pooler_words); i++)
	{
		Refusal refusal = {.text = text};

		if (!has_pieces(text, pooler_words[i].piece, pooler_words[i].second))
			continue;
		if (pooler_words[i].sqlstate == NULL)
		{
			explain(&pooler_words[i].explanation, target, words, NULL, failure);
			return true;
		}
		strlcpy(refusal.sqlstate, pooler_words[i].sqlstate, sizeof(refusal.sqlstate));
		strlcpy(refusal.routine, pooler_words[i].routine, sizeof(refusal.routine));
		return explain_login_state(target, evidence == NULL ? &nothing_seen : evidence, &refusal,
								   words, failure);
	}
	return is_pooler && evidence != NULL && explain_by_name(target, text, words, failure);
}
