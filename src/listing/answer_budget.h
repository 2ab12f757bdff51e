/*
 * answer_budget.h
 *		Limits how much of a remote server's answer one call may keep.
 */
#ifndef DQDS_ANSWER_BUDGET_H
#define DQDS_ANSWER_BUDGET_H

typedef struct Target Target;

/* The bytes of a remote server's answer that one call keeps; all zeros at the beginning. */
typedef struct AnswerBudget
{
	uint64 taken;
} AnswerBudget;

extern void answer_budget_take(AnswerBudget *budget, const Target *target, size_t bytes);

#endif /* DQDS_ANSWER_BUDGET_H */
