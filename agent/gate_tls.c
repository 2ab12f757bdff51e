/*
 * gate_tls.c
 *		What is seen of handshakes, and the certificates of the system, for whatever library.
 *
 * Defines three functions of OpenSSL in place of the library's own.  SSL_connect() has OpenSSL
 * itself check what the connection demands of the certificate, since libraries have ideas of
 * their own (libmariadb 3.4 takes a certificate for another name if the password is right), and
 * lets the session see what the server has shown of itself.  SSL_CTX_set_default_verify_paths() gives
 * all contexts of a process one store: a driver that parses the system's 140 certificates at
 * each login takes a tenth of a second for it.  It is empty where no certificate is checked.
 *
 * A driver with another TLS library, as FreeTDS with GnuTLS, is not seen.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gate_tls.h"

static AfterHandshake after_handshake;
static void *after_handshake_argument;
static TlsDemand demand = TLS_NONE;
static char host[256];

/* Call a function for each handshake that has ended. */
void
gate_after_handshake(AfterHandshake function, void *argument)
{
	after_handshake = function;
	after_handshake_argument = argument;
}

/* What is demanded of the certificates of all servers, and the name that they have to be for. */
void
gate_demand_tls(TlsDemand wanted, const char *name)
{
	size_t length = strlen(name);

	demand = wanted;
	/* A dot at the end of a name is not in certificates. */
	if (length > 0 && name[length - 1] == '.')
		length--;
	if (length >= sizeof(host))
		length = 0; /* no certificate is for that */
	memcpy(host, name, length);
	host[length] = '\0';
}

/* Have the handshake fail unless the certificate is what is demanded; false: that cannot be. */
static bool
demand_certificate(SSL *ssl)
{
	unsigned char address[16];

	if (demand < TLS_KNOWN_CA)
		return true;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	if (demand == TLS_KNOWN_CA)
		return true;
	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return host[0] != '\0' && SSL_set1_host(ssl, host) == 1;
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
	if (!demand_certificate(ssl))
		return -1;
	result = real(ssl);
	error = SSL_get_error(ssl, result);
	if (after_handshake != NULL && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		after_handshake(ssl, result == 1, SSL_get_verify_result(ssl), after_handshake_argument);
	return result;
}

/*
 * In place of OpenSSL's: reads no key.  Libraries read public keys to send a password under
 * one that the server hands out, which is as good as sending it in clear text.
 */
EVP_PKEY *
PEM_read_bio_PUBKEY(BIO *in, EVP_PKEY **key, pem_password_cb *callback, void *argument)
{
	(void) in, (void) key, (void) callback, (void) argument;
	return NULL;
}

/* In place of OpenSSL's. */
int
SSL_CTX_set_default_verify_paths(SSL_CTX *context)
{
	static int (*real)(SSL_CTX *);
	static X509_STORE *store;

	if (demand < TLS_KNOWN_CA)
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
