/*
 * password_guard.h
 *		Looks at what a server asks for in the authentication before libpq does.
 */
#ifndef DQDS_PASSWORD_GUARD_H
#define DQDS_PASSWORD_GUARD_H

typedef struct Target Target;

/* libpq itself takes no longer authentication request. */
#define MAX_AUTH_REQUEST 2000

/*
 * So many iterations of SCRAM take a tenth of a second, in which libpq serves no
 * signal.  PostgreSQL's own default is 4,096, CockroachDB's was 119,680 once.
 * Each hashes four blocks, and all blocks of a long password.
 */
#define MAX_SCRAM_ITERATIONS   150000
#define SCRAM_ITERATION_BLOCKS 4
#define SHA256_BLOCK_BYTES     64

typedef enum GuardVerdict
{
	GUARD_PASS,        /* libpq may read it */
	GUARD_WAIT,        /* more must arrive first */
	GUARD_CLEARTEXT,   /* it asks for the password in the clear where that is not safe */
	GUARD_UNSUPPORTED, /* it asks for something that we must not or cannot do */
	GUARD_EXPENSIVE,   /* it asks for more iterations of SCRAM than the guard's limit */
	GUARD_TLS_ERROR,   /* the server has ended TLS, or broken it */
	GUARD_FORGED       /* it is no answer that a server would send */
} GuardVerdict;

/*
 * What a server sent in one attempt to log in.  Plain data; guard_reset makes it ready
 * for the next attempt and keeps the first three, which the caller sets to zero.
 */
typedef struct AuthGuard
{
	bool spoken;            /* the server has said something that was looked at */
	bool asked_password;    /* in whatever way */
	int64 scram_iterations; /* that were asked for and permitted */
	bool cleartext_allowed; /* whatever protects the connection */
	bool tls_is_verified;   /* TLS, if any, comes with a certificate that libpq checks */
	int max_iterations;
	const char *tls_error; /* static text of OpenSSL's */
	bool done;             /* the requests are over */
	bool logged_in;        /* with AuthenticationOk */
	int length;            /* of what was seen and may go on */
	int whole;             /* of it, whole messages */
	unsigned char bytes[2 * MAX_AUTH_REQUEST];
} AuthGuard;

extern void guard_reset(AuthGuard *guard, const Target *target);
extern bool guard_may_ask_more(const AuthGuard *guard);
extern GuardVerdict guard_plain(AuthGuard *guard, int fd, int *needed);
extern GuardVerdict guard_tls(AuthGuard *guard, void *ssl, int *needed);
extern GuardVerdict guard_tls_answer(AuthGuard *guard, int fd);
extern GuardVerdict auth_check_messages(AuthGuard *guard, bool tls, int *needed);

#endif /* DQDS_PASSWORD_GUARD_H */
