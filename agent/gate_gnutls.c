/*
 * gate_gnutls.c
 *		What GnuTLS has found of a certificate, for a driver that does not tell.
 *
 * FreeTDS, which uses GnuTLS, says of a certificate that is not trusted only that it could not
 * connect.  A function of GnuTLS is defined here in place of the library's own, which it calls.
 * The program does not use GnuTLS itself, so its headers are not needed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

#include "gate_gnutls.h"

#define LIBRARY "libgnutls.so.30"
#define FAILED  (-1)

extern int gnutls_certificate_verify_peers2(void *session, unsigned int *status);

static GnutlsVerdict verdict = GNUTLS_NOT_ASKED;

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
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_NOLOAD);
	int (*real)(void *, unsigned int *) =
		library == NULL ? NULL : (int (*)(void *, unsigned int *)) dlsym(library, __func__);
	int result = real == NULL ? FAILED : real(session, status);

	verdict = result == 0 && *status == 0 ? GNUTLS_TRUSTED : GNUTLS_NOT_TRUSTED;
	return result;
}
