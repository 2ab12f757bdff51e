/*
 * sorted_answer.h
 *		Sorts the answer to a question that the remote server did not sort as needed.
 */
#ifndef DQDS_SORTED_ANSWER_H
#define DQDS_SORTED_ANSWER_H

#include "model/target.h"
#include "wire/question.h"

typedef struct SortedAnswer SortedAnswer;

extern SortedAnswer *sorted_answer_begin(const AnswerShape *shape, const Target *source);
extern void sorted_answer_put(SortedAnswer *answer, const char **values);
extern void sorted_answer_sort(SortedAnswer *answer);
extern bool sorted_answer_next(SortedAnswer *answer, const char **values);
extern void sorted_answer_end(SortedAnswer *answer);

#endif /* DQDS_SORTED_ANSWER_H */
