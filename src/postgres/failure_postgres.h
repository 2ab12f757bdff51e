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
#include "wire/wire.h"

typedef struct Target Target;

/* What we saw ourselves of a login that failed. */
typedef struct LoginEvidence
{
	ConnectStage stage;
	bool asked_password; /* the server asked for the password, in whatever way */
	const CertificateCheck *certificate;
} LoginEvidence;

extern LoginStatus diagnose_connect(const Target *target, const LoginEvidence *evidence,
									const char *message, Failure *failure);
extern void diagnose_guard(const Target *target, const AuthGuard *guard, GuardVerdict verdict,
						   Failure *failure);
extern void diagnose_wrong_kind(const Target *target, int asked, int naddresses, Failure *failure);
extern void diagnose_query(const Target *target, const char *sqlstate, const char *message,
						   Failure *failure);
extern void diagnose_lost(const Target *target, const char *words, Failure *failure);

#endif /* DQDS_FAILURE_POSTGRES_H */
