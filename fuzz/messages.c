/*
 * messages.c
 *		Mutations that know the form of a message of the PostgreSQL protocol.
 *
 * Blind mutations mostly break the length of a message, so that nothing after
 * it is read.  These change the contents of a message and correct its length,
 * and remove, repeat and add whole messages.  One in four is blind.
 */
#include "messages.h"

#include <stdbool.h>
#include <string.h>

#define HEADER        5 /* type and length */
#define MAX_MESSAGES  256
#define MAX_GROWTH    64
#define MAX_BODY      4096
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Messages as servers send them, for insertion anywhere. */
#define MESSAGE(type, body)                                                                        \
	{                                                                                              \
		(type), sizeof(body) - 1, (body)                                                           \
	}
static const struct
{
	char type;
	size_t size;
	const char *body;
} templates[] = {
	MESSAGE('R', "\0\0\0\0"),
	MESSAGE('R', "\0\0\0\3"),
	MESSAGE('R', "\0\0\0\5salt"),
	MESSAGE('R', "\0\0\0\12SCRAM-SHA-256\0\0"),
	MESSAGE('S', "server_encoding\0SQL_ASCII\0"),
	MESSAGE('S', "client_encoding\0LATIN1\0"),
	MESSAGE('S', "server_version\00015.0\0"),
	MESSAGE('S', "crdb_version\0v22\0"),
	MESSAGE('S', "in_hot_standby\0on\0"),
	MESSAGE('K', "\0\0\0\1\0\0\0\1"),
	MESSAGE('Z', "I"),
	MESSAGE('Z', "T"),
	MESSAGE('1', ""),
	MESSAGE('2', ""),
	MESSAGE('n', ""),
	MESSAGE('s', ""),
	MESSAGE('I', ""),
	MESSAGE('t', "\0\1\0\0\0\31"),
	MESSAGE('T', "\0\1a\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0"),
	MESSAGE('D', "\0\1\0\0\0\1a"),
	MESSAGE('D', "\0\1\377\377\377\377"),
	MESSAGE('D', "\0\4\0\0\0\1a\0\0\0\5table\0\0\0\0015\377\377\377\377"),
	MESSAGE('C', "SELECT 1\0"),
	MESSAGE('E', "SFATAL\0C28P01\0Mwrong\0\0"),
	MESSAGE('E', "SERROR\0C22P05\0Mbad\0Wparameter $1\0\0"),
	MESSAGE('E', "SERROR\0C42501\0Mpermission denied for never-to-be-shown\0\0"),
	MESSAGE('N', "SNOTICE\0Mhello\0\0"),
	MESSAGE('A', "\0\0\0\1name\0\0"),
	MESSAGE('G', "\0\0\0"),
	MESSAGE('H', "\0\0\0"),
	MESSAGE('W', "\0\0\0"),
	MESSAGE('d', "abc\n"),
	MESSAGE('c', ""),
	MESSAGE('v', "\0\3\0\0\0\0\0\0"),
};

/* ---- random choices: reproducible by the seed that libFuzzer gives ------------------------ */

static uint32_t
next_random(unsigned int *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

static size_t
below(size_t bound, unsigned int *seed)
{
	return next_random(seed) % bound;
}

/* ---- messages in an input -------------------------------------------------------------------- */

typedef struct Message
{
	size_t at;
	size_t size; /* with its header */
} Message;

static size_t
read_number(const uint8_t *bytes)
{
	return (size_t) bytes[0] << 24 | (size_t) bytes[1] << 16 | (size_t) bytes[2] << 8 | bytes[3];
}

static void
write_number(uint8_t *bytes, size_t number)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t) (number >> (24 - 8 * i));
}

/* Find all complete messages. */
static size_t
find_messages(const uint8_t *data, size_t size, Message *messages)
{
	size_t count = 0;

	for (size_t at = MESSAGES_OFFSET; at + HEADER <= size && count < MAX_MESSAGES;)
	{
		size_t length = read_number(data + at + 1);

		if (length < 4 || length > size - at - 1)
			break;
		messages[count++] = (Message){.at = at, .size = length + 1};
		at += length + 1;
	}
	return count;
}

/* Replace bytes by others; returns the new size, or the old one if there is no room. */
static size_t
replace(uint8_t *data, size_t size, size_t max_size, size_t at, size_t old, const void *bytes,
		size_t new)
{
	if (size - old + new > max_size)
		return size;
	memmove(data + at + new, data + at + old, size - at - old);
	memcpy(data + at, bytes, new);
	return size - old + new;
}

/* ---- mutations ------------------------------------------------------------------------------------ */

typedef struct Mutation
{
	uint8_t *data;
	size_t size;
	size_t max_size;
	unsigned int *seed;
	Message messages[MAX_MESSAGES];
	size_t count;
} Mutation;

/* A part of a message becomes something else, and all lengths around it fit. */
static size_t
change_part(Mutation *m, const Message *message, size_t at, size_t old)
{
	uint8_t part[MAX_BODY + MAX_GROWTH];
	size_t new;
	size_t size;

	if (old > MAX_BODY)
		return m->size;
	memcpy(part, m->data + at, old);
	new = LLVMFuzzerMutate(part, old, old + MAX_GROWTH);
	size = replace(m->data, m->size, m->max_size, at, old, part, new);
	if (size != m->size || new == old)
		write_number(m->data + message->at + 1, message->size - 1 - old + new);
	return size;
}

static size_t
change_body(Mutation *m)
{
	const Message *message = &m->messages[below(m->count, m->seed)];

	return change_part(m, message, message->at + HEADER, message->size - HEADER);
}

/* One value of a row, with its own length in front of it. */
static size_t
change_value(Mutation *m)
{
	const Message *message = &m->messages[below(m->count, m->seed)];
	size_t at = message->at + HEADER + 2;
	size_t end = message->at + message->size;
	size_t skip = below(10, m->seed);
	size_t length;
	size_t size;

	if (m->data[message->at] != 'D')
		return change_body(m);
	while (at + 4 <= end)
	{
		length = read_number(m->data + at);
		if (length == 0xffffffff)
			length = 0;
		if (length > end - at - 4)
			break;
		if (skip-- > 0)
		{
			at += 4 + length;
			continue;
		}
		size = m->size;
		m->size = change_part(m, message, at + 4, length);
		write_number(m->data + at, length + m->size - size);
		return m->size;
	}
	return m->size;
}

static size_t
leave_out(Mutation *m)
{
	const Message *message = &m->messages[below(m->count, m->seed)];

	return replace(m->data, m->size, m->max_size, message->at, message->size, "", 0);
}

static size_t
repeat(Mutation *m)
{
	const Message *message = &m->messages[below(m->count, m->seed)];
	const Message *place = &m->messages[below(m->count, m->seed)];
	uint8_t copy[HEADER + MAX_BODY];

	if (message->size > sizeof(copy))
		return m->size;
	memcpy(copy, m->data + message->at, message->size);
	return replace(m->data, m->size, m->max_size, place->at, 0, copy, message->size);
}

static size_t
put_in(Mutation *m)
{
	size_t which = below(LENGTH(templates), m->seed);
	size_t place = below(m->count + 1, m->seed);
	size_t at =
		place == 0 ? MESSAGES_OFFSET : m->messages[place - 1].at + m->messages[place - 1].size;
	uint8_t message[HEADER + MAX_GROWTH];

	message[0] = (uint8_t) templates[which].type;
	write_number(message + 1, templates[which].size + 4);
	memcpy(message + HEADER, templates[which].body, templates[which].size);
	return replace(m->data, m->size, m->max_size, at, 0, message, HEADER + templates[which].size);
}

static size_t
change_type(Mutation *m)
{
	const Message *message = &m->messages[below(m->count, m->seed)];

	m->data[message->at] = (uint8_t) templates[below(LENGTH(templates), m->seed)].type;
	return m->size;
}

static size_t
change_choice(Mutation *m)
{
	m->data[below(MESSAGES_OFFSET, m->seed)] = (uint8_t) next_random(m->seed);
	return m->size;
}

static size_t (*const mutations[])(Mutation *) = {
	change_value, change_value, change_body, change_body, leave_out,
	repeat,       put_in,       put_in,      change_type, change_choice};

size_t
mutate_messages(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	Mutation m = {.data = data, .size = size, .max_size = max_size, .seed = &seed};

	if (size < MESSAGES_OFFSET || next_random(&seed) % 4 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	m.count = find_messages(data, size, m.messages);
	if (m.count == 0)
		return put_in(&m);
	return mutations[below(LENGTH(mutations), &seed)](&m);
}
