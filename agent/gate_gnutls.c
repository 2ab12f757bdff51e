/*
 * gate_gnutls.c
 *		What GnuTLS has found of a certificate, for a driver that does not tell.
 *
 * FreeTDS, which uses GnuTLS, says of a certificate that is not trusted only that it could not
 * connect, and it ends TLS after the login if the server says so before it, whatever was demanded.
 * Functions of GnuTLS are defined here in place of the library's own, which they call.
 * The program does not use GnuTLS itself, so its headers are not needed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

#include "gate_gnutls.h"

#define LIBRARY "libgnutls.so.30"
#define FAILED  (-1)

extern int gnutls_certificate_verify_peers2(void *session, unsigned int *status);
extern int gnutls_handshake(void *session);
extern void gnutls_deinit(void *session);

static GnutlsVerdict verdict = GNUTLS_NOT_ASKED;
static void
	*encrypting; /* the session of the last handshake that was completed, while there is one */

/* The library's own function; NULL: it is not loaded. */
static void *
real_function(const char *name)
{
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_NOLOAD);

	return library == NULL ? NULL : dlsym(library, name);
}

/* Is there a session of TLS that was not ended? */
bool
gate_gnutls_encrypts(void)
{
	return encrypting != NULL;
}

/* What became of the last certificate that a library had verified by GnuTLS. */
GnutlsVerdict
gate_gnutls_verdict(void)
{
	return verdict;
}

/* In place of GnuTLS's. */
int
gnutls_certificate_verify_peers2(void *session, unsigned int *status)
{
	int (*real)(void *, unsigned int *) = (int (*)(void *, unsigned int *)) real_function(__func__);
	int result = real == NULL ? FAILED : real(session, status);

	verdict = result == 0 && *status == 0 ? GNUTLS_TRUSTED : GNUTLS_NOT_TRUSTED;
	return result;
}

/* In place of GnuTLS's. */
int
gnutls_handshake(void *session)
{
	int (*real)(void *) = (int (*)(void *)) real_function(__func__);
	int result = real == NULL ? FAILED : real(session);

	if (result == 0)
		encrypting = session;
	return result;
}

/* In place of GnuTLS's. */
void
gnutls_deinit(void *session)
{
	void (*real)(void *) = (void (*)(void *)) real_function(__func__);

	if (session == encrypting)
		encrypting = NULL;
	if (real != NULL)
		real(session);
}
