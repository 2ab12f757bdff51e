/*
 * dialect.c
 *		Which catalog query answers which question at which kind of server.
 *
 * Owns: which query is for which family, and nothing of the answer but that its columns are
 * those of question.c.  It must not know who asks or how.
 *
 * The queries for PostgreSQL qualify every function, type and operator with
 * pg_catalog, because the remote search_path is not ours.  Names are compared
 * and sorted by their bytes, which in UTF-8 is by code point.  Comments are cut
 * there already, so that they need not be sent.
 *
 * A question that a family has no query for must not be asked (dialect_has_query).
 * A family that takes none but the first value leaves the filters and the limit out:
 * what arrives is filtered again where it is received.  The others apply them all.
 */
#include "postgres.h"

#include "model/provider.h"
#include "postgres/catalog_sql.h"
#include "postgres/columns_sql.h"
#include "postgres/dialect.h"
#include "postgres/keys_sql.h"
#include "postgres/other_sql.h"
#include "postgres/tables_sql.h"
#include "wire/question.h"

/* ---- the table ------------------------------------------------------------------------ */

/* clang-format off */
static const struct
{
	const char *sql;
	int nvalues; /* how many of the question's values it takes */
} queries[NUM_FAMILIES][NUM_QUESTIONS] = {
	[FAMILY_POSTGRES] = {
		TABLE_QUERIES(BY_NAME, BY_DEPENDENCY),
		COLUMN_QUERIES(BY_NAME, BY_DEPENDENCY),
		KEY_QUERIES(BY_NAME, ALL_BY_DEPENDENCY),
	},
	[FAMILY_POSTGRES_REENCODED] = {
		TABLE_QUERIES(BY_UTF8, BY_DEPENDENCY),
		COLUMN_QUERIES(BY_UTF8, BY_DEPENDENCY),
		KEY_QUERIES(BY_UTF8, ALL_BY_DEPENDENCY),
	},
	[FAMILY_POSTGRES_PINNED] = {
		TABLE_QUERIES(BY_NAME, BY_SCAN),
		COLUMN_QUERIES(BY_NAME, BY_SCAN),
		KEY_QUERIES(BY_NAME, ALL_BY_SCAN),
	},
	[FAMILY_SCAN] = {
		SCAN_TABLE_QUERIES,
		SCAN_COLUMN_QUERIES,
		KEY_QUERIES(BY_BYTES, ALL_BY_SCAN),
	},
	[FAMILY_REDSHIFT] = {
		REDSHIFT_QUERIES,
	},
	[FAMILY_QUESTDB] = {
		QUESTDB_QUERIES(QUESTDB_TABLES, QUESTDB_COLUMNS),
	},
	[FAMILY_QUESTDB_OLD] = {
		QUESTDB_QUERIES(QUESTDB_OLD_TABLES, QUESTDB_OLD_COLUMNS),
	},
};
/* clang-format on */

/*
 * Which family a server belongs to, from what it said while logging in.
 * lookalike: it named itself as something else that speaks PostgreSQL.
 */
Family
dialect_family(Provider provider, const char *server_encoding, bool lookalike)
{
	if (provider == PROVIDER_REDSHIFT)
		return FAMILY_REDSHIFT;
	if (provider == PROVIDER_QUESTDB)
		return FAMILY_QUESTDB;
	if (lookalike)
		return FAMILY_SCAN;
	/* In these encodings the order of bytes is the order of code points already. */
	if (server_encoding == NULL || strcmp(server_encoding, "UTF8") == 0 ||
		strcmp(server_encoding, "LATIN1") == 0 || strcmp(server_encoding, "SQL_ASCII") == 0)
		return FAMILY_POSTGRES;
	return FAMILY_POSTGRES_REENCODED;
}

/* Can servers of a provider be asked a question at all? */
bool
dialect_has_query(Provider provider, Question question)
{
	return queries[dialect_family(provider, NULL, false)][question].sql != NULL;
}

/* Are there other queries for older versions of these servers (RemoteQuery.of_old_version)? */
bool
dialect_has_older(Family family)
{
	return family == FAMILY_QUESTDB;
}

/*
 * The query for a question: static memory.  *used is the family whose query it
 * is, *nvalues how many of the question's values it takes.
 */
const char *
dialect_sql(Family family, const RemoteQuery *query, Family *used, int *nvalues)
{
	*used = family;
	/* Schemas that initdb pinned have no dependencies to go by. */
	if ((family == FAMILY_POSTGRES || family == FAMILY_POSTGRES_REENCODED) &&
		query->values[0] != NULL &&
		(strcmp(query->values[0], "pg_catalog") == 0 || strcmp(query->values[0], "pg_toast") == 0))
		*used = FAMILY_POSTGRES_PINNED;
	if (family == FAMILY_QUESTDB && query->of_old_version)
		*used = FAMILY_QUESTDB_OLD;
	*nvalues = queries[*used][query->question].nvalues;
	return queries[*used][query->question].sql;
}
