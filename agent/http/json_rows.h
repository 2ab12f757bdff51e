/*
 * json_rows.h
 *		Takes the rows out of a document while it comes.
 */
#ifndef DQDS_JSON_ROWS_H
#define DQDS_JSON_ROWS_H

#include "json.h"

/* What is done with a row, an array.  False: enough; session_fault was called. */
typedef bool (*JsonRowSink)(void *argument, const json_t *row);

typedef struct JsonRows
{
	Session *session;
	JsonRowSink sink;
	void *argument;
	long count; /* of the rows so far */
	int depth;  /* of objects and arrays that are open */
	bool in_string;
	bool escaped;
	bool in_rows; /* in the array of the rows */
	bool broken;  /* there is something else than rows in it */
	size_t key;   /* where the last string of the outermost object begins in rest */
	Text row;     /* that is coming */
	Text rest;    /* the document without its rows; what broke it is its end */
} JsonRows;

extern bool json_rows_take(void *rows, const char *bytes, size_t length);
extern json_t *json_rows_end(JsonRows *rows);
extern void json_rows_free(JsonRows *rows);

#endif /* DQDS_JSON_ROWS_H */
