/*
 * messages.h
 *		Mutations that know the form of a message of a protocol.
 */
#ifndef FUZZ_MESSAGES_H
#define FUZZ_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In front of the messages: the choices of the target. */
#define MESSAGES_OFFSET 3

/* A message for insertion anywhere; its body has at most 64 bytes. */
typedef struct MessageTemplate
{
	char type;
	size_t size; /* of the body */
	const char *body;
} MessageTemplate;

#define MESSAGE(type, body)                                                                        \
	{                                                                                              \
		(type), sizeof(body) - 1, (body)                                                           \
	}

/* How the messages of a protocol look. */
typedef struct MessageForm
{
	size_t header;     /* bytes of type and length */
	size_t type_place; /* of the type in it */
	size_t ended_by;   /* bytes behind each value of a row */
	char row;          /* the type of rows */

	/* The bytes of the body that follows this header; false: there is no such header. */
	bool (*read_header)(const uint8_t *header, size_t *length);
	void (*write_length)(uint8_t *header, size_t length);

	/* Four bytes as a number, as in front of the values of a row. */
	size_t (*read_number)(const uint8_t *bytes);
	void (*write_number)(uint8_t *bytes, size_t number);

	const MessageTemplate *templates;
	size_t ntemplates;
} MessageForm;

extern const MessageForm postgres_messages;
extern const MessageForm agent_messages;

/* In the place of LLVMFuzzerCustomMutator. */
size_t mutate_messages(const MessageForm *form, uint8_t *data, size_t size, size_t max_size,
					   unsigned int seed);

#endif /* FUZZ_MESSAGES_H */
