/*
 * dialect.h
 *		Which catalog query answers which question at which kind of server.
 */
#ifndef DQDS_DIALECT_H
#define DQDS_DIALECT_H

#include "model/target.h"
#include "wire/question.h"

typedef enum Family
{
	FAMILY_POSTGRES,           /* real PostgreSQL: pg_depend finds the tables of a schema */
	FAMILY_POSTGRES_REENCODED, /* the same, where names must be sorted as UTF-8 */
	FAMILY_POSTGRES_PINNED,    /* schemas of real PostgreSQL that pg_depend does not know */
	FAMILY_SCAN,               /* anything else with a usable pg_class */
	FAMILY_REDSHIFT,
	FAMILY_QUESTDB,
	FAMILY_QUESTDB_OLD, /* without the functions that know kinds and types */
	NUM_FAMILIES
} Family;

extern Family dialect_family(Provider provider, const char *server_encoding, bool lookalike);
extern bool dialect_has_query(Provider provider, Question question);
extern bool dialect_has_older(Family family);
extern const char *dialect_sql(Family family, const RemoteQuery *query, Family *used, int *nvalues);

#endif /* DQDS_DIALECT_H */
