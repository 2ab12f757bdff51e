/*
 * text.h
 *		A growing text, JSON strings, escapes of URLs, and what is valid UTF-8.
 */
#ifndef BRIDGE_TEXT_H
#define BRIDGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Start with {0}.  Once failed (out of memory) it takes nothing more, so that
 * callers ask once, at the end.  data is terminated by a NUL that len does not
 * count, and NULL as long as nothing was appended.
 */
typedef struct Text
{
	char *data;
	size_t len;
	size_t capacity;
	bool failed;
} Text;

void text_append(Text *text, const char *data, size_t len);
void text_print(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Appends s so that it stays one line and shows as it is: control characters,
 * separators of lines and marks of the direction of writing become \uXXXX, and
 * bytes that are not UTF-8 \ufffd.
 */
void text_append_line(Text *text, const char *s);

/* Appends s likewise, as a JSON string with its quotes. */
void text_append_json(Text *text, const char *s);

void text_free(Text *text);

/* True when all len bytes are UTF-8 as Unicode defines it: no overlong forms, no surrogates. */
bool utf8_is_valid(const char *s, size_t len);

/*
 * Decodes percent escapes in place, and "+" to a space where plus_is_space.
 * Returns false for a bad escape, a NUL, or bytes that are not UTF-8.
 */
bool url_decode(char *s, bool plus_is_space);

#endif /* BRIDGE_TEXT_H */
