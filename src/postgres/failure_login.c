/*
 * failure_login.c
 *		Why did a login fail?
 *
 * Reads what libpq says of it: an error of the server by its SQLSTATE and routine, by
 * what was seen of the login, and only then by its words; words of libpq's own by the
 * stage.  The tables are in failure_texts.c and failure_pooler.c; what fits no row of
 * them is here.
 */
#include "postgres.h"

#include <openssl/x509.h>

#include "base/failure.h"
#include "model/target.h"
#include "postgres/certificate_check.h"
#include "postgres/failure_postgres.h"
#include "wire/failure_explain.h"
#include "postgres/failure_internal.h"

/* ---- the server's error in what libpq says ------------------------------------------------ */

/* An SQLSTATE, with its end or a colon behind it? */
static bool
is_sqlstate(const char *text)
{
	return strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && text[5] == ':';
}

#define ATTEMPT "connection to server at \""

/* Where the next attempt to log in begins in what libpq says; NULL: there is none. */
static const char *
next_attempt(const char *message)
{
	const char *next = strstr(message, "\n" ATTEMPT);

	return next == NULL ? NULL : next + 1;
}

/*
 * Find the error of the server in what libpq says of one attempt with verbosity
 * VERBOSE.  It reads "SEVERITY:  SQLSTATE: text", and "LOCATION:  routine, file:line" in a
 * line of its own.  The severity may be translated by the server; what surrounds the
 * state is not.
 */
static bool
read_refusal(const char *attempt, Refusal *refusal)
{
	const char *state = strstr(attempt, ":  ");
	const char *location;
	size_t length;

	while (state != NULL && !(is_sqlstate(state + 3) && state[9] == ' '))
		state = strstr(state + 3, ":  ");
	if (state == NULL)
		return false;
	strlcpy(refusal->sqlstate, state + 3, sizeof(refusal->sqlstate));
	refusal->text = state + strlen(":  XXXXX: ");
	refusal->routine[0] = '\0';
	location = strstr(refusal->text, "\nLOCATION:  ");
	if (location == NULL)
		return true;
	location += strlen("\nLOCATION:  ");
	length = strcspn(location, ",\n");
	/* A pooler names a file, and no routine before it. */
	if (location[length] == ',' && length < sizeof(refusal->routine))
		strlcpy(refusal->routine, location, length + 1);
	return true;
}

/*
 * How much does a refusal tell?  That one of two attempts, with and without TLS, is not
 * let in by pg_hba.conf is the least, and a wrong password the most.
 */
static int
weight(const Target *target, const Refusal *refusal)
{
	if (strcmp(refusal->sqlstate, "28P01") == 0)
		return 2;
	if (strcmp(refusal->sqlstate, "28000") == 0 &&
		strcmp(refusal->routine, "ClientAuthentication") == 0)
		return names_user(target, refusal->text) ? 0 : 1;
	return 1;
}

/* With sslmode prefer and allow there can be two attempts: take the one that tells more, or the later. */
static bool
choose_refusal(const Target *target, const char *message, Refusal *chosen)
{
	bool found = false;

	for (const char *next, *attempt = message; attempt != NULL; attempt = next)
	{
		Refusal refusal;

		next = next_attempt(attempt);
		if (!read_refusal(next == NULL ? attempt : pnstrdup(attempt, next - attempt), &refusal) ||
			(found && weight(target, &refusal) < weight(target, chosen)))
			continue;
		*chosen = refusal;
		found = true;
	}
	return found;
}

/* ---- what it means ---------------------------------------------------------------------------- */

/*
 * A remote repeats what the options of a connection say after it has read them,
 * so that backslashes in them are gone, and the mask in place of a secret would
 * show that a guess in the options is right.
 */
static const char *
words_to_show(const Target *target, const char *words)
{
	return target->options != NULL && target->stored_secret ? NULL : words;
}

static void
explain_refusal(const Target *target, const LoginEvidence *evidence, const Refusal *refusal,
				Failure *failure)
{
	static const Explanation unknown = {DQDS_REMOTE_ERROR,
										"the server at %h:%p refused the login: %m",
										"Look at the log of the remote server."};
	static const Explanation unknown_sender = {
		DQDS_REMOTE_ERROR, "the server at %h:%p refused the login: %m",
		"If that does not say what to do: it may be the answer of a proxy or pooler, which may "
		"choose the server by host name, user or options; look at the log of both."};
	bool is_server = refusal->routine[0] != '\0';
	const char *words = words_to_show(target, refusal->text);

	if ((is_server ||
		 !explain_pooler(target, evidence, refusal->sqlstate, refusal->text, words, failure)) &&
		!explain_login_state(target, evidence, refusal, words, failure))
		explain(is_server ? &unknown : &unknown_sender, target, words, NULL, failure);
	note_sqlstate(failure, refusal->sqlstate);
}

/* ---- libpq's own words ------------------------------------------------------------------------ */

/* OpenSSL does not trust the certificate of the server, or one above it. */
static void
explain_certificate(const Target *target, const CertificateCheck *check, Failure *failure)
{
	Explanation explanation = {
		DQDS_TLS_CERTIFICATE, "the certificate of %h:%p is not trusted: %m",
		"It must be issued by an authority in the file of dqds.ssl_root_certs; sslmode require "
		"goes without this check."};
	const char *reason = X509_verify_cert_error_string(check->error);

	for (const CertificateError *row = certificate_errors; row->error != X509_V_OK; row++)
	{
		if (row->error != check->error)
			continue;
		explanation.hint = row->hint;
		/* The row names the issuer where that is known and helps. */
		reason = check->depth == 0 ? row->server : row->above;
		if (strstr(reason, "%s") != NULL)
		{
			const char *at = strstr(reason, "%s");

			reason = psprintf("%.*s%s%s", (int) (at - reason), reason, check->issuer, at + 2);
		}
		break;
	}
	explain(&explanation, target, reason, NULL, failure);
}

/* libpq's own words, without what it says of host and address before them. */
static const char *
own_words(const char *message)
{
	const char *attempt = message;
	const char *words;

	for (const char *next; (next = next_attempt(attempt)) != NULL;)
		attempt = next;
	if (strncmp(attempt, ATTEMPT, strlen(ATTEMPT)) != 0)
		return attempt;
	words = strstr(attempt, " failed: ");
	return words == NULL ? "" : words + strlen(" failed: ");
}

static bool
explain_network_error(const Target *target, const char *words, Failure *failure)
{
	for (const NetworkError *row = network_errors; row->error_number != 0; row++)
	{
		if (strstr(words, strerrordesc_np(row->error_number)) == NULL)
			continue;
		explain(&row->explanation, target, NULL, NULL, failure);
		return true;
	}
	return false;
}

static LoginStatus
explain_libpq_words(const Target *target, const LoginEvidence *evidence, const char *words,
					Failure *failure)
{
	static const Explanation unknown_tcp = {DQDS_UNREACHABLE, "could not connect to %h:%p: %m",
											"Check host, port and the firewalls on the way."};
	static const Explanation unknown = {DQDS_REMOTE_ERROR, "the login at %h:%p failed: %m",
										"Look at the log of the remote server."};

	if (evidence->stage == STAGE_TLS && evidence->certificate->error != X509_V_OK &&
		strstr(words, "certificate verify failed") != NULL)
	{
		explain_certificate(target, evidence->certificate, failure);
		return LOGIN_REFUSED;
	}
	for (const LibpqMessage *row = libpq_messages; row->piece != NULL; row++)
	{
		size_t length = strlen(row->piece);
		const char *hit = row->stage == evidence->stage ? strstr(words, row->piece) : NULL;

		if (hit == NULL)
			continue;
		/* Behind a piece that ends like this stands the reason. */
		if (length > 2 && strcmp(row->piece + length - 2, ": ") == 0)
			words = hit + length;
		explain(&row->explanation, target, words, NULL, failure);
		return row->outlook;
	}
	if (evidence->stage == STAGE_TCP && explain_network_error(target, words, failure))
		return LOGIN_HUNG_UP;
	explain(evidence->stage == STAGE_TCP ? &unknown_tcp : &unknown, target,
			words_to_show(target, words), NULL, failure);
	return evidence->stage == STAGE_TCP ? LOGIN_HUNG_UP : LOGIN_REFUSED;
}

/*
 * Why did a login fail, and what does that mean for the other addresses of the name?
 * message is PQerrorMessage, in English, with verbosity VERBOSE.
 */
LoginStatus
diagnose_connect(const Target *target, const LoginEvidence *evidence, const char *message,
				 Failure *failure)
{
	Refusal refusal;

	if (choose_refusal(target, message, &refusal))
	{
		explain_refusal(target, evidence, &refusal, failure);
		return LOGIN_REFUSED;
	}
	return explain_libpq_words(target, evidence, own_words(message), failure);
}

/* TLS ended during the login; reason is what OpenSSL says of it. */
static void
explain_tls_error(const Target *target, const char *reason, Failure *failure)
{
	static const CertificateCheck unchecked = {0};
	LoginEvidence evidence = {.stage = STAGE_STARTUP, .certificate = &unchecked};

	(void) explain_libpq_words(target, &evidence, psprintf("SSL error: %s", reason), failure);
}

/* The guard has stopped a login with this verdict, which is neither GUARD_PASS nor GUARD_WAIT. */
void
diagnose_guard(const Target *target, const AuthGuard *guard, GuardVerdict verdict, Failure *failure)
{
	if (verdict == GUARD_TLS_ERROR)
	{
		explain_tls_error(target, guard->tls_error, failure);
		return;
	}
	for (const GuardRefusal *row = guard_refusals; row->explanation.message != NULL; row++)
		if (row->verdict == verdict)
			explain(&row->explanation, target, NULL, NULL, failure);
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
