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
 * Without TLS each message is looked at while it still lies in the kernel, and
 * libpq is let at it only when it ends with a whole message, so that no request
 * can hide in pieces, or behind another one.  What arrives between the look and
 * libpq's read is not seen: TLS is the remedy against a server that times its
 * packets with malice, not this.  Under TLS the next record is looked at, which
 * is what libpq reads then; a message may go on in the one behind it, so what
 * was seen of it is kept.
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "dqds.h"

#define HEADER_SIZE 5 /* type and length */

/* Kinds of authentication request, of the protocol's AuthenticationXXX messages. */
#define AUTH_OK            0
#define AUTH_CLEARTEXT     3
#define AUTH_MD5           5
#define AUTH_SASL          10
#define AUTH_SASL_CONTINUE 11
#define AUTH_SASL_FINAL    12

static uint32
read_uint32(const unsigned char *bytes)
{
	return (uint32) bytes[0] << 24 | (uint32) bytes[1] << 16 | (uint32) bytes[2] << 8 | bytes[3];
}

/* "r=NONCE,s=SALT,i=ITERATIONS": neither nonce nor salt can hold a comma. */
static bool
is_expensive(const unsigned char *content, int length, int max_iterations)
{
	int64 iterations = 0;

	for (int at = 0; at + 2 < length; at++)
	{
		if (memcmp(content + at, ",i=", 3) != 0)
			continue;
		for (at += 3; at < length && isdigit(content[at]) && iterations <= max_iterations; at++)
			iterations = iterations * 10 + (content[at] - '0');
		break;
	}
	return iterations > max_iterations;
}

/* A whole request, or, with content NULL, what its kind alone tells. */
static GuardVerdict
check_request(const AuthGuard *guard, uint32 code, const unsigned char *content, int length,
			  bool tls)
{
	switch (code)
	{
		case AUTH_CLEARTEXT:
			return guard->cleartext_allowed || (tls && guard->tls_is_verified) ? GUARD_PASS
																			   : GUARD_CLEARTEXT;
		case AUTH_SASL_CONTINUE:
			return is_expensive(content, length, guard->max_iterations) ? GUARD_EXPENSIVE
																		: GUARD_PASS;
		case AUTH_OK:
		case AUTH_MD5:
		case AUTH_SASL:
		case AUTH_SASL_FINAL:
			return GUARD_PASS;
		default:
			return GUARD_UNSUPPORTED;
	}
}

/*
 * Check the message at guard->whole.  GUARD_WAIT: it is not whole, and *needed is
 * how many bytes must be there to see more.  guard->done: libpq may read on
 * unguarded.  Otherwise guard->whole is moved behind it.
 */
static GuardVerdict
check_message(AuthGuard *guard, bool tls, int *needed)
{
	int at = guard->whole;
	const unsigned char *message = guard->bytes + at;
	bool is_request = message[0] == 'R';
	GuardVerdict verdict = GUARD_PASS;
	uint32 length;
	uint32 code;

	/*
	 * Anything else ends the authentication, one way or another, but for
	 * NegotiateProtocolVersion: the requests come after it.
	 */
	if (!is_request && message[0] != 'v')
	{
		guard->done = true;
		return GUARD_PASS;
	}
	*needed = at + HEADER_SIZE + 4;
	/* More requests at once than we can look at are there to hide one. */
	if (guard->length < *needed)
		return *needed > (int) sizeof(guard->bytes) ? GUARD_FORGED : GUARD_WAIT;
	length = read_uint32(message + 1);
	code = read_uint32(message + HEADER_SIZE);
	/* libpq refuses these itself */
	if (length > MAX_AUTH_REQUEST || length < 8)
	{
		guard->done = true;
		return GUARD_PASS;
	}
	if (is_request)
		verdict = check_request(guard, code, NULL, 0, tls);
	if (verdict != GUARD_PASS || (is_request && code == AUTH_OK))
	{
		guard->done = true;
		return verdict;
	}
	*needed = at + 1 + length;
	if (guard->length < *needed)
		return *needed > (int) sizeof(guard->bytes) ? GUARD_FORGED : GUARD_WAIT;
	if (is_request)
		verdict = check_request(guard, code, message + HEADER_SIZE + 4, length - 8, tls);
	guard->done = verdict != GUARD_PASS;
	guard->whole = *needed;
	return verdict;
}

/* Check all messages from guard->bytes on; guard->whole is how many bytes are of whole ones. */
static GuardVerdict
check_messages(AuthGuard *guard, bool tls, int *needed)
{
	guard->whole = 0;
	while (guard->whole < guard->length)
	{
		GuardVerdict verdict = check_message(guard, tls, needed);

		if (verdict != GUARD_PASS || guard->done)
			return verdict;
	}
	return guard->length < (int) sizeof(guard->bytes) ? GUARD_PASS : GUARD_FORGED;
}

/* To be called before each attempt to log in to the target. */
void
guard_reset(AuthGuard *guard, const Target *target)
{
	int blocks = target->password == NULL ? 0 : strlen(target->password) / SHA256_BLOCK_BYTES;

	guard->cleartext_allowed = target->allow_cleartext || target->password == NULL;
	guard->tls_is_verified = strncmp(target->sslmode, "verify-", strlen("verify-")) == 0;
	guard->max_iterations =
		(int64) MAX_SCRAM_ITERATIONS * SCRAM_ITERATION_BLOCKS / (SCRAM_ITERATION_BLOCKS + blocks);
	guard->done = false;
	guard->length = 0;
	guard->tls_error = NULL;
}

/*
 * Look at a plain socket whose server is to speak next in the authentication.
 * For GUARD_WAIT, *needed is how many bytes must have arrived to see more.
 */
GuardVerdict
guard_plain(AuthGuard *guard, int fd, int *needed)
{
	ssize_t n = recv(fd, guard->bytes, sizeof(guard->bytes), MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return GUARD_PASS;
	guard->length = n;
	return check_messages(guard, false, needed);
}

/*
 * What OpenSSL says about a read that failed, which takes the reason with it: so
 * libpq would no longer find the alert of a server that refuses.  NULL: nothing
 * more than that the connection has ended, which libpq says as well.
 */
static const char *
read_tls_error(void *ssl, int result)
{
	unsigned long error = ERR_peek_last_error();

	if (SSL_get_error(ssl, result) != SSL_ERROR_SSL ||
		ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return NULL;
	return ERR_reason_error_string(error);
}

/*
 * The same under TLS; ssl is OpenSSL's SSL.  Never GUARD_WAIT: libpq may read each
 * record.  GUARD_TLS_ERROR: guard->tls_error tells why nothing more can be read.
 */
GuardVerdict
guard_tls(AuthGuard *guard, void *ssl)
{
	GuardVerdict verdict;
	int needed;
	int n;

	if (guard->done)
		return GUARD_PASS;
	ERR_clear_error();
	n = SSL_peek(ssl, guard->bytes + guard->length, sizeof(guard->bytes) - guard->length);
	if (n <= 0)
		guard->tls_error = read_tls_error(ssl, n);
	ERR_clear_error();
	if (n <= 0)
		return guard->tls_error == NULL ? GUARD_PASS : GUARD_TLS_ERROR;
	guard->length += n;
	verdict = check_messages(guard, true, &needed);
	guard->length -= guard->whole;
	memmove(guard->bytes, guard->bytes + guard->whole, guard->length);
	return verdict == GUARD_WAIT ? GUARD_PASS : verdict;
}

/*
 * Look at a socket whose server is to answer the request for TLS, by one byte.
 * With something behind it, it is no answer: a refusal would let libpq read the
 * rest unseen, and a banner may begin like a consent (SSH).  A TLS record, which
 * comes later on the same socket, begins with neither letter.
 */
GuardVerdict
guard_tls_answer(int fd)
{
	unsigned char bytes[2];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

	return n == 2 && (bytes[0] == 'N' || bytes[0] == 'S') ? GUARD_FORGED : GUARD_PASS;
}
