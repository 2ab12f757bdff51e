/*
 * http_fault.c
 *		What an error of the library, or an HTTP status, is to the backend.
 */
#include <errno.h>
#include <string.h>

#include "gate.h"
#include "http.h"

#define MAX_SHOWN 300 /* bytes of the body of an answer */

/* What an error of the library is; others mean that the connection was lost. */
static const struct
{
	CURLcode code;
	const char *kind;
	const char *text; /* NULL: what the library says */
} faults[] = {
	{CURLE_UNSUPPORTED_PROTOCOL, FAULT_IS_KIND, "it does not speak HTTP"},
	{CURLE_WEIRD_SERVER_REPLY, FAULT_IS_KIND, "it does not speak HTTP"},
	{CURLE_PEER_FAILED_VERIFICATION, FAULT_IS_CERTIFICATE, NULL},
	{CURLE_SSL_CACERT_BADFILE, FAULT_IS_CERTIFICATE, "the file of certificates cannot be read"},
	{CURLE_SSL_CONNECT_ERROR, FAULT_IS_TLS, NULL},
	{CURLE_SSL_CIPHER, FAULT_IS_TLS, NULL},
	{CURLE_OUT_OF_MEMORY, FAULT_IS_BOUND, "more memory than a session may take"},
};

/* Report an error of the library; a fault that was told before counts. */
void
http_curl_fault(Http *http, CURLcode code)
{
	Session *session = http->session;

	if (http->is_aside)
		return;
	session_is_lost(session);
	if (code == CURLE_COULDNT_CONNECT && gate_error() != 0)
		session_fault(session, FAULT_IS_NETWORK, gate_error(), NULL, "%s", strerror(gate_error()));
	else if (code == CURLE_OPERATION_TIMEDOUT)
		session_fault(session, FAULT_IS_NETWORK, ETIMEDOUT, NULL, "%s", strerror(ETIMEDOUT));
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].code == code)
			session_fault(session, faults[i].kind, 0, NULL, "%s",
						  faults[i].text != NULL ? faults[i].text : http->reason);
	session_fault(session, FAULT_IS_LOST, code, NULL, "%s", http->reason);
}

/*
 * Report an answer that is no success, by its status.  Of its body a line is shown, unless it
 * is a page for a browser.
 */
void
http_status_fault(Session *session, const HttpAnswer *answer)
{
	const char *body = answer->body.length == 0 ? "" : answer->body.bytes;

	body += strspn(body, " \t\r\n");
	if (answer->status >= 300 && answer->status < 400)
		session_fault(session, FAULT_IS_KIND, answer->status, HTTP_STATE,
					  "it answers with a redirect, which is not followed");
	else if (*body == '<' || *body == '\0')
		session_fault(session, FAULT_IS_SERVER, answer->status, HTTP_STATE, "HTTP status %ld",
					  answer->status);
	else
	{
		size_t length = strcspn(body, "\r\n");

		/* A character that is cut apart is no harm: the backend checks the text. */
		session_fault(session, FAULT_IS_SERVER, answer->status, HTTP_STATE, "HTTP status %ld: %.*s",
					  answer->status, (int) (length > MAX_SHOWN ? MAX_SHOWN : length), body);
	}
}
