/*
 * gate_gnutls.h
 *		What GnuTLS has found of a certificate, for a driver that does not tell.
 */
#ifndef DQDS_GATE_GNUTLS_H
#define DQDS_GATE_GNUTLS_H

#include <stdbool.h>

/* What became of the last certificate that was to be verified. */
typedef enum GnutlsVerdict
{
	GNUTLS_NOT_ASKED,
	GNUTLS_TRUSTED,
	GNUTLS_NOT_TRUSTED
} GnutlsVerdict;

extern GnutlsVerdict gate_gnutls_verdict(void);
extern bool gate_gnutls_encrypts(void);

#endif /* DQDS_GATE_GNUTLS_H */
