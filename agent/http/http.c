/*
 * http.c
 *		Sends requests to the one server of a session, and takes their answers.
 *
 * One request at a time.  Headers and bodies are bounded.
 *
 * The thread that cancels uses a handle of its own (http_aside), and may call http_abort() for
 * that of the main thread.  It must not know of the servers' own protocols.
 */
#include <time.h>

#include "http.h"

/* The backend's own deadline comes first. */
#define GRACE_MS 1500

#define MAX_POLL_MS 1000

/* What one request has brought so far. */
typedef struct Transfer
{
	Http *http;
	const HttpRequest *request;
	HttpAnswer *answer;
	size_t header_bytes;
	size_t body_bytes;
} Transfer;

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what comes ------------------------------------------------------------------------------ */

/* The first answer of all comes during the login. */
static void
tell_spoken(Http *http)
{
	static bool told = false;

	if (!told && !http->is_aside && !session_is_cancelled(http->session))
	{
		told = true;
		session_stage(http->session, STAGE_IS_SPOKEN);
	}
}

static void
tell_bound(Http *http, const char *text)
{
	if (!http->is_aside)
		session_fault(http->session, FAULT_IS_BOUND, 0, NULL, "%s", text);
}

static size_t
take_header(char *bytes, size_t size, size_t count, void *argument)
{
	Transfer *transfer = argument;

	(void) bytes;
	tell_spoken(transfer->http);
	transfer->header_bytes += size * count;
	if (transfer->header_bytes <= MAX_HEADER_BYTES)
		return size * count;
	tell_bound(transfer->http, "headers of more than 256 kB");
	return 0;
}

static bool
is_too_large(Transfer *transfer)
{
	if (transfer->body_bytes <= MAX_BODY_BYTES)
		return false;
	tell_bound(transfer->http, "a page of more than 16 MB");
	return true;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *argument)
{
	Transfer *transfer = argument;
	const HttpRequest *request = transfer->request;
	Text *body = &transfer->answer->body;
	size_t length = size * count;
	long status = 0;

	curl_easy_getinfo(transfer->http->easy, CURLINFO_RESPONSE_CODE, &status);
	transfer->body_bytes += length;
	if (!request->endless && is_too_large(transfer))
		return 0;
	if (status == 200 && request->sink != NULL)
		return request->sink(request->sink_argument, bytes, length) ? length : 0;
	/* Of what is no success the beginning does. */
	if (status == 200 || body->length + length <= MAX_ERROR_BYTES)
		text_add_bytes(body, bytes, length);
	return status == 200 || transfer->body_bytes <= MAX_BODY_BYTES ? length : 0;
}

/* ---- a request ------------------------------------------------------------------------------------ */

static CURLcode
result_of(CURLM *multi)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			return message->data.result;
	return CURLE_RECV_ERROR;
}

static CURLcode
wait_for(Http *http)
{
	int64_t end = now_ms() + (http->is_aside ? CANCEL_TIMEOUT_MS
											 : session_time_left(http->session) + GRACE_MS);
	int running = 1;

	for (;;)
	{
		int64_t left = end - now_ms();

		if (http->aborted)
			return CURLE_ABORTED_BY_CALLBACK;
		if (curl_multi_perform(http->multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (running == 0)
			return result_of(http->multi);
		if (left <= 0)
			return CURLE_OPERATION_TIMEDOUT;
		curl_multi_poll(http->multi, NULL, 0, left < MAX_POLL_MS ? (int) left : MAX_POLL_MS, NULL);
	}
}

static bool
has_control_characters(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < ' ' || *text == 0x7F)
			return true;
	return false;
}

/* The headers of a request; NULL: one of them cannot be sent, and session_fault was called. */
static struct curl_slist *
make_headers(Http *http, const HttpRequest *request)
{
	/* Without a colon and a value it is left out: the library would wait for an interim answer. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	Text type = {0};

	text_addf(&type, "Content-Type: %s",
			  request->type == NULL ? "application/json" : request->type);
	if (request->body != NULL)
		list = curl_slist_append(list, type.bytes);
	text_free(&type);
	for (int i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
	{
		if (has_control_characters(request->headers[i]))
		{
			if (!http->is_aside)
				session_fault(http->session, FAULT_IS_MODEL, 0, HTTP_STATE,
							  "a value that is sent in a header has a control character");
			curl_slist_free_all(list);
			return NULL;
		}
		list = curl_slist_append(list, request->headers[i]);
	}
	return list;
}

static void
set_secret(Http *http, bool anonymous)
{
	bool basic = !anonymous && http->scheme == HTTP_BASIC;
	bool bearer = !anonymous && http->scheme == HTTP_BEARER;

	curl_easy_setopt(http->easy, CURLOPT_HTTPAUTH,
					 (long) (bearer ? CURLAUTH_BEARER : CURLAUTH_BASIC));
	curl_easy_setopt(http->easy, CURLOPT_USERNAME, basic ? http->user : NULL);
	curl_easy_setopt(http->easy, CURLOPT_PASSWORD,
					 basic ? (http->secret == NULL ? "" : http->secret) : NULL);
	curl_easy_setopt(http->easy, CURLOPT_XOAUTH2_BEARER, bearer ? http->secret : NULL);
}

static void
set_request(Transfer *transfer, const char *url, struct curl_slist *headers)
{
	CURL *easy = transfer->http->easy;
	const HttpRequest *request = transfer->request;

	transfer->http->reason[0] = '\0';
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (request->body != NULL)
	{
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->length);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	set_secret(transfer->http, request->anonymous);
}

/*
 * Send a request, and take its answer, which has any status and is the caller's to free by
 * http_answer_free(); it was empty.  False: there is none, and session_fault was called.
 */
bool
http_ask(Http *http, const HttpRequest *request, HttpAnswer *answer)
{
	Transfer transfer = {.http = http, .request = request, .answer = answer};
	struct curl_slist *headers = make_headers(http, request);
	Text url = {0};
	CURLcode code = CURLE_OUT_OF_MEMORY;

	if (headers == NULL)
		return false;
	text_add(&url, http->origin.bytes);
	text_add(&url, request->path);
	set_request(&transfer, url.bytes, headers);
	if (curl_multi_add_handle(http->multi, http->easy) == CURLM_OK)
	{
		code = wait_for(http);
		curl_multi_remove_handle(http->multi, http->easy);
	}
	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	text_free(&url);
	if (code != CURLE_OK)
		http_curl_fault(http, code);
	return code == CURLE_OK;
}

void
http_answer_free(HttpAnswer *answer)
{
	text_free(&answer->body);
}

/* Wait, unless http_abort() is called; false: it was. */
bool
http_pause(Http *http, int ms)
{
	int64_t end = now_ms() + ms;

	while (!http->aborted && now_ms() < end)
		curl_multi_poll(http->multi, NULL, 0, (int) (end - now_ms()) + 1, NULL);
	return !http->aborted;
}
