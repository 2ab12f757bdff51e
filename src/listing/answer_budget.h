/*
 * answer_budget.h
 *		How much of one remote's answer a call may keep.
 */
#ifndef DQDS_ANSWER_BUDGET_H
#define DQDS_ANSWER_BUDGET_H

typedef struct Target Target;

/* What one call has kept of one remote's answer, in bytes; zeros are a new one. */
typedef struct AnswerBudget
{
	uint64 taken;
} AnswerBudget;

extern void answer_budget_take(AnswerBudget *budget, const Target *target, size_t bytes);

#endif /* DQDS_ANSWER_BUDGET_H */
