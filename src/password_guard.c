/*
 * password_guard.c
 *		Looks at what a server sent before libpq does: does it want to see the password?
 *
 * libpq 15 answers a request for the password in the clear without asking
 * anybody (require_auth came with 16).  So on a connection without TLS each
 * message of the server is looked at while it still lies in the kernel.  libpq
 * is let at it only when it ends with a whole message, so that no request can
 * hide in pieces, or behind another one.
 *
 * What arrives between the look and libpq's read is not seen: TLS is the remedy
 * against a server that times its packets with malice, not this.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "dqds.h"

/* libpq itself takes no longer authentication request. */
#define MAX_REQUEST 2000

#define HEADER_SIZE    5 /* type and length */
#define AUTH_OK        0
#define AUTH_CLEARTEXT 3

static uint32
read_uint32(const unsigned char *bytes)
{
	return (uint32) bytes[0] << 24 | (uint32) bytes[1] << 16 | (uint32) bytes[2] << 8 | bytes[3];
}

/*
 * Look at a plain socket whose server is to speak next in the authentication.
 * For GUARD_WAIT, *needed is how many bytes must have arrived to see more.
 */
GuardVerdict
guard_authentication(int fd, int *needed)
{
	unsigned char bytes[2 * MAX_REQUEST];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	ssize_t at = 0;

	if (n <= 0)
		return GUARD_PASS;
	while (at < n)
	{
		uint32 length;
		uint32 code;

		/* Anything else than a request ends the authentication, one way or another. */
		if (bytes[at] != 'R')
			return GUARD_PASS;
		*needed = at + HEADER_SIZE + 4;
		/* More requests at once than we can look at are there to hide one. */
		if (n < *needed)
			return *needed > (int) sizeof(bytes) ? GUARD_FORGED : GUARD_WAIT;
		length = read_uint32(bytes + at + 1);
		code = read_uint32(bytes + at + HEADER_SIZE);
		if (code == AUTH_CLEARTEXT)
			return GUARD_CLEARTEXT;
		if (code == AUTH_OK || length > MAX_REQUEST || length < 8)
			return GUARD_PASS;
		*needed = at + 1 + length;
		if (n < *needed)
			return *needed > (int) sizeof(bytes) ? GUARD_FORGED : GUARD_WAIT;
		at += 1 + length;
	}
	return at < (int) sizeof(bytes) ? GUARD_PASS : GUARD_FORGED;
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
