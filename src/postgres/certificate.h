/*
 * certificate.h
 *		The certificate that a server showed, in words.
 */
#ifndef DQDS_CERTIFICATE_H
#define DQDS_CERTIFICATE_H

typedef struct LoginTrace LoginTrace;

extern void trace_certificate(LoginTrace *trace, void *certificate);
extern void trace_peer_certificate(LoginTrace *trace, void *openssl);
extern void certificate_name(void *name, char *text, size_t size);

#endif /* DQDS_CERTIFICATE_H */
