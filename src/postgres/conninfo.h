/*
 * conninfo.h
 *		Reads conninfo strings and URIs with libpq's own parser.
 */
#ifndef DQDS_CONNINFO_H
#define DQDS_CONNINFO_H

#include "nodes/pg_list.h"

/* A parameter that has a value: palloc'd. */
typedef struct ConninfoOption
{
	const char *keyword;
	const char *value; /* not empty; bytes as they were written, which need not be text */
	bool is_secret;    /* libpq marks a password as such */
} ConninfoOption;

/* Why a string cannot be read: one of the two. */
typedef struct ConninfoFault
{
	const char
		*unknown_keyword; /* the first one, palloc'd; "" where libpq does not name it whole */
	const char *reason;   /* static, in words that continue "it cannot be read:" */
} ConninfoFault;

extern bool conninfo_read(const char *text, List **options, ConninfoFault *fault);
extern bool conninfo_is_keyword(const char *word);

#endif /* DQDS_CONNINFO_H */
