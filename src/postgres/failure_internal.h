/*
 * failure_internal.h
 *		The inside of the module that explains failures of PostgreSQL's kind: failure_*.c.
 *
 * failure_login.c and failure_query.c read what libpq says; failure_state.c chooses the text
 * for an SQLSTATE, failure_pooler.c that for the words of a pooler; failure_texts.c holds
 * those of a login.
 */
#ifndef DQDS_FAILURE_INTERNAL_H
#define DQDS_FAILURE_INTERNAL_H

#include "base/failure.h"
#include "model/target.h"
#include "postgres/failure_postgres.h"
#include "wire/failure_explain.h"

/* An error of the server, as libpq hands it on with verbosity VERBOSE. */
typedef struct Refusal
{
	char sqlstate[6];
	char routine[64]; /* of the server's source that reported it; "" where none is named */
	const char *text; /* the message, and all that follows it */
} Refusal;

/* What must be true besides SQLSTATE, routine and words for a row of login_states to count. */
typedef enum Condition
{
	ALWAYS,
	ASKED_PASSWORD, /* the server asked for the password before it refused */
	UNNAMED_USER,   /* the words do not name the user */
	TLS_DISABLED,   /* the connection does not use TLS because sslmode says so */
	OPTIONS_READ    /* there are options, and the server may have been reading them */
} Condition;

/* What an error of the server means when it ends a login.  The first row that fits counts. */
typedef struct LoginState
{
	const char *sqlstate; /* whole, or the two characters of a class */
	const char *routine;  /* NULL: any; "": only where none is named */
	const char *piece;    /* of the words, which may be in any language; NULL: any */
	Condition condition;
	Explanation explanation;
} LoginState;

/* What a piece of libpq's own words means, by the stage at which it appears. */
typedef struct LibpqMessage
{
	ConnectStage stage;
	const char *piece;
	LoginStatus outlook;
	Explanation explanation;
} LibpqMessage;

/* An error of the network, as the C library words it in English. */
typedef struct NetworkError
{
	int error_number;
	Explanation explanation;
} NetworkError;

/* Why OpenSSL does not trust a certificate. */
typedef struct CertificateError
{
	int error;          /* X509_V_ERR_... */
	const char *server; /* what is wrong, where it is the server's own certificate */
	const char *above;  /* the same, where it is one above it; %s in both: its issuer */
	const char *hint;
} CertificateError;

/* What is said when the guard lets libpq read no further. */
typedef struct GuardRefusal
{
	GuardVerdict verdict;
	Explanation explanation;
} GuardRefusal;

/* Of a login as well as of a query. */
#define SERIALIZABLE_STANDBY                                                                       \
	{                                                                                              \
		DQDS_REMOTE_ERROR,                                                                         \
			"transactions of user \"%u\" at %h:%p are serializable, which a hot standby does not " \
			"take",                                                                                \
			"Set options of the connection to -c "                                                 \
			"default_transaction_isolation=repeatable\\ read."                                     \
	}

/* ---- failure_texts.c: each table ends with a row whose first pointer or number is 0 ---------- */

extern const LoginState login_states[];
extern const LibpqMessage libpq_messages[];
extern const GuardRefusal guard_refusals[];
extern const NetworkError network_errors[];
extern const CertificateError certificate_errors[];
extern const char *const settings_routines[];

/* ---- failure_state.c -------------------------------------------------------------------------- */

extern bool names_user(const Target *target, const char *text);
extern bool explain_login_state(const Target *target, const LoginEvidence *evidence,
								const Refusal *refusal, const char *words, Failure *failure);

/* ---- failure_pooler.c ------------------------------------------------------------------------- */

extern bool explain_pooler(const Target *target, const LoginEvidence *evidence,
						   const char *sqlstate, const char *text, const char *words,
						   Failure *failure);

#endif /* DQDS_FAILURE_INTERNAL_H */
