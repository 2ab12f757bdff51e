/*
 * gate_tls.h
 *		What is seen of handshakes, and the certificates of the system, for whatever library.
 */
#ifndef DQDS_GATE_TLS_H
#define DQDS_GATE_TLS_H

#include <openssl/ssl.h>

#include "agent/protocol.h"

/* Called in the thread of a handshake after it has ended; verified: X509_V_OK, or why not. */
typedef void (*AfterHandshake)(const SSL *ssl, bool done, long verified, void *argument);

extern void gate_after_handshake(AfterHandshake function, void *argument);
extern void gate_demand_tls(TlsDemand wanted, const char *name);

#endif /* DQDS_GATE_TLS_H */
