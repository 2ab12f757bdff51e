/*
 * failure.h
 *		The value that says why a remote operation failed.
 */
#ifndef DQDS_FAILURE_H
#define DQDS_FAILURE_H

#include "base/error_codes.h"

/* What a question failed for, as far as it can then be asked in another way, or again. */
typedef enum FailureCause
{
	CAUSE_OTHER,
	CAUSE_UNTRANSLATABLE, /* one side cannot convert what it sends or takes into the other's encoding */
	CAUSE_OLD_VERSION,    /* the server may be too old for this form of the question */
	CAUSE_DROPPED_OBJECT, /* the server was describing an object that is gone */
	CAUSE_LOCK,           /* the server waited for a lock, or met a deadlock */
	CAUSE_TOO_DEEP        /* a definition takes more of the server's stack than it has */
} FailureCause;

/*
 * Why a remote operation failed.  If code is DQDS_OK, it did not fail; a
 * message may be set even then.  The message is palloc'd in the memory context
 * that was current when the failure was recorded; the hint may be static.
 */
typedef struct Failure
{
	DqdsErrorCode code;
	char *message;    /* which thing, what is wrong */
	char *hint;       /* what to do next, or NULL */
	char sqlstate[6]; /* the remote's own, or "" */
	FailureCause cause;
} Failure;

extern const char *error_code_name(DqdsErrorCode code);
extern void failure_clear(Failure *failure);
extern void failure_set(Failure *failure, DqdsErrorCode code, const char *hint, const char *fmt,
						...) pg_attribute_printf(4, 5);
__attribute__((noreturn)) extern void failure_raise(const Failure *failure);

#endif /* DQDS_FAILURE_H */
