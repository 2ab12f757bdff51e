/*
 * failure_postgres.h
 *		From what libpq and a server that speaks PostgreSQL say to an error code, a message
 *		and a hint.
 */
#ifndef DQDS_FAILURE_POSTGRES_H
#define DQDS_FAILURE_POSTGRES_H

#include "base/failure.h"
#include "postgres/certificate_check.h"
#include "postgres/password_guard.h"

typedef struct Target Target;

/* How far a login had come when it failed. */
typedef enum ConnectStage
{
	STAGE_TCP,
	STAGE_TLS,
	STAGE_STARTUP /* from the startup packet to the first ReadyForQuery */
} ConnectStage;

/* What a failed login means for the other addresses of the name. */
typedef enum LoginOutlook
{
	LOGIN_REFUSED,   /* the server has decided */
	LOGIN_HUNG_UP,   /* there was no connection, or it ended without a reason */
	LOGIN_WRONG_KIND /* the server is not of the kind that target_session_attrs asks for */
} LoginOutlook;

/* What we saw ourselves of a login that failed. */
typedef struct LoginEvidence
{
	ConnectStage stage;
	bool asked_password; /* the server asked for the password, in whatever way */
	const CertificateCheck *certificate;
} LoginEvidence;

extern LoginOutlook diagnose_connect(const Target *target, const LoginEvidence *evidence,
									 const char *message, Failure *failure);
extern void diagnose_guard(const Target *target, const AuthGuard *guard, GuardVerdict verdict,
						   Failure *failure);
extern void diagnose_wrong_kind(const Target *target, int asked, int naddresses, Failure *failure);
extern void diagnose_query(const Target *target, const char *sqlstate, const char *message,
						   Failure *failure);
extern void diagnose_lost(const Target *target, const char *words, Failure *failure);

#endif /* DQDS_FAILURE_POSTGRES_H */
