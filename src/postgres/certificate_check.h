/*
 * certificate_check.h
 *		Listens while OpenSSL checks the certificates of a server.
 */
#ifndef DQDS_CERTIFICATE_CHECK_H
#define DQDS_CERTIFICATE_CHECK_H

typedef struct LoginTrace LoginTrace;

/* What was seen of the certificates of one server; zeros are a new one. */
typedef struct CertificateCheck
{
	int error;         /* X509_V_ERR_... of OpenSSL's; 0: none */
	int depth;         /* of the certificate that it is about; 0: the server's own */
	char issuer[256];  /* of that certificate */
	LoginTrace *trace; /* where the server's certificate is noted, or NULL */
} CertificateCheck;

extern void certificate_watch(CertificateCheck *check);

#endif /* DQDS_CERTIFICATE_CHECK_H */
