/*
 * login_trace.h
 *		What a login went through.
 */
#ifndef DQDS_LOGIN_TRACE_H
#define DQDS_LOGIN_TRACE_H

typedef struct LoginTrace LoginTrace;

#define MAX_TRACE_ADDRESSES 16

/* Filled by a session where it is wanted.  Times are of dqds_now_us; 0: not reached. */
struct LoginTrace
{
	int64 started_us;
	int64 resolved_us;
	int64 connected_us; /* TCP */
	int64 encrypted_us; /* TLS handshake, or its refusal where sslmode permits that */
	int64 logged_in_us;
	int64 ended_us; /* the whole operation */
	int naddresses;
	char addresses[MAX_TRACE_ADDRESSES][64];
	bool tls;
	char tls_protocol[16];
	char tls_cipher[64];
	char certificate_subject[256];
	char certificate_names[256]; /* DNS names and addresses, comma-separated */
	char certificate_issuer[256];
	char certificate_expires[32];
	bool certificate_expired;
};

extern void trace_address(LoginTrace *trace, const char *address);

#endif /* DQDS_LOGIN_TRACE_H */
