/*
 * http.h
 *		Requests over HTTP to the one server of a session.
 *
 * http_link.c makes the handle for requests, http.c sends them, http_fault.c says what went
 * wrong, and http_url.c reads and writes URLs.
 */
#ifndef DQDS_HTTP_H
#define DQDS_HTTP_H

#include <curl/curl.h>

#include "driver.h"
#include "text.h"

#define MAX_BODY_BYTES   (16 * 1024 * 1024) /* of an answer */
#define MAX_ERROR_BYTES  (64 * 1024)  /* of an answer that is no success: the rest is not kept */
#define MAX_HEADER_BYTES (256 * 1024) /* of an answer, with those of interim answers */
#define HTTP_STATE       "HTTP"       /* the state of faults whose number is an HTTP status */

/* How the secret of a connection is shown to the server. */
typedef enum HttpScheme
{
	HTTP_NO_SECRET, /* not at all */
	HTTP_BASIC,     /* with the user */
	HTTP_BEARER
} HttpScheme;

/* The server, and what every request to it has. */
typedef struct Http
{
	Session *session;
	Text origin;    /* scheme, host and port */
	bool encrypted; /* by TLS */
	bool is_aside;  /* of the thread that cancels */
	HttpScheme scheme;
	const char *user;   /* the caller's memory */
	const char *secret; /* the caller's memory */
	CURL *easy;
	CURLM *multi;
	struct curl_slist *addresses;
	volatile bool aborted;
	char reason[CURL_ERROR_SIZE]; /* of the library, for what went wrong */
} Http;

/*
 * Takes a piece of the body of an answer with status 200.  False: enough; session_fault was
 * called.
 */
typedef bool (*HttpSink)(void *argument, const char *bytes, size_t length);

typedef struct HttpRequest
{
	const char *method; /* GET, POST, DELETE, ... */
	const char *path;   /* begins with a slash; as it goes into the request, with its query */
	const char *const *headers; /* "Name: value" each, ended by NULL; NULL: none */
	const char *body;           /* NULL: none */
	size_t length;              /* of the body */
	const char *type;           /* of the body; NULL: application/json */
	bool anonymous;             /* without the secret */
	bool endless;               /* what the sink is given has no bound of its own */
	HttpSink sink;              /* NULL: the body is kept */
	void *sink_argument;
} HttpRequest;

typedef struct HttpAnswer
{
	long status;
	Text body; /* ends in a zero byte; empty if a sink has taken it */
} HttpAnswer;

extern bool http_prepare(const char **why);
extern Http *http_open(Session *session, HttpScheme scheme, const char *user, const char *secret);
extern Http *http_aside(const Http *http);
extern bool http_ask(Http *http, const HttpRequest *request, HttpAnswer *answer);
extern void http_abort(Http *http);
extern void http_close(Http *http);
extern void http_answer_free(HttpAnswer *answer);
extern bool http_pause(Http *http, int ms);

extern void http_curl_fault(Http *http, CURLcode code);
extern void http_status_fault(Session *session, const HttpAnswer *answer);

extern bool http_write_origin(Text *origin, const Session *session, bool encrypted);
extern bool http_is_literal(const char *host);
extern bool http_follow(const Http *http, const char *url, Text *path);
extern void http_add_encoded(Text *path, const char *value);

#endif /* DQDS_HTTP_H */
