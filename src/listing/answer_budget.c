/*
 * answer_budget.c
 *		Limits how much of a remote server's answer one call may keep.
 *
 * A remote server decides how much it sends, so the bytes that a call keeps, in
 * memory or in temporary files, are counted against dqds.max_answer_size.
 *
 * Owns: the meaning of that setting.  It must not know what is kept, or where.
 */
#include "postgres.h"

#include "base/failure.h"
#include "base/settings.h"
#include "listing/answer_budget.h"
#include "model/target.h"

#define KB_BYTES UINT64CONST(1024)

static char *
size_text(int kilobytes)
{
	return kilobytes % 1024 == 0 ? psprintf("%d MB", kilobytes / 1024)
								 : psprintf("%d kB", kilobytes);
}

/*
 * Count bytes of the answer of target that the call is about to keep.  A new
 * budget is all zeros.  Errors: QD023 if the answer becomes larger than
 * dqds.max_answer_size.
 */
void
answer_budget_take(AnswerBudget *budget, const Target *target, size_t bytes)
{
	uint64 limit = dqds_max_answer_size_kb * KB_BYTES;
	Failure failure;

	if (bytes <= limit && budget->taken <= limit - bytes)
	{
		budget->taken += bytes;
		return;
	}
	failure_set(&failure, DQDS_REMOTE_ERROR,
				"Narrow the listing, or ask a superuser to raise dqds.max_answer_size.",
				"the answer of the server at %s:%s is larger than %s", target->shown_host,
				target->shown_port, size_text(dqds_max_answer_size_kb));
	failure_raise(&failure);
}
