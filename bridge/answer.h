/*
 * answer.h
 *		The answer to a request: status line, headers, body.
 */
#ifndef BRIDGE_ANSWER_H
#define BRIDGE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "http.h"
#include "watchdog.h"

/*
 * A body of unknown length.  What fits into the buffer is sent at once with its
 * length; more is streamed.  Until streaming, nothing has been sent.
 */
typedef struct Answer
{
	HttpRequest *request;
	int status;
	char *buffer; /* with room for the headers in front of the body */
	size_t len;   /* of the body in it */
	bool streaming;
	bool broken; /* the client is gone or too slow: nothing more is sent */
	Watch watch; /* while streaming */
} Answer;

/* Begins an answer of that status; false: out of memory.  Release it with answer_release(). */
bool answer_begin(Answer *answer, HttpRequest *request, int status);

/* Appends to the body.  Returns false when going on makes no sense. */
bool answer_append(Answer *answer, const char *data, size_t len);

/* Sends what was not sent yet, a line end, and the end.  Without it a streamed answer is visibly broken off. */
void answer_finish(Answer *answer);
void answer_release(Answer *answer);

/* A whole answer of its own, with a line end; body NULL: none. */
void answer_whole(HttpRequest *request, int status, const char *body);
void answer_failure(HttpRequest *request, const Failure *failure);

#endif /* BRIDGE_ANSWER_H */
