/*
 * messages.h
 *		Mutations that know the form of a message of the PostgreSQL protocol.
 */
#ifndef FUZZ_MESSAGES_H
#define FUZZ_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

/* In front of the messages: the choices of replies.c. */
#define MESSAGES_OFFSET 3

/* In the place of LLVMFuzzerCustomMutator. */
size_t mutate_messages(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#endif /* FUZZ_MESSAGES_H */
