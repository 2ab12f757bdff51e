/*
 * spelling_internal.h
 *		Declarations shared by spelling.c and spelling_parameters.c, which read connection strings.
 */
#ifndef DQDS_SPELLING_INTERNAL_H
#define DQDS_SPELLING_INTERNAL_H

#include "nodes/pg_list.h"

#include "base/failure.h"
#include "model/provider.h"

/* The members of a provider's section that have their own parameters. */
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
	const char *name; /* static, from the allow-list of properties */
	const char *value;
} SpelledProperty;

/* The parts of a spelling that have been read so far, all palloc'd. */
typedef struct Spelling
{
	Provider provider;
	bool plus_is_blank; /* in the parameters of a URL */
	bool
		ssl_verifies; /* ssl=true means that the certificate and its name are verified, as in JDBC */
	const char *values[NUM_SPELLED_KEYS];
	List *properties; /* SpelledProperty * */
	Failure *failure; /* set if a function below returns false */
} Spelling;

extern bool spelling_refuse(const Spelling *spelling, const char *parameter, const char *hint);
extern bool spelling_unreadable(const Spelling *spelling, const char *reason);
extern bool spelling_read_libpq(Spelling *spelling, const char *text);
extern bool spelling_read_query(Spelling *spelling, char *query, const char *separators,
								bool permitted);

#endif /* DQDS_SPELLING_INTERNAL_H */
