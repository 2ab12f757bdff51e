/*
 * certificate.c
 *		The certificate that a server showed, in words.
 *
 * It fills the part of a LoginTrace that is about the certificate; diagnosis_steps.c
 * makes sentences of it.  It must not decide whether a certificate is good: libpq does.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "postgres/certificate.h"
#include "wire/login_trace.h"

/* A NUL byte in a name is there to deceive: what stands before it must not pass for the name. */
#define NAME_WITH_NUL "(a name that holds a NUL byte)"

static void
append_name(LoginTrace *trace, const char *name, int length)
{
	size_t used = strlen(trace->certificate_names);

	if (length <= 0)
		return;
	if (memchr(name, '\0', length) != NULL)
	{
		name = NAME_WITH_NUL;
		length = strlen(name);
	}
	snprintf(trace->certificate_names + used, sizeof(trace->certificate_names) - used, "%s%.*s",
			 used == 0 ? "" : ", ", length, name);
}

static void
append_address(LoginTrace *trace, const ASN1_OCTET_STRING *address)
{
	char text[INET6_ADDRSTRLEN];
	int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;

	if (ASN1_STRING_length(address) != 4 && ASN1_STRING_length(address) != 16)
		return;
	if (inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text)) != NULL)
		append_name(trace, text, strlen(text));
}

static void
read_names(LoginTrace *trace, X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	if (names == NULL)
		return;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
	{
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			append_name(trace, (const char *) ASN1_STRING_get0_data(name->d.dNSName),
						ASN1_STRING_length(name->d.dNSName));
		else if (name->type == GEN_IPADD)
			append_address(trace, name->d.iPAddress);
	}
	GENERAL_NAMES_free(names);
}

/* The common name in an X509_NAME of OpenSSL's, else its organization, or nothing. */
void
certificate_name(void *name, char *text, size_t size)
{
	unsigned char *value = NULL;
	int position = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	int length;

	text[0] = '\0';
	if (position < 0)
		position = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
	if (position < 0)
		return;
	length =
		ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, position)));
	if (length < 0)
		return;
	if (memchr(value, '\0', length) != NULL)
		strlcpy(text, NAME_WITH_NUL, size);
	else
		snprintf(text, size, "%.*s", length, (const char *) value);
	OPENSSL_free(value);
}

static void
read_expiry(LoginTrace *trace, X509 *certificate)
{
	const ASN1_TIME *expires = X509_get0_notAfter(certificate);
	struct tm when;

	if (ASN1_TIME_to_tm(expires, &when) != 1)
		return;
	strftime(trace->certificate_expires, sizeof(trace->certificate_expires), "%Y-%m-%d %H:%M UTC",
			 &when);
	trace->certificate_expired = X509_cmp_current_time(expires) < 0;
}

/* Note the server's certificate, an X509 of OpenSSL's, in place of one that was noted before. */
void
trace_certificate(LoginTrace *trace, void *certificate)
{
	trace->certificate_names[0] = '\0';
	trace->certificate_expires[0] = '\0';
	trace->certificate_expired = false;
	certificate_name(X509_get_subject_name(certificate), trace->certificate_subject,
					 sizeof(trace->certificate_subject));
	certificate_name(X509_get_issuer_name(certificate), trace->certificate_issuer,
					 sizeof(trace->certificate_issuer));
	read_names(trace, certificate);
	read_expiry(trace, certificate);
}

/* The same for the server's certificate in an SSL object of OpenSSL's, which may be NULL. */
void
trace_peer_certificate(LoginTrace *trace, void *openssl)
{
	X509 *certificate = openssl == NULL ? NULL : SSL_get1_peer_certificate(openssl);

	if (certificate == NULL)
		return;
	trace_certificate(trace, certificate);
	X509_free(certificate);
}
