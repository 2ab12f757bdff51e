/*
 * password_guard.c
 *		Looks at what a server asks for in the authentication before libpq does.
 *
 * libpq 15 serves every request without asking (require_auth came with 16), among
 * them some that must not be:
 *
 *	- the password in the clear, without TLS or over TLS that proves nothing of
 *	  the server: anyone on the way can offer that;
 *	- GSSAPI and its kin: they look names up in the backend's own thread, beyond
 *	  the policy and every deadline, and use the tickets of the server's user;
 *	- SCRAM with as many iterations as the server likes: a billion of them keep
 *	  the backend busy, and deaf to every signal, for minutes.
 *
 * What may pass auth_messages.c decides; here is how the bytes are come by.
 *
 * Without TLS each message is looked at while it still lies in the kernel, and
 * libpq is let at it only when it ends with a whole message, so that no request
 * can hide in pieces, or behind another one.  What arrives between the look and
 * libpq's read is not seen: TLS is the remedy against a server that times its
 * packets with malice, not this.  Under TLS the next record is looked at, and
 * libpq reads only when one is there as a whole: it reads that one, whatever comes
 * meanwhile.  A message may go on in the record behind it, so what was seen of it
 * is kept.
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "model/target.h"
#include "postgres/password_guard.h"

/* To be called before each attempt to log in to the target; what is known of earlier ones stays. */
void
guard_reset(AuthGuard *guard, const Target *target)
{
	int blocks = target->password == NULL ? 0 : strlen(target->password) / SHA256_BLOCK_BYTES;

	guard->cleartext_allowed = target->allow_cleartext || target->password == NULL;
	guard->tls_is_verified = strncmp(target->sslmode, "verify-", strlen("verify-")) == 0;
	guard->max_iterations =
		(int64) MAX_SCRAM_ITERATIONS * SCRAM_ITERATION_BLOCKS / (SCRAM_ITERATION_BLOCKS + blocks);
	guard->done = false;
	guard->logged_in = false;
	guard->length = 0;
	guard->tls_error = NULL;
}

/*
 * Each login costs us a computation that the server sets the price of: servers of the
 * wrong kind are asked one after the other only as long as all of them together have not
 * asked for more than one may.
 */
bool
guard_may_ask_more(const AuthGuard *guard)
{
	return guard->scram_iterations < MAX_SCRAM_ITERATIONS;
}

/*
 * Look at a plain socket whose server is to speak next in the authentication.
 * For GUARD_WAIT, *needed is how many bytes must have arrived to see more.
 */
GuardVerdict
guard_plain(AuthGuard *guard, int fd, int *needed)
{
	ssize_t n = recv(fd, guard->bytes, sizeof(guard->bytes), MSG_PEEK | MSG_DONTWAIT);

	*needed = 1;
	if (n < 0 && errno == EAGAIN)
		return GUARD_WAIT;
	if (n <= 0)
		return GUARD_PASS;
	guard->length = n;
	guard->spoken = true;
	return auth_check_messages(guard, false, needed);
}

/*
 * What OpenSSL says about a read that failed, which takes the reason with it: so
 * libpq would no longer find the alert of a server that refuses.  NULL: nothing
 * more than that the connection has ended, which libpq says as well.
 */
static const char *
read_tls_error(void *ssl, int result)
{
	unsigned long error = ERR_peek_error();

	if (SSL_get_error(ssl, result) != SSL_ERROR_SSL ||
		ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return NULL;
	return ERR_reason_error_string(error);
}

/* What a look that showed nothing means. */
static GuardVerdict
explain_failed_peek(AuthGuard *guard, void *ssl, int result)
{
	switch (SSL_get_error(ssl, result))
	{
		case SSL_ERROR_WANT_READ:
			/* There is no whole record.  libpq must not try: the rest may come just then. */
			return GUARD_WAIT;
		case SSL_ERROR_WANT_WRITE:
			/* A new key in the middle of the authentication, to a server that reads nothing. */
			return GUARD_FORGED;
		default:
			guard->tls_error = read_tls_error(ssl, result);
			return guard->tls_error == NULL ? GUARD_PASS : GUARD_TLS_ERROR;
	}
}

/*
 * The same under TLS; ssl is OpenSSL's SSL.  GUARD_WAIT: no whole record has come,
 * and *needed is 1; each one that has come libpq may read.  GUARD_TLS_ERROR:
 * guard->tls_error tells why nothing more can be read.
 */
GuardVerdict
guard_tls(AuthGuard *guard, void *ssl, int *needed)
{
	GuardVerdict verdict = GUARD_PASS;
	int of_message;
	int n;

	if (guard->done)
		return GUARD_PASS;
	*needed = 1;
	ERR_clear_error();
	n = SSL_peek(ssl, guard->bytes + guard->length, sizeof(guard->bytes) - guard->length);
	if (n <= 0)
		verdict = explain_failed_peek(guard, ssl, n);
	ERR_clear_error();
	if (n <= 0)
		return verdict;
	guard->length += n;
	guard->spoken = true;
	verdict = auth_check_messages(guard, true, &of_message);
	guard->length -= guard->whole;
	memmove(guard->bytes, guard->bytes + guard->whole, guard->length);
	return verdict == GUARD_WAIT ? GUARD_PASS : verdict;
}

/*
 * Look at a socket whose server is to answer the request for TLS, by one byte.
 * With something behind it, it is no answer: a refusal would let libpq read the
 * rest unseen, and a banner may begin like a consent (SSH).  In its place there may be
 * an error.  A TLS record, which comes later on the same socket, begins with none of
 * these letters.
 */
GuardVerdict
guard_tls_answer(AuthGuard *guard, int fd)
{
	ssize_t n = recv(fd, guard->bytes, sizeof(guard->bytes), MSG_PEEK | MSG_DONTWAIT);
	int needed;

	if (n < 2)
		return GUARD_PASS;
	if (guard->bytes[0] == 'E')
	{
		guard->length = n;
		return auth_check_messages(guard, false, &needed) == GUARD_FORGED ? GUARD_FORGED
																		  : GUARD_PASS;
	}
	return guard->bytes[0] == 'N' || guard->bytes[0] == 'S' ? GUARD_FORGED : GUARD_PASS;
}
