/*
 * certificate_check.c
 *		Listens while OpenSSL checks the certificates of a server.
 *
 * libpq frees its SSL object when the check fails and tells no more than that it did, so
 * the reason is noted in OpenSSL's own callback.  It must not change what the check comes
 * to: the callback that it puts in the place of libpq's decides nothing, as that one does.
 *
 * libpq makes the object and begins the handshake in one call, in which the server's
 * certificate can arrive as well.  So the object is caught when OpenSSL makes it, and the
 * callback is set when the handshake begins, after libpq has set its own.
 */
#include "postgres.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "postgres/certificate.h"
#include "postgres/certificate_check.h"

/* Where an SSL object keeps its CertificateCheck; negative: not asked for yet. */
static int check_index = -1;

/* For the object that libpq may make just now; NULL: it is not ours. */
static CertificateCheck *watching = NULL;

/* OpenSSL asks for each certificate, from the topmost to the server's own, and for each error. */
static int
note_check(int ok, X509_STORE_CTX *context)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
	CertificateCheck *check = ssl == NULL ? NULL : SSL_get_ex_data(ssl, check_index);
	X509 *current = X509_STORE_CTX_get_current_cert(context);

	if (check == NULL)
		return ok;
	if (check->trace != NULL)
		trace_certificate(check->trace, X509_STORE_CTX_get0_cert(context));
	if (!ok && check->error == X509_V_OK)
	{
		check->error = X509_STORE_CTX_get_error(context);
		check->depth = X509_STORE_CTX_get_error_depth(context);
		if (current != NULL)
			certificate_name(X509_get_issuer_name(current), check->issuer, sizeof(check->issuer));
	}
	return ok;
}

/* The handshake begins: from now on we are asked. */
static void
note_handshake(const SSL *ssl, int where, int result)
{
	(void) result;
	if (where == SSL_CB_HANDSHAKE_START && (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0)
		SSL_set_verify(unconstify(SSL *, ssl), SSL_get_verify_mode(ssl), note_check);
}

/* An SSL object is made. */
static void
note_object(void *ssl, void *value, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
	(void) value;
	(void) number;
	(void) pointer;
	if (watching != NULL && CRYPTO_set_ex_data(data, index, watching) == 1)
		SSL_set_info_callback(ssl, note_handshake);
}

/*
 * The checks of a handshake that begins from now on are noted in *check, which must live
 * as long as the SSL object that is made for it; NULL: no more are noted.
 */
void
certificate_watch(CertificateCheck *check)
{
	if (check_index < 0)
		check_index = SSL_get_ex_new_index(0, NULL, note_object, NULL, NULL);
	watching = check;
}
