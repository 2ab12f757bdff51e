/*
 * text.h
 *		Text that grows, and what drivers read of questions.
 */
#ifndef DQDS_TEXT_H
#define DQDS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Ends in a zero byte once something was added.  When memory is out, the process ends. */
typedef struct Text
{
	char *bytes;
	size_t length;
	size_t size;
} Text;

extern void text_add(Text *text, const char *more);
extern void text_add_bytes(Text *text, const char *more, size_t length);
extern void text_addf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern void text_add_quoted(Text *text, const char *value, char quote);
extern void text_add_hex(Text *text, const char *value);
extern void text_clear(Text *text);
extern void text_free(Text *text);

extern bool value_is_true(const char *value);
extern bool text_is_basic(const char *value);
extern char **names_parse(const char *literal, size_t *count);
extern void names_free(char **names);

#endif /* DQDS_TEXT_H */
