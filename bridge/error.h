/*
 * error.h
 *		Why a request failed, and the error body that the client gets.
 *
 * Every step of a request returns true, or fills in a Failure and returns
 * false.  Messages are for the client: no SQL, no secret, no address.
 */
#ifndef BRIDGE_ERROR_H
#define BRIDGE_ERROR_H

#include <stdbool.h>

#include "text.h"

typedef struct Failure
{
	int status;             /* of HTTP */
	const char *error_code; /* a name from error_codes.h, or NULL */
	char allow[64];         /* the methods that would do, with status 405 */
	char message[1536];
} Failure;

struct ControlResult;

/* Fills in status and message; returns false, so that a check can end with "return fail(…)". */
bool fail(Failure *failure, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Says what the failed call of a statement means to the client.  An error of
 * the remote source (class QD) becomes remote_status, or 503 if it is busy.  Logs
 * what the client may not see.  Returns false.
 */
bool fail_control(Failure *failure, const struct ControlResult *result, int remote_status);

/* "Not Found" for 404. */
const char *reason_phrase(int status);

/* Appends the error body of contract §4. */
void append_error_body(Text *body, const Failure *failure, const char *path);

#endif /* BRIDGE_ERROR_H */
