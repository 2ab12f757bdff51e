/*
 * cloud.h
 *		What the drivers for Databricks, Snowflake and BigQuery have in common.
 */
#ifndef DQDS_CLOUD_H
#define DQDS_CLOUD_H

#include <pthread.h>
#include <time.h>

#include "http.h"
#include "json.h"
#include "sorter.h"

#define MAX_SORTED_BYTES ((size_t) 48 * 1024 * 1024)

typedef struct CloudLink CloudLink;

struct CloudLink
{
	Http *http;
	const char *headers[4]; /* of each request */
	Text header_texts[3];

	/* Report an answer that is no success, whose body is this, or NULL if that is no object. */
	void (*tell)(Session *session, const HttpAnswer *answer, const json_t *body);

	/* Sign a new token; NULL: the secret is one that does not end.  False: session_fault was called. */
	bool (*sign)(Session *session, CloudLink *link);
	Text token;
	time_t signed_at;

	/* For the thread that cancels, under the mutex: what ends the statement; empty: there is none. */
	pthread_mutex_t mutex;
	Text cancel_path;

	const char *catalog; /* the project, or the database */
	Text own_catalog;    /* its memory, if it is not the login's */
};

/* What becomes of an answer. */
typedef enum CloudOutcome
{
	CLOUD_FAILED,  /* session_fault was called */
	CLOUD_MISSING, /* what was asked for is not there, which the caller permits */
	CLOUD_DONE
} CloudOutcome;

typedef struct CloudRequest
{
	const char *method;
	const char *path;
	const json_t *body; /* NULL: none */
	bool may_be_missing;
} CloudRequest;

/* Takes a page of a listing; false: session_fault was called. */
typedef bool (*CloudPage)(void *argument, const json_t *page);

extern CloudLink *cloud_begin(Session *session, HttpScheme scheme, const char *secret);
extern bool cloud_is_ready(Session *session, CloudLink *link);
extern CloudOutcome cloud_ask(Session *session, CloudLink *link, const CloudRequest *request,
							  json_t **answer);
extern bool cloud_pages(Session *session, CloudLink *link, const Text *path, const char *parameter,
						const char *member, CloudPage take, void *argument);
extern void cloud_may_cancel(CloudLink *link, const char *path);
extern void cloud_cancel(Session *session);
extern void cloud_leave(Session *session);

extern bool cloud_is_wanted(const Ask *ask, const char *name);
extern bool cloud_add(Session *session, Sorter *sorter, const char *const *values);
extern bool cloud_put(Session *session, Sorter *sorter, int nvalues, const char *limit);
extern bool cloud_put_overview(Session *session, Sorter *schemas, bool good);
extern const char *cloud_number(const json_t *value, char *room, size_t size);
extern bool cloud_is_about_details(Question question);
extern int cloud_table_values(Question question);

#endif /* DQDS_CLOUD_H */
