/*
 * auth_messages.c
 *		May libpq read these messages of a server in the authentication?
 *
 * Only a request that is exactly as the protocol has it passes.  libpq reads it
 * again in its own way, and what is neither forbidden nor understood here could
 * mean something else there.  password_guard.c says what is forbidden, and why; it
 * must not be known here where the bytes come from.
 */
#include "postgres.h"

#include "postgres/password_guard.h"

#define HEADER_SIZE    5 /* type and length */
#define MD5_SALT_BYTES 4

/* An error message is no shorter and no longer than this: libpq takes any other for one of protocol 2. */
#define MIN_ERROR_BYTES 8
#define MAX_ERROR_BYTES 30000

/* The one error that PostgreSQL up to version 17 still sends in that way. */
#define FORK_ERROR "could not fork"

/* ParameterStatus, BackendKeyData, ReadyForQuery, notices, errors, notifications. */
#define STARTUP_MESSAGES "SKZNEA"

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

/* ---- what a request holds ------------------------------------------------------- */

/* The bytes of a message that are still to be read. */
typedef struct Rest
{
	const unsigned char *at;
	const unsigned char *end;
} Rest;

/* Skip word; false: something else is there. */
static bool
skip_word(Rest *rest, const char *word)
{
	int length = strlen(word);

	if (rest->end - rest->at < length || memcmp(rest->at, word, length) != 0)
		return false;
	rest->at += length;
	return true;
}

/* Skip the printable characters of SCRAM (RFC 5802), which are all of ASCII but the comma; false: there is none. */
static bool
skip_printable(Rest *rest)
{
	const unsigned char *start = rest->at;

	for (; rest->at < rest->end; rest->at++)
	{
		unsigned char c = *rest->at;

		if (c <= ' ' || c >= 0x7f || c == ',')
			break;
	}
	return rest->at > start;
}

/* The same for the characters of base64. */
static bool
skip_base64(Rest *rest)
{
	const unsigned char *start = rest->at;

	while (rest->at < rest->end &&
		   strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", *rest->at) !=
			   NULL &&
		   *rest->at != '\0')
		rest->at++;
	return rest->at > start;
}

/*
 * "r=NONCE,s=SALT,i=ITERATIONS", the server's first message in SCRAM, and nothing
 * else: libpq reads the number with strtol(), which takes blanks and a sign as
 * well, and refuses extensions itself.
 */
static GuardVerdict
check_scram_first(AuthGuard *guard, Rest rest)
{
	int64 iterations = 0;

	if (!skip_word(&rest, "r=") || !skip_printable(&rest) || !skip_word(&rest, ",s=") ||
		!skip_base64(&rest) || !skip_word(&rest, ",i=") || rest.at == rest.end || *rest.at == '0')
		return GUARD_FORGED;
	for (; rest.at < rest.end; rest.at++)
	{
		if (*rest.at < '0' || *rest.at > '9')
			return GUARD_FORGED;
		iterations = Min(iterations * 10 + (*rest.at - '0'), PG_INT32_MAX);
	}
	if (iterations > guard->max_iterations)
		return GUARD_EXPENSIVE;
	guard->scram_iterations += iterations;
	return GUARD_PASS;
}

/*
 * "v=SIGNATURE", or "e=ERROR", the server's last message in SCRAM.  libpq would
 * take the first one in its place.
 */
static GuardVerdict
check_scram_final(Rest rest)
{
	if (!skip_word(&rest, "v=") && !skip_word(&rest, "e="))
		return GUARD_FORGED;
	return skip_printable(&rest) && rest.at == rest.end ? GUARD_PASS : GUARD_FORGED;
}

/*
 * Names of mechanisms, each with a zero behind it, and one zero more at the very end.
 * SCRAM must be among them, with or without channel binding.
 */
static GuardVerdict
check_mechanisms(Rest rest)
{
	bool has_scram = false;

	for (const unsigned char *name = rest.at; skip_printable(&rest); name = rest.at)
	{
		if (rest.at == rest.end || *rest.at++ != '\0')
			return GUARD_FORGED;
		has_scram |= strcmp((const char *) name, "SCRAM-SHA-256") == 0 ||
					 strcmp((const char *) name, "SCRAM-SHA-256-PLUS") == 0;
	}
	if (rest.end - rest.at != 1 || *rest.at != '\0')
		return GUARD_FORGED;
	return has_scram ? GUARD_PASS : GUARD_UNSUPPORTED;
}

/* ---- requests ---------------------------------------------------------------------- */

/* May the server ask for this kind of authentication? */
static GuardVerdict
check_kind(const AuthGuard *guard, uint32 code, bool tls)
{
	switch (code)
	{
		case AUTH_CLEARTEXT:
			return guard->cleartext_allowed || (tls && guard->tls_is_verified) ? GUARD_PASS
																			   : GUARD_CLEARTEXT;
		case AUTH_OK:
		case AUTH_MD5:
		case AUTH_SASL:
		case AUTH_SASL_CONTINUE:
		case AUTH_SASL_FINAL:
			return GUARD_PASS;
		default:
			return GUARD_UNSUPPORTED;
	}
}

/*
 * A whole request of a kind that is permitted; rest is what stands behind its code.
 * libpq does not skip what is left of a message, but takes it for the next one: so
 * the length must be the one that the kind has.
 */
static GuardVerdict
check_content(AuthGuard *guard, uint32 code, Rest rest)
{
	switch (code)
	{
		case AUTH_MD5:
			return rest.end - rest.at == MD5_SALT_BYTES ? GUARD_PASS : GUARD_FORGED;
		case AUTH_SASL:
			return check_mechanisms(rest);
		case AUTH_SASL_CONTINUE:
			return check_scram_first(guard, rest);
		case AUTH_SASL_FINAL:
			return check_scram_final(rest);
		default:
			return rest.end == rest.at ? GUARD_PASS : GUARD_FORGED;
	}
}

/* NegotiateProtocolVersion: a version, and how many options are unknown; we send none. */
static GuardVerdict
check_negotiation(Rest rest)
{
	return rest.end - rest.at == 4 && read_uint32(rest.at) == 0 ? GUARD_PASS : GUARD_FORGED;
}

/*
 * An error ends the authentication.  libpq would show the text of one that is none,
 * such as the banner of another service that begins with an E.
 */
static GuardVerdict
check_error(const AuthGuard *guard, int *needed)
{
	const unsigned char *message = guard->bytes + guard->whole;
	int known = Min(guard->length - guard->whole - 1, (int) strlen(FORK_ERROR));
	uint32 length;

	*needed = guard->whole + HEADER_SIZE;
	if (guard->length < *needed)
		return *needed > (int) sizeof(guard->bytes) ? GUARD_FORGED : GUARD_WAIT;
	length = read_uint32(message + 1);
	if ((length >= MIN_ERROR_BYTES && length <= MAX_ERROR_BYTES) ||
		memcmp(message + 1, FORK_ERROR, known) == 0)
		return GUARD_PASS;
	return GUARD_FORGED;
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
	Rest rest;

	/*
	 * Anything else ends the authentication, one way or another, but for
	 * NegotiateProtocolVersion: the requests come after it.
	 */
	if (!is_request && message[0] != 'v')
	{
		if (message[0] == 'E')
			verdict = check_error(guard, needed);
		guard->done = verdict == GUARD_PASS;
		return verdict;
	}
	*needed = at + HEADER_SIZE + 4;
	/* More requests at once than we can look at are there to hide one. */
	if (guard->length < *needed)
		return *needed > (int) sizeof(guard->bytes) ? GUARD_FORGED : GUARD_WAIT;
	length = read_uint32(message + 1);
	code = read_uint32(message + HEADER_SIZE);
	if (length > MAX_AUTH_REQUEST || length < 8)
		return GUARD_FORGED;
	if (is_request)
		verdict = check_kind(guard, code, tls);
	guard->asked_password |= is_request && code != AUTH_OK;
	if (verdict != GUARD_PASS)
		return verdict;
	*needed = at + 1 + length;
	if (guard->length < *needed)
		return *needed > (int) sizeof(guard->bytes) ? GUARD_FORGED : GUARD_WAIT;
	rest.at = message + HEADER_SIZE + 4;
	rest.end = message + 1 + length;
	verdict = is_request ? check_content(guard, code, rest) : check_negotiation(rest);
	guard->whole = *needed;
	guard->logged_in = is_request && code == AUTH_OK && verdict == GUARD_PASS;
	guard->done = guard->logged_in;
	return verdict;
}

/*
 * What has come together with AuthenticationOk, and stands behind it: libpq loses
 * memory for each message of some of the types that have no place there.  What
 * comes later is not looked at; libpq_login.c bounds what it costs.
 */
static GuardVerdict
check_startup(AuthGuard *guard)
{
	int64 at = guard->whole;

	while (at < guard->length)
	{
		if (guard->bytes[at] == '\0' || strchr(STARTUP_MESSAGES, guard->bytes[at]) == NULL)
			return GUARD_FORGED;
		if (guard->length - at < HEADER_SIZE)
			break;
		at += 1 + (int64) Max(read_uint32(guard->bytes + at + 1), 4);
	}
	return GUARD_PASS;
}

/*
 * Check all messages from guard->bytes on; guard->whole is how many bytes are of whole
 * ones.  For GUARD_WAIT, *needed is how many bytes must be there to see more.
 */
GuardVerdict
auth_check_messages(AuthGuard *guard, bool tls, int *needed)
{
	guard->whole = 0;
	while (guard->whole < guard->length)
	{
		GuardVerdict verdict = check_message(guard, tls, needed);

		if (verdict == GUARD_PASS && guard->logged_in)
			return check_startup(guard);
		if (verdict != GUARD_PASS || guard->done)
			return verdict;
	}
	return guard->length < (int) sizeof(guard->bytes) ? GUARD_PASS : GUARD_FORGED;
}
