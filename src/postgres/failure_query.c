/*
 * failure_query.c
 *		Why did a query fail?
 *
 * The queries are ours and right for a PostgreSQL server, so an error in one of them
 * tells something of the server: of its state, of what the user may do there, or that
 * it is another kind of server.
 */
#include "postgres.h"

#include "base/failure.h"
#include "model/target.h"
#include "postgres/failure_postgres.h"
#include "wire/failure_common.h"
#include "wire/failure_explain.h"
#include "postgres/failure_internal.h"

#define NO_CATALOG "user \"%u\" may not read the catalog of database \"%d\" at %h:%p: %m"

#define REPORTED "the server at %h:%p reported an error: %m"

#define OTHER_KIND                                                                                 \
	{                                                                                              \
		DQDS_REMOTE_ERROR, REPORTED,                                                               \
			"Check that provider_type says what answers there: the query is one that every "       \
			"server of this kind takes."                                                           \
	}

/* Names of ours that the server cannot read are not sent to it a second time (listing.c). */
#define BAD_TEXT                                                                                   \
	{                                                                                              \
		DQDS_REMOTE_ERROR,                                                                         \
			"the catalog of database \"%d\" at %h:%p holds text that the server cannot read or "   \
			"convert: %m",                                                                         \
			"Find the name or comment there that is not valid in the encoding of the database "    \
			"(SHOW server_encoding), and correct it."                                              \
	}

/* What a SQLSTATE, and a piece of the remote's message (NULL: any), mean when they end a query. */
static const struct
{
	const char *sqlstate; /* whole, or the two characters of a class */
	const char *piece;    /* where it ends in a blank, one plain name follows, and nothing else */
	Explanation explanation;
} query_states[] = {
	{"42501",
	 "permission denied for table ",
	 {DQDS_PERMISSION_DENIED, NO_CATALOG,
	  "On the remote server, in database \"%d\", run: GRANT SELECT ON pg_catalog.%O TO %U;"}},
	{"42501",
	 NULL,
	 {DQDS_PERMISSION_DENIED, NO_CATALOG,
	  "Grant the privilege that the message names to user \"%u\"."}},
	{"57014",
	 NULL,
	 {DQDS_CANCELLED, "the remote server at %h:%p cancelled the query",
	  "Check statement_timeout of user \"%u\" there, or whether the query was cancelled by hand."}},
	{"55P03",
	 NULL,
	 {DQDS_CANCELLED, "the remote server at %h:%p cancelled the query, which waited for a lock",
	  "Look for locks on the catalog of database \"%d\", or raise lock_timeout of user \"%u\" "
	  "there."}},
	{"57P01",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p ended the connection",
	  "Try again; it may have been ended by hand, or the server is restarting."}},
	{"57P02",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p crashed", "Try again in a moment."}},
	{"57P03",
	 NULL,
	 {DQDS_SERVER_STARTING, "the server at %h:%p is starting up or shutting down",
	  "Try again in a moment."}},
	{"57P05",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the server at %h:%p ended the idle connection", "Try again."}},
	{"53300",
	 NULL,
	 {DQDS_TOO_MANY_CONNECTIONS, "the server at %h:%p has no connection left for user \"%u\"",
	  "Try again later, or raise the limit there."}},
	{"22P05", NULL, BAD_TEXT},
	{"22021", NULL, BAD_TEXT},
	{"08",
	 NULL,
	 {DQDS_CONNECTION_LOST, "the connection to %h:%p was lost: %m",
	  "Check the server, and the pooler if there is one between."}},
	{"0A000", "cannot use serializable mode in a hot standby", SERIALIZABLE_STANDBY},
	/* QuestDB's; syntax, unknown names and types; not supported */
	{"00000", NULL, OTHER_KIND},
	{"42", NULL, OTHER_KIND},
	{"0A", NULL, OTHER_KIND},
};

static bool
has_piece(const char *message, const char *piece)
{
	size_t length = strlen(piece);

	if (piece[length - 1] != ' ')
		return strstr(message, piece) != NULL;
	return strncmp(message, piece, length) == 0 && message[length] != '\0' &&
		   strspn(message + length, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
			   strlen(message + length);
}

/* What a query that failed with a SQLSTATE can be asked again for, or in another way. */
static const struct
{
	const char *sqlstate;
	FailureCause cause;
} causes[] = {
	/* A parameter, or a value that the remote would send: there is no such character, or it is not valid. */
	{"22P05", CAUSE_UNTRANSLATABLE},
	{"22021", CAUSE_UNTRANSLATABLE},
	/* An internal error, and an enum whose label is gone. */
	{"XX000", CAUSE_DROPPED_OBJECT},
	{"22P03", CAUSE_DROPPED_OBJECT},
	{"55P03", CAUSE_LOCK},
	{"40P01", CAUSE_LOCK},
	/* To write a definition takes more of the server's stack than to create it. */
	{"54001", CAUSE_TOO_DEEP},
};

static FailureCause
find_cause(const char *sqlstate)
{
	for (int i = 0; i < lengthof(causes); i++)
		if (strcmp(causes[i].sqlstate, sqlstate) == 0)
			return causes[i].cause;
	return CAUSE_OTHER;
}

/* The remote refused a query with this SQLSTATE; message may be NULL. */
void
diagnose_query(const Target *target, const char *sqlstate, const char *message, Failure *failure)
{
	static const Explanation unknown = {DQDS_REMOTE_ERROR, REPORTED,
										"Look at the log of the remote server."};
	const Explanation *explanation = &unknown;

	failure->cause = find_cause(sqlstate);
	if (message == NULL)
		message = "";
	if (strncmp(sqlstate, "08", 2) == 0 &&
		explain_pooler(target, NULL, sqlstate, message, message, failure))
	{
		note_sqlstate(failure, sqlstate);
		return;
	}
	for (int i = 0; i < lengthof(query_states); i++)
		if (strncmp(query_states[i].sqlstate, sqlstate, strlen(query_states[i].sqlstate)) == 0 &&
			(query_states[i].piece == NULL || has_piece(message, query_states[i].piece)))
		{
			explanation = &query_states[i].explanation;
			break;
		}
	explain(explanation, target, message, NULL, failure);
	note_sqlstate(failure, sqlstate);
}

/* What libpq says of an answer that is not as the protocol has it. */
static const char *const protocol_errors[] = {
	"without prior row description",
	"unexpected field count",
	"lost synchronization",
	"insufficient data",
	"extraneous data",
	"contents do not agree with length",
	"unexpected response",
	"arrived from server while idle",
};

/*
 * The connection is of no use any more, and the server has not said why.  words are
 * libpq's, or NULL.
 */
void
diagnose_lost(const Target *target, const char *words, Failure *failure)
{
	for (int i = 0; words != NULL && i < lengthof(protocol_errors); i++)
		if (strstr(words, protocol_errors[i]) != NULL)
		{
			failure_common(target, FAILED_ANSWER, "an answer that breaks the PostgreSQL protocol",
						   failure);
			return;
		}
	failure_common(target, FAILED_CONNECTION_LOST, NULL, failure);
}
