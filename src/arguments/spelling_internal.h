/*
 * spelling_internal.h
 *		What the two files that read other spellings of a model share: spelling.c
 *		and spelling_parameters.c.
 */
#ifndef DQDS_SPELLING_INTERNAL_H
#define DQDS_SPELLING_INTERNAL_H

#include "nodes/pg_list.h"

#include "base/failure.h"
#include "model/provider.h"

/* The members of a provider's section that have a parameter of their own. */
typedef enum SpelledKey
{
	SPELLED_HOST,
	SPELLED_PORT,
	SPELLED_DATABASE,
	SPELLED_USER,
	SPELLED_PASSWORD,
	SPELLED_SSLMODE,
	SPELLED_OPTIONS,
	NUM_SPELLED_KEYS
} SpelledKey;

typedef struct SpelledProperty
{
	const char *name; /* static, of the allow-list of properties */
	const char *value;
} SpelledProperty;

/* What has been read of a spelling so far.  Everything is palloc'd. */
typedef struct Spelling
{
	Provider provider;
	bool plus_is_blank; /* in the parameters of a URL */
	bool
		ssl_verifies; /* ssl=true means that the certificate and its name are checked, as in JDBC */
	const char *values[NUM_SPELLED_KEYS];
	List *properties; /* SpelledProperty * */
	Failure *failure; /* set when the result of a function below is false */
} Spelling;

extern bool spelling_refuse(const Spelling *spelling, const char *parameter, const char *hint);
extern bool spelling_unreadable(const Spelling *spelling, const char *reason);
extern bool spelling_read_libpq(Spelling *spelling, const char *text);
extern bool spelling_read_query(Spelling *spelling, char *query, const char *separators,
								bool permitted);

#endif /* DQDS_SPELLING_INTERNAL_H */
