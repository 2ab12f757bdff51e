/*
 * text.c
 *		A growing text, JSON strings, escapes of URLs, and what is valid UTF-8.
 *
 * For error bodies and log lines.  The JSON of successful answers is written by
 * the database: there is no JSON parser or builder here, and none may be added.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for more bytes and the NUL behind them. */
static bool
text_reserve(Text *text, size_t more)
{
	size_t capacity = text->capacity ? text->capacity : 256;
	char *data;

	if (text->failed)
		return false;
	while (capacity - text->len <= more)
		capacity *= 2;
	if (capacity == text->capacity)
		return true;
	data = realloc(text->data, capacity);
	if (data == NULL)
	{
		text->failed = true;
		return false;
	}
	text->data = data;
	text->capacity = capacity;
	return true;
}

void
text_append(Text *text, const char *data, size_t len)
{
	if (!text_reserve(text, len))
		return;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void
text_print(Text *text, const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (len < 0 || !text_reserve(text, (size_t) len))
		return;
	va_start(arguments, format);
	vsnprintf(text->data + text->len, (size_t) len + 1, format, arguments);
	va_end(arguments);
	text->len += (size_t) len;
}

/* Length of the UTF-8 sequence at s, of which left bytes may be read; 0 when it is none. */
static size_t
utf8_sequence(const unsigned char *s, size_t left)
{
	/* The second byte has limits of its own behind four first bytes: Unicode 15, table 3-7. */
	unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
	unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	else if (s[0] >= 0xC2 && s[0] <= 0xDF)
		len = 2;
	else if (s[0] >= 0xE0 && s[0] <= 0xEF)
		len = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		len = 4;
	else
		return 0;

	if (len > left || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

bool
utf8_is_valid(const char *s, size_t len)
{
	for (size_t i = 0; i < len;)
	{
		size_t sequence = utf8_sequence((const unsigned char *) s + i, len - i);

		if (sequence == 0)
			return false;
		i += sequence;
	}
	return true;
}

/* The code point of a sequence of up to three bytes; 0 for a longer one. */
static unsigned int
code_point(const unsigned char *s, size_t sequence)
{
	switch (sequence)
	{
		case 1:
			return s[0];
		case 2:
			return (s[0] & 0x1FU) << 6 | (s[1] & 0x3FU);
		case 3:
			return (s[0] & 0x0FU) << 12 | (s[1] & 0x3FU) << 6 | (s[2] & 0x3FU);
		default:
			return 0;
	}
}

/* Characters that do not show, but change how a terminal or a browser shows the others. */
static const struct
{
	unsigned int first;
	unsigned int last;
} commands[] = {
	{0x01, 0x1F},     /* C0 controls */
	{0x7F, 0x9F},     /* DEL, C1 controls */
	{0x061C, 0x061C}, /* marks of the direction of writing */
	{0x200E, 0x200F},
	{0x2028, 0x202E}, /* ends of lines and paragraphs, overrides of the direction */
	{0x2066, 0x2069}, /* isolates of the direction */
};

static bool
is_command(unsigned int code)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (code >= commands[i].first && code <= commands[i].last)
			return true;
	return false;
}

/* Appends the character at s, of which left bytes may be read; returns the length of what it took. */
static size_t
append_visible(Text *text, const char *s, size_t left)
{
	size_t sequence = utf8_sequence((const unsigned char *) s, left);
	unsigned int code = code_point((const unsigned char *) s, sequence);

	if (sequence == 0)
		text_append(text, "\\ufffd", 6);
	else if (is_command(code))
		text_print(text, "\\u%04x", code);
	else
		text_append(text, s, sequence);
	return sequence ? sequence : 1;
}

/* How many characters at s stand for themselves, in JSON as well: nearly all do, so they go together. */
static size_t
plain_length(const char *s)
{
	size_t len = 0;

	while (s[len] >= ' ' && s[len] <= '~' && s[len] != '"' && s[len] != '\\')
		len++;
	return len;
}

static void
append_visible_text(Text *text, const char *s, bool is_json)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len;)
	{
		size_t plain = plain_length(s + i);

		text_append(text, s + i, plain);
		i += plain;
		if (i == len)
			break;
		if (is_json && (s[i] == '"' || s[i] == '\\'))
			text_append(text, "\\", 1);
		i += append_visible(text, s + i, len - i);
	}
}

void
text_append_line(Text *text, const char *s)
{
	append_visible_text(text, s, false);
}

void
text_append_json(Text *text, const char *s)
{
	text_append(text, "\"", 1);
	append_visible_text(text, s, true);
	text_append(text, "\"", 1);
}

void
text_free(Text *text)
{
	free(text->data);
	*text = (Text){0};
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
url_decode(char *s, bool plus_is_space)
{
	char *out = s;

	for (const char *in = s; *in; in++)
	{
		if (*in == '%')
		{
			int high = hex_value(in[1]);
			int low = high < 0 ? -1 : hex_value(in[2]);

			if (low < 0 || (high == 0 && low == 0))
				return false;
			*out++ = (char) (high * 16 + low);
			in += 2;
		}
		else
			*out++ = *in == '+' && plus_is_space ? ' ' : *in;
	}
	*out = '\0';
	return utf8_is_valid(s, (size_t) (out - s));
}
