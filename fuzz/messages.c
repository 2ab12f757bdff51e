/*
 * messages.c
 *		Mutations that know the form of a message of a protocol.
 *
 * Blind mutations mostly break the length of a message, so that nothing after
 * it is read.  These change the contents of a message and correct its length,
 * and remove, repeat and add whole messages.  One in four is blind.
 *
 * How a message looks is a MessageForm: messages_postgres.c and
 * messages_agent.c have one each.
 */
#include "messages.h"

#include <stdbool.h>
#include <string.h>

#define MAX_HEADER    16
#define MAX_MESSAGES  256
#define MAX_GROWTH    64
#define MAX_BODY      4096
#define ROW_HEAD      2          /* bytes in front of a row's first value */
#define NO_BYTES      0xffffffff /* the length of a value that is NULL */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

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

/* Find all complete messages. */
static size_t
find_messages(const MessageForm *form, const uint8_t *data, size_t size, Message *messages)
{
	size_t count = 0;

	for (size_t at = MESSAGES_OFFSET; at + form->header <= size && count < MAX_MESSAGES;)
	{
		size_t length;

		if (!form->read_header(data + at, &length) || length > size - at - form->header)
			break;
		messages[count++] = (Message){.at = at, .size = form->header + length};
		at += form->header + length;
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
	const MessageForm *form;
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
		m->form->write_length(m->data + message->at, message->size - m->form->header - old + new);
	return size;
}

static size_t
change_body(Mutation *m)
{
	const Message *message = &m->messages[below(m->count, m->seed)];

	return change_part(m, message, message->at + m->form->header, message->size - m->form->header);
}

/* One value of a row, with its own length in front of it. */
static size_t
change_value(Mutation *m)
{
	const MessageForm *form = m->form;
	const Message *message = &m->messages[below(m->count, m->seed)];
	size_t at = message->at + form->header + ROW_HEAD;
	size_t end = message->at + message->size;
	size_t skip = below(10, m->seed);
	size_t length;
	size_t size;

	if (m->data[message->at + form->type_place] != form->row)
		return change_body(m);
	while (at + 4 <= end)
	{
		size_t there = 0; /* bytes of the value, and what ends it */

		length = form->read_number(m->data + at);
		if (length != NO_BYTES)
			there = length + form->ended_by;
		if (there > end - at - 4)
			break;
		if (skip-- > 0)
		{
			at += 4 + there;
			continue;
		}
		size = m->size;
		length = length == NO_BYTES ? 0 : length;
		m->size = change_part(m, message, at + 4, length);
		form->write_number(m->data + at, length + m->size - size);
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
	uint8_t copy[MAX_HEADER + MAX_BODY];

	if (message->size > sizeof(copy))
		return m->size;
	memcpy(copy, m->data + message->at, message->size);
	return replace(m->data, m->size, m->max_size, place->at, 0, copy, message->size);
}

static size_t
put_in(Mutation *m)
{
	const MessageForm *form = m->form;
	const MessageTemplate *template = &form->templates[below(form->ntemplates, m->seed)];
	size_t place = below(m->count + 1, m->seed);
	size_t at =
		place == 0 ? MESSAGES_OFFSET : m->messages[place - 1].at + m->messages[place - 1].size;
	uint8_t message[MAX_HEADER + MAX_GROWTH] = {0};

	message[form->type_place] = (uint8_t) template->type;
	form->write_length(message, template->size);
	memcpy(message + form->header, template->body, template->size);
	return replace(m->data, m->size, m->max_size, at, 0, message, form->header + template->size);
}

static size_t
change_type(Mutation *m)
{
	const MessageForm *form = m->form;
	const Message *message = &m->messages[below(m->count, m->seed)];

	m->data[message->at + form->type_place] =
		(uint8_t) form->templates[below(form->ntemplates, m->seed)].type;
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
mutate_messages(const MessageForm *form, uint8_t *data, size_t size, size_t max_size,
				unsigned int seed)
{
	Mutation m = {.form = form, .data = data, .size = size, .max_size = max_size, .seed = &seed};

	if (size < MESSAGES_OFFSET || next_random(&seed) % 4 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	m.count = find_messages(form, data, size, m.messages);
	if (m.count == 0)
		return put_in(&m);
	return mutations[below(LENGTH(mutations), &seed)](&m);
}
