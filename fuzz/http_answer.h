/*
 * http_answer.h
 *		Checks the form of an answer, and of its lines in the log.
 */
#ifndef FUZZ_HTTP_ANSWER_H
#define FUZZ_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

/* Requires that the bytes are one whole answer, or none; returns its status, or 0. */
int answer_check(const char *bytes, size_t size, bool is_head);

/* Requires that the bytes are whole lines; returns how many of them are about requests. */
int log_check(const char *bytes, size_t size, bool as_json);

#endif /* FUZZ_HTTP_ANSWER_H */
