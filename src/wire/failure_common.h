/*
 * failure_common.h
 *		Failures that any remote can have, in the words of its kind.
 */
#ifndef DQDS_FAILURE_COMMON_H
#define DQDS_FAILURE_COMMON_H

#include "base/failure.h"

typedef struct Target Target;

typedef enum CommonFailure
{
	FAILED_NO_CAPACITY,      /* memory, threads or descriptors are out here */
	FAILED_RESOLVE,          /* own words: what the C library says */
	FAILED_RESOLVE_IN_TIME,  /* own words: seconds */
	FAILED_CONNECT_IN_TIME,  /* the same */
	FAILED_LOGIN_IN_TIME,    /* the same */
	FAILED_QUERY_IN_TIME,    /* the same */
	FAILED_PASSWORD_MISSING, /* the server asks for a password, and there is none */
	FAILED_PASSWORD_UNUSED,  /* it did not ask for the one that is required */
	FAILED_CONNECTION_LOST,
	FAILED_ANSWER /* own words: what was sent in place of an answer */
} CommonFailure;

extern void failure_common(const Target *target, CommonFailure which, const char *own,
						   Failure *failure);
extern void failure_in_time(const Target *target, CommonFailure which, int64 us, Failure *failure);

#endif /* DQDS_FAILURE_COMMON_H */
