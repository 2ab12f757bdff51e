/*
 * routes.h
 *		The shape of the routes table.
 */
#ifndef BRIDGE_ROUTES_H
#define BRIDGE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "bulkhead.h"
#include "control.h"

#define MAX_PARAMETERS 9

typedef enum ParameterSource
{
	FROM_NOWHERE, /* ends the list */
	FROM_PATH,    /* the placeholders of the path, in their order */
	FROM_QUERY,
	FROM_BODY
} ParameterSource;

typedef enum ParameterType
{
	TYPE_TEXT,
	TYPE_BOOLEAN,
	TYPE_INTEGER /* 0 to 2^31-1 */
} ParameterType;

typedef struct Parameter
{
	ParameterSource source;
	const char *name;
	ParameterType type;
	const char *fallback; /* when it is not given; NULL is NULL in SQL */
	bool only_checked;    /* must be valid, but the SQL does not take it */
} Parameter;

/* How the rows of the answer, one text column each, become its body. */
typedef enum AnswerForm
{
	ANSWER_PIECES, /* pieces of one JSON document */
	ANSWER_ARRAY,  /* one JSON value each: they become an array */
	ANSWER_EMPTY,  /* no body */
	ANSWER_HEALTH  /* no SQL at all */
} AnswerForm;

typedef struct Route
{
	const char *method;
	const char *path; /* {} stands for one segment */
	Statement statement;
	AnswerForm form;
	int status;                /* of success */
	int remote_failure_status; /* of an error of class QD other than busy, which is 503 */
	Waits waits;               /* WAITS_FOR_NAMED: by its first parameter */
	Parameter parameters[MAX_PARAMETERS];
} Route;

extern const Route route_table[];
extern const size_t route_count;

#endif /* BRIDGE_ROUTES_H */
