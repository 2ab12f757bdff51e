/*
 * text.c
 *		Text that grows, and what drivers read of questions.
 *
 * It must not know of servers: how a value is written in SQL is the driver's.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

/* ---- text --------------------------------------------------------------------------------- */

/* A session without memory has nothing left to do; the backend notices its end. */
static void *
checked(void *memory)
{
	if (memory == NULL)
		_exit(1);
	return memory;
}

static void
make_room(Text *text, size_t length)
{
	size_t size = text->size == 0 ? 256 : text->size;

	while (size - text->length <= length)
		size *= 2;
	if (size == text->size)
		return;
	text->bytes = checked(realloc(text->bytes, size));
	text->size = size;
}

void
text_add_bytes(Text *text, const char *more, size_t length)
{
	make_room(text, length);
	memcpy(text->bytes + text->length, more, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void
text_add(Text *text, const char *more)
{
	text_add_bytes(text, more, strlen(more));
}

void
text_addf(Text *text, const char *format, ...)
{
	va_list arguments;
	char *more;
	int length;

	va_start(arguments, format);
	length = vasprintf(&more, format, arguments);
	va_end(arguments);
	if (length < 0)
		_exit(1);
	text_add_bytes(text, more, length);
	free(more);
}

/* The value between quotes, those in it doubled. */
void
text_add_quoted(Text *text, const char *value, char quote)
{
	text_add_bytes(text, &quote, 1);
	for (; *value != '\0'; value++)
	{
		if (*value == quote)
			text_add_bytes(text, &quote, 1);
		text_add_bytes(text, value, 1);
	}
	text_add_bytes(text, &quote, 1);
}

/* The bytes of the value as hexadecimal digits. */
void
text_add_hex(Text *text, const char *value)
{
	static const char digits[] = "0123456789abcdef";

	for (; *value != '\0'; value++)
	{
		char pair[2] = {digits[(unsigned char) *value >> 4], digits[*value & 15]};

		text_add_bytes(text, pair, 2);
	}
}

/* Make it empty; its memory is kept. */
void
text_clear(Text *text)
{
	text->length = 0;
	if (text->bytes != NULL)
		text->bytes[0] = '\0';
}

void
text_free(Text *text)
{
	free(text->bytes);
	*text = (Text){0};
}

/* ---- values of questions --------------------------------------------------------------------- */

bool
value_is_true(const char *value)
{
	return value != NULL && *value == 't';
}

/* Is it UTF-8 without a character beyond the basic plane, which takes four bytes? */
bool
text_is_basic(const char *value)
{
	for (; *value != '\0'; value++)
		if ((unsigned char) *value >= 0xF0)
			return false;
	return true;
}

/* One element of an array; *at is moved behind it. */
static char *
parse_name(const char **at)
{
	Text name = {0};
	bool quoted = **at == '"';

	text_add(&name, "");
	if (quoted)
		(*at)++;
	while (**at != '\0' && (quoted ? **at != '"' : strchr(",}", **at) == NULL))
	{
		if (**at == '\\' && (*at)[1] != '\0')
			(*at)++;
		text_add_bytes(&name, (*at)++, 1);
	}
	if (quoted && **at == '"')
		(*at)++;
	return name.bytes;
}

/*
 * The names in an array as PostgreSQL writes it, {a,"b c"}; the caller's to free by
 * names_free().
 */
char **
names_parse(const char *literal, size_t *count)
{
	char **names = checked(calloc(1, sizeof(char *)));

	*count = 0;
	if (*literal++ != '{' || *literal == '}')
		return names;
	while (*literal != '\0' && *literal != '}')
	{
		names = checked(realloc(names, (*count + 2) * sizeof(char *)));
		names[(*count)++] = parse_name(&literal);
		names[*count] = NULL;
		if (*literal == ',')
			literal++;
	}
	return names;
}

void
names_free(char **names)
{
	for (char **name = names; *name != NULL; name++)
		free(*name);
	free(names);
}
