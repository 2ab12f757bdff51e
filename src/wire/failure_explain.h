/*
 * failure_explain.h
 *		Fills the templates of failures' texts.
 */
#ifndef DQDS_FAILURE_EXPLAIN_H
#define DQDS_FAILURE_EXPLAIN_H

#include "base/error_codes.h"
#include "base/failure.h"

typedef struct Target Target;

/* What is said of a cause.  message and hint are templates, which failure_explain.c describes. */
typedef struct Explanation
{
	DqdsErrorCode code;
	const char *message;
	const char *hint;
} Explanation;

extern void explain(const Explanation *explanation, const Target *target, const char *foreign,
					const char *own, Failure *failure);
extern char *explain_text(const char *template, const Target *target, const char *foreign,
						  const char *own);
extern void note_sqlstate(Failure *failure, const char *text);

#endif /* DQDS_FAILURE_EXPLAIN_H */
