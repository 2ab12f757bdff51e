/*
 * http_link.c
 *		Makes ready to send requests to the one server of a session.
 *
 * Nothing is followed, guessed or read: no redirect, proxy, cookie, .netrc, compression or
 * HTTP/2.  The host is not looked up, since its address is known, so the library starts no
 * thread.  A secret goes out only under TLS, or where the connection permits it without.
 *
 * It must not know what is asked (http.c).
 */
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "gate_tls.h"
#include "http.h"

/* ---- the handle ------------------------------------------------------------------------------- */

/* The certificates that are trusted if no file names them: those of the system, parsed once. */
static CURLcode
trust_system(CURL *easy, void *context, void *argument)
{
	(void) easy;
	(void) argument;
	return SSL_CTX_set_default_verify_paths(context) == 1 ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static void
set_tls(Http *http)
{
	const char *roots = session_login(http->session, LOGIN_ROOTS);
	long demand = session_login_number(http->session, LOGIN_TLS);

	curl_easy_setopt(http->easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(http->easy, CURLOPT_SSL_VERIFYPEER, demand >= TLS_KNOWN_CA ? 1L : 0L);
	curl_easy_setopt(http->easy, CURLOPT_SSL_VERIFYHOST, demand >= TLS_VERIFIED ? 2L : 0L);
	/* A certificate in the file is that of an authority, as for other wires. */
	curl_easy_setopt(http->easy, CURLOPT_SSL_OPTIONS, (long) CURLSSLOPT_NO_PARTIALCHAIN);
	curl_easy_setopt(http->easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(http->easy, CURLOPT_CAINFO, NULL);
	if (demand < TLS_KNOWN_CA)
		return;
	if (roots != NULL && *roots != '\0')
		curl_easy_setopt(http->easy, CURLOPT_CAINFO, roots);
	else
		curl_easy_setopt(http->easy, CURLOPT_SSL_CTX_FUNCTION, trust_system);
}

static void
set_address(Http *http)
{
	const char *host = session_login(http->session, LOGIN_HOST);
	const char *address = session_login(http->session, LOGIN_ADDRESS);
	bool brackets = strchr(address, ':') != NULL;
	Text entry = {0};

	if (http_is_literal(host))
		return;
	text_addf(&entry, "%s:%ld:%s%s%s", host, session_login_number(http->session, LOGIN_PORT),
			  brackets ? "[" : "", address, brackets ? "]" : "");
	http->addresses = curl_slist_append(NULL, entry.bytes);
	curl_easy_setopt(http->easy, CURLOPT_RESOLVE, http->addresses);
	text_free(&entry);
}

static bool
make_handles(Http *http)
{
	http->easy = curl_easy_init();
	http->multi = curl_multi_init();
	if (http->easy == NULL || http->multi == NULL)
		return false;
	curl_easy_setopt(http->easy, CURLOPT_PROTOCOLS_STR, http->encrypted ? "https" : "http");
	curl_easy_setopt(http->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(http->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(http->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(http->easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(http->easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(http->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(http->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, http->reason);
	curl_easy_setopt(http->easy, CURLOPT_USERAGENT, "dqds");
	set_tls(http);
	set_address(http);
	return true;
}

/* May the secret go out? */
static bool
may_send_secret(const Http *http)
{
	Session *session = http->session;

	if (http->scheme == HTTP_NO_SECRET || http->secret == NULL || *http->secret == '\0' ||
		http->encrypted || session_login(session, LOGIN_CLEARTEXT) != NULL)
		return true;
	session_fault(session, FAULT_IS_CLEARTEXT, 0, HTTP_STATE, "HTTP");
	return false;
}

/* Basic authentication ends the name of a user at the first colon. */
static bool
can_send_user(const Http *http)
{
	if (http->scheme != HTTP_BASIC || http->user == NULL || strchr(http->user, ':') == NULL)
		return true;
	session_fault(http->session, FAULT_IS_MODEL, 0, HTTP_STATE,
				  "the name of a user that logs in over HTTP cannot have a colon");
	return false;
}

/* ---- for drivers -------------------------------------------------------------------------------- */

/* The driver's prepare. */
bool
http_prepare(const char **why)
{
	*why = "libcurl cannot be initialized";
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/*
 * Make ready to send requests to the server of the login; user and secret, which may be NULL,
 * stay the caller's.  Nothing is sent yet.  NULL: session_fault was called.
 */
Http *
http_open(Session *session, HttpScheme scheme, const char *user, const char *secret)
{
	Http *http = calloc(1, sizeof(*http));

	if (http == NULL)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return NULL;
	}
	*http = (Http){.session = session, .scheme = scheme, .user = user, .secret = secret};
	http->encrypted = session_login_number(session, LOGIN_TLS) != TLS_NONE;
	if (!http_write_origin(&http->origin, session, http->encrypted))
		session_fault(session, FAULT_IS_MODEL, 0, NULL, "a URL cannot have this host");
	else if (may_send_secret(http) && can_send_user(http))
	{
		if (make_handles(http))
			return http;
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
	}
	http_close(http);
	return NULL;
}

/*
 * A handle to the same server for what has little time and is not told of: the thread that
 * cancels must report no faults.  NULL: memory is out.
 */
Http *
http_aside(const Http *http)
{
	Http *aside = calloc(1, sizeof(*aside));

	if (aside == NULL)
		return NULL;
	*aside = (Http){.session = http->session,
					.encrypted = http->encrypted,
					.is_aside = true,
					.scheme = http->scheme,
					.user = http->user,
					.secret = http->secret};
	text_add(&aside->origin, http->origin.bytes);
	if (make_handles(aside))
		return aside;
	http_close(aside);
	return NULL;
}

/* Have the request that is under way, and later ones, fail; for any thread. */
void
http_abort(Http *http)
{
	http->aborted = true;
	curl_multi_wakeup(http->multi);
}

void
http_close(Http *http)
{
	curl_easy_cleanup(http->easy);
	curl_multi_cleanup(http->multi);
	curl_slist_free_all(http->addresses);
	text_free(&http->origin);
	free(http);
}
