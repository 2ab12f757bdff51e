/*
 * gate_tls.c
 *		What is seen of handshakes, and the certificates of the system, for whatever library.
 *
 * Defines two functions of OpenSSL in place of the library's own.  SSL_connect() lets the
 * session see what the server has shown of itself.  SSL_CTX_set_default_verify_paths() gives
 * all contexts of a process one store: a driver that parses the system's 140 certificates at
 * each login takes a tenth of a second for it.  It is empty where no certificate is checked.
 *
 * A driver with another TLS library, as FreeTDS with GnuTLS, is not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>

#include "gate_tls.h"

static AfterHandshake after_handshake;
static void *after_handshake_argument;
static bool without_roots;

/* Call a function for each handshake that has ended. */
void
gate_after_handshake(AfterHandshake function, void *argument)
{
	after_handshake = function;
	after_handshake_argument = argument;
}

/* No certificate is checked in this process, so those of the system need not be read. */
void
gate_without_roots(void)
{
	without_roots = true;
}

/* In place of OpenSSL's. */
int
SSL_connect(SSL *ssl)
{
	static int (*real)(SSL *);
	int result;
	int error;

	if (real == NULL)
		real = (int (*)(SSL *)) dlsym(RTLD_NEXT, "SSL_connect");
	result = real(ssl);
	error = SSL_get_error(ssl, result);
	if (after_handshake != NULL && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		after_handshake(ssl, result == 1, SSL_get_verify_result(ssl), after_handshake_argument);
	return result;
}

/* In place of OpenSSL's. */
int
SSL_CTX_set_default_verify_paths(SSL_CTX *context)
{
	static int (*real)(SSL_CTX *);
	static X509_STORE *store;

	if (without_roots)
		return 1;
	if (real == NULL)
		real = (int (*)(SSL_CTX *)) dlsym(RTLD_NEXT, "SSL_CTX_set_default_verify_paths");
	if (store == NULL)
	{
		if (real(context) != 1)
			return 0;
		store = SSL_CTX_get_cert_store(context);
		return X509_STORE_up_ref(store);
	}
	SSL_CTX_set1_cert_store(context, store);
	return 1;
}
