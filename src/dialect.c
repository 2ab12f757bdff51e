/*
 * dialect.c
 *		Which catalog query answers which question at which kind of server.
 *
 * Owns: the texts of all remote queries.  It must not know who asks or how.
 *
 * The queries for PostgreSQL qualify every function, type and operator with
 * pg_catalog, because the remote search_path is not ours.  Names are compared
 * and sorted by their bytes, which in UTF-8 is by code point.  Comments are cut
 * there already, so that they need not be sent.
 *
 * The answer's columns are the same in every family:
 *	PROBE		backend pid
 *	SCHEMAS		schema
 *	TABLE_NAMES	table
 *	TABLES		table, kind, estimated rows, comment
 *	OVERVIEW	backend pid, in recovery, schemas, usable schemas, tables, readable tables
 *	COLUMNS		table, ordinal, column, type, length, precision, scale, nullable, primary key, comment
 * A family may leave a filter out ($2 substring or table names, $3 limit): what
 * arrives is filtered again where it is received.
 */
#include "postgres.h"

#include "catalog_sql.h"
#include "dqds.h"

/* clang-format off */
/* ---- PostgreSQL ---------------------------------------------------------------- */

#define PG_SCHEMAS(sort) \
	"SELECT n.nspname FROM pg_catalog.pg_namespace n" \
	" WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND " NOT_TEMPORARY \
	" AND ($1::pg_catalog.bool OR NOT (" BEGINS("n.nspname", "pg_", "pg`") \
	" OR n.nspname" EQ "'information_schema'" TEXT "))" \
	" ORDER BY " sort("n.nspname")

#define NAME_CONTAINS \
	" AND ($2" TEXT EQ "'' OR pg_catalog.strpos(" BY_BYTES("c.relname") ", $2" TEXT ")" GT "0)"

#define PG_TABLE_NAMES(sort, narrow, once) \
	"SELECT " once(sort("c.relname")) "c.relname" FROM_RELATIONS(narrow) \
	IN_SCHEMA NAME_CONTAINS " ORDER BY " sort("c.relname") " LIMIT $3::pg_catalog.int8"

#define KIND \
	"CASE WHEN c.relkind" EQ "'p'" CHAR " THEN 'partitioned_table'" \
	" WHEN c.relkind" EQ "'v'" CHAR " THEN 'view'" \
	" WHEN c.relkind" EQ "'m'" CHAR " THEN 'materialized_view'" \
	" WHEN c.relkind" EQ "'f'" CHAR " THEN 'foreign_table'" \
	" WHEN c.relispartition THEN 'partition' ELSE 'table' END"

/* reltuples: -1 before the first ANALYZE; up to version 13 that was 0 with relpages 0. */
#define ESTIMATE \
	"CASE WHEN c.relkind" EQ "'v'" CHAR " OR c.reltuples OPERATOR(pg_catalog.<) 0::pg_catalog.float4" \
	" OR (c.reltuples" EQ "0::pg_catalog.float4 AND c.relpages" EQ "0" \
	" AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4" \
	" OPERATOR(pg_catalog.<) 140000) THEN NULL ELSE c.reltuples::pg_catalog.int8 END"

#define PG_TABLES(sort, narrow, once) \
	"SELECT " once(sort("c.relname")) "c.relname, " KIND ", " ESTIMATE ", " COMMENT_ON("c.oid", "0") \
	FROM_RELATIONS(narrow) \
	IN_SCHEMA NAME_CONTAINS " ORDER BY " sort("c.relname") " LIMIT $3::pg_catalog.int8"

/*
 * The type without its modifiers, and independent of the remote search_path:
 * types outside pg_catalog always carry their schema.
 */
#define TYPE_NAME \
	"CASE WHEN tn.nspname" EQ "'pg_catalog'" TEXT " THEN pg_catalog.format_type(a.atttypid, NULL)" \
	" ELSE pg_catalog.concat(pg_catalog.quote_ident(tn.nspname" TEXT "), '.'," \
	" CASE WHEN t.typcategory" EQ "'A'" CHAR " AND te.oid IS NOT NULL" \
	" THEN pg_catalog.concat(pg_catalog.quote_ident(te.typname" TEXT "), '[]')" \
	" ELSE pg_catalog.quote_ident(t.typname" TEXT ") END) END"

/*
 * m.typid and m.typmod: of the element for an array, of the base type for a
 * domain.  The numbers are the fixed OIDs of bpchar, varchar, bit, varbit,
 * numeric, and of the types with fractional seconds; the arithmetic is that of
 * information_schema's functions, and of numeric's eleven-bit signed scale.
 */
#define TYPE_LENGTH \
	"CASE WHEN m.typmod" GE "4 AND m.typid" EQ "ANY ('{1042,1043}'::pg_catalog.oid[])" \
	" THEN m.typmod" MINUS "4" \
	" WHEN m.typmod" GT "0 AND m.typid" EQ "ANY ('{1560,1562}'::pg_catalog.oid[])" \
	" THEN m.typmod END"
#define TYPE_PRECISION \
	"CASE WHEN m.typmod" GE "4 AND m.typid" EQ "1700::pg_catalog.oid" \
	" THEN ((m.typmod" MINUS "4) OPERATOR(pg_catalog.>>) 16)" BITAND "65535" \
	" WHEN m.typmod" GE "0 AND m.typid" EQ "ANY ('{1083,1114,1184,1266}'::pg_catalog.oid[])" \
	" THEN m.typmod" \
	" WHEN m.typmod" GE "0 AND m.typid" EQ "1186::pg_catalog.oid" \
	" AND (m.typmod" BITAND "65535)" NE "65535 THEN m.typmod" BITAND "65535 END"
#define TYPE_SCALE \
	"CASE WHEN m.typmod" GE "4 AND m.typid" EQ "1700::pg_catalog.oid" \
	" THEN (((m.typmod" MINUS "4)" BITAND "2047) OPERATOR(pg_catalog.#) 1024)" MINUS "1024 END"

#define PG_COLUMNS(sort, narrow, once) \
	"SELECT " once(sort("c.relname") ", a.attnum") \
	"c.relname, a.attnum, a.attname, " TYPE_NAME ", " TYPE_LENGTH ", " TYPE_PRECISION ", " TYPE_SCALE \
	", NOT (a.attnotnull OR (t.typtype" EQ "'d'" CHAR " AND t.typnotnull))," \
	" EXISTS (SELECT 1 FROM pg_catalog.pg_constraint pk WHERE pk.conrelid" EQ "c.oid AND pk.contype" EQ "'p'" CHAR \
	" AND a.attnum" EQ "ANY (pk.conkey)), " COMMENT_ON("a.attrelid", "a.attnum") \
	FROM_RELATIONS(narrow) \
	" JOIN pg_catalog.pg_attribute a ON a.attrelid" EQ "c.oid" \
	" JOIN pg_catalog.pg_type t ON t.oid" EQ "a.atttypid" \
	" JOIN pg_catalog.pg_namespace tn ON tn.oid" EQ "t.typnamespace" \
	" LEFT JOIN pg_catalog.pg_type te ON te.oid" EQ "t.typelem" \
	" CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype" EQ "'d'" CHAR " THEN t.typbasetype" \
	" WHEN t.typcategory" EQ "'A'" CHAR " AND t.typelem" NE "0::pg_catalog.oid THEN t.typelem" \
	" ELSE t.oid END AS typid," \
	" CASE WHEN t.typtype" EQ "'d'" CHAR " THEN t.typtypmod ELSE a.atttypmod END AS typmod) m" \
	IN_SCHEMA \
	" AND ($2::pg_catalog.text[] IS NULL OR c.relname" TEXT EQ \
	"ANY (SELECT u.name FROM pg_catalog.unnest($2::pg_catalog.text[]) AS u (name)))" \
	" AND a.attnum" GT "0 AND NOT a.attisdropped AND " MAY_SEE_COLUMN \
	" ORDER BY " sort("c.relname") ", a.attnum"

/* Over the whole database, so it is asked only for a diagnosis. */
#define IS_USER_SCHEMA \
	NOT_TEMPORARY " AND NOT (" BEGINS("n.nspname", "pg_", "pg`") \
	" OR n.nspname" EQ "'information_schema'" TEXT ")"
#define COUNT_SCHEMAS(condition) \
	"(SELECT pg_catalog.count(*) FROM pg_catalog.pg_namespace n WHERE " IS_USER_SCHEMA condition ")"
#define COUNT_TABLES(condition) \
	"(SELECT pg_catalog.count(*) FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c" \
	" WHERE c.relnamespace" EQ "n.oid AND " IS_USER_SCHEMA " AND " IS_LISTED_KIND condition ")"
#define MAY_USE_SCHEMA " AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
#define MAY_READ_TABLE \
	MAY_USE_SCHEMA " AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')" \
	" OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))"

#define PG_OVERVIEW \
	"SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), " \
	COUNT_SCHEMAS("") ", " COUNT_SCHEMAS(MAY_USE_SCHEMA) ", " \
	COUNT_TABLES(" AND " HAS_SOME_PRIVILEGE) ", " COUNT_TABLES(MAY_READ_TABLE)

#define PG_PROBE "SELECT pg_catalog.pg_backend_pid()"

#define PG_FAMILY(sort, narrow, once) \
	{ \
		{PG_PROBE, 0}, {PG_SCHEMAS(sort), 1}, {PG_TABLE_NAMES(sort, narrow, once), 3}, \
			{PG_TABLES(sort, narrow, once), 3}, {PG_COLUMNS(sort, narrow, once), 2}, \
			{PG_OVERVIEW, 0} \
	}

/* ---- Redshift -------------------------------------------------------------------- */

/*
 * From its documentation: a descendant of PostgreSQL 8.0 with views of its own,
 * which show only what the user may access, external tables included.
 */
#define REDSHIFT_KIND \
	"CASE table_type WHEN 'VIEW' THEN 'view' WHEN 'MATERIALIZED VIEW' THEN 'materialized_view'" \
	" WHEN 'EXTERNAL TABLE' THEN 'foreign_table' ELSE 'table' END"

#define REDSHIFT_FAMILY \
	{ \
		{"SELECT pg_backend_pid()", 0}, \
			{"SELECT nspname FROM pg_namespace WHERE has_schema_privilege(nspname, 'USAGE')" \
			 " AND nspname NOT LIKE 'pg!_temp!_%' ESCAPE '!'" \
			 " AND ($1::boolean OR (nspname NOT LIKE 'pg!_%' ESCAPE '!'" \
			 " AND nspname <> 'information_schema')) ORDER BY nspname", \
			 1}, \
			{"SELECT table_name FROM svv_tables WHERE table_schema = $1::varchar" \
			 " ORDER BY table_name", \
			 1}, \
			{"SELECT table_name, " REDSHIFT_KIND ", NULL::bigint, remarks FROM svv_tables" \
			 " WHERE table_schema = $1::varchar ORDER BY table_name", \
			 1}, \
		{ \
			"SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length," \
			" CASE WHEN data_type = 'numeric' THEN numeric_precision END," \
			" CASE WHEN data_type = 'numeric' THEN numeric_scale END," \
			" is_nullable <> 'NO', false, remarks FROM svv_columns" \
			" WHERE table_schema = $1::varchar ORDER BY table_name, ordinal_position", \
				1 \
		}, \
			{"SELECT NULL, NULL, NULL, NULL, NULL, NULL", 0} \
	}

/* ---- QuestDB ----------------------------------------------------------------------- */

/*
 * One schema, no privileges, and little of PostgreSQL's SQL: no COLLATE, no
 * OPERATOR(), no pg_backend_pid().  Its ordinal positions start at 0.
 */
#define QUESTDB_FAMILY \
	{ \
		{"SELECT 1", 0}, \
			{"SELECT nspname FROM pg_catalog.pg_namespace" \
			 " WHERE ($1::text = 'true' OR nspname <> 'pg_catalog') ORDER BY nspname", \
			 1}, \
			{"SELECT table_name FROM information_schema.tables WHERE table_schema = $1::text" \
			 " ORDER BY table_name", \
			 1}, \
			{"SELECT table_name, 'table', NULL, NULL FROM information_schema.tables" \
			 " WHERE table_schema = $1::text ORDER BY table_name", \
			 1}, \
		{ \
			"SELECT table_name, ordinal_position + 1, column_name, data_type, NULL, NULL, NULL," \
			" 'true', 'false', NULL FROM information_schema.columns WHERE table_schema = $1::text" \
			" ORDER BY table_name, ordinal_position", \
				1 \
		}, \
			{"SELECT NULL, NULL, NULL, NULL, NULL, NULL", 0} \
	}

/* clang-format on */

/* ---- the table ------------------------------------------------------------------------ */

static const struct
{
	const char *sql;
	int nvalues; /* how many of the question's values it takes */
} queries[NUM_FAMILIES][NUM_QUESTIONS] = {
	[FAMILY_POSTGRES] = PG_FAMILY(BY_BYTES, BY_DEPENDENCY, ONCE),
	[FAMILY_POSTGRES_REENCODED] = PG_FAMILY(BY_UTF8, BY_DEPENDENCY, ONCE),
	[FAMILY_SCAN] = PG_FAMILY(BY_BYTES, BY_SCAN, AS_FOUND),
	[FAMILY_REDSHIFT] = REDSHIFT_FAMILY,
	[FAMILY_QUESTDB] = QUESTDB_FAMILY,
};

static const AnswerShape answers[NUM_QUESTIONS] = {
	[QUESTION_PROBE] = {1, {ANSWER_INTEGER}},
	[QUESTION_SCHEMAS] = {1, {ANSWER_NAME}},
	[QUESTION_TABLE_NAMES] = {1, {ANSWER_NAME}},
	[QUESTION_TABLES] = {4, {ANSWER_NAME, ANSWER_TEXT, ANSWER_BIGINT, ANSWER_TEXT}},
	[QUESTION_COLUMNS] = {10,
						  {ANSWER_NAME, ANSWER_POSITION, ANSWER_NAME, ANSWER_TEXT, ANSWER_INTEGER,
						   ANSWER_INTEGER, ANSWER_INTEGER, ANSWER_BOOLEAN, ANSWER_BOOLEAN,
						   ANSWER_TEXT}},
	[QUESTION_OVERVIEW] = {6,
						   {ANSWER_INTEGER, ANSWER_BOOLEAN, ANSWER_BIGINT, ANSWER_BIGINT,
							ANSWER_BIGINT, ANSWER_BIGINT}},
};

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

/* The columns of the answer to a question: static memory. */
const AnswerShape *
dialect_answer(Question question)
{
	return &answers[question];
}

/*
 * The query for a question: static memory.  *used is the family whose query it
 * is, *nvalues how many of the question's values it takes.
 */
const char *
dialect_sql(Family family, const RemoteQuery *query, Family *used, int *nvalues)
{
	bool about_tables =
		query->question >= QUESTION_TABLE_NAMES && query->question <= QUESTION_COLUMNS;

	/* Schemas that initdb pinned have no dependencies to go by. */
	if ((family == FAMILY_POSTGRES || family == FAMILY_POSTGRES_REENCODED) && about_tables &&
		(strcmp(query->values[0], "pg_catalog") == 0 || strcmp(query->values[0], "pg_toast") == 0))
		family = FAMILY_SCAN;
	*used = family;
	*nvalues = queries[family][query->question].nvalues;
	return queries[family][query->question].sql;
}
