/*
 * members.h
 *		Reads the members of a frame: names and values after each other, each ended by a zero byte.
 *
 * Included by the extension and by the agent, so it must not include headers of PostgreSQL.
 */
#ifndef DQDS_AGENT_MEMBERS_H
#define DQDS_AGENT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Is a payload made of members?  The functions below must be called for no other. */
static inline bool
members_are_valid(const char *payload, size_t length)
{
	size_t zeros = 0;

	for (size_t i = 0; i < length; i++)
		if (payload[i] == '\0')
			zeros++;
	return zeros % 2 == 0 && (length == 0 || payload[length - 1] == '\0');
}

/* The value of the member with this name, in the payload itself; NULL: there is none. */
static inline const char *
member_value(const char *payload, size_t length, const char *name)
{
	const char *end = payload + length;

	while (payload < end)
	{
		const char *value = payload + strlen(payload) + 1;

		if (strcmp(payload, name) == 0)
			return value;
		payload = value + strlen(value) + 1;
	}
	return NULL;
}

/* The same as a number; 0: there is none. */
static inline long
member_number(const char *payload, size_t length, const char *name)
{
	const char *value = member_value(payload, length, name);

	return value == NULL ? 0 : strtol(value, NULL, 10);
}

#endif /* DQDS_AGENT_MEMBERS_H */
