/*
 * tables_sql.h
 *		The catalog queries for schemas and tables.
 *
 * Included by dialect.c only.  wire/question.c says what their answers hold.
 *
 * A value that costs something is asked for by the questions of which a caller sees
 * it, and computed for the relations alone that have it.  What belongs to extensions
 * is looked up once for a query, not once for a row.
 */
#ifndef DQDS_TABLES_SQL_H
#define DQDS_TABLES_SQL_H

#include "postgres/catalog_sql.h"
#include "postgres/nulls_sql.h"
#include "wire/question.h"

/* clang-format off */
/* ---- schemas ----------------------------------------------------------------------- */

/* By number, the extension whose script has made a schema.  A schema depends on nothing else. */
#define EXTENSIONS_OF_SCHEMAS \
	"(SELECT pg_catalog.jsonb_object_agg(d.objid" TEXT ", (SELECT x.extname FROM pg_catalog.pg_extension x" \
	" WHERE x.oid" EQ "d.refobjid)) FROM pg_catalog.pg_depend d WHERE " IS_MEMBER("pg_namespace") ")"

#define SCHEMAS(more, sort) \
	"SELECT n.nspname" more " FROM pg_catalog.pg_namespace n" \
	" WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND " NOT_TEMPORARY \
	" AND ($1::pg_catalog.bool OR NOT " IS_SYSTEM_SCHEMA ") ORDER BY " sort("n.nspname")

#define ITS_EXTENSION ", " EXTENSIONS_OF_SCHEMAS " OPERATOR(pg_catalog.->>) n.oid" TEXT

/* ---- which tables ------------------------------------------------------------------ */

/*
 * An extension that makes schemas keeps in them what is not meant to be seen: such as
 * the chunks of TimescaleDB, each of which inherits from the table that it is a part of.
 */
#define SCHEMAS_OF_EXTENSIONS \
	"(SELECT pg_catalog.array_agg(d.objid) FROM pg_catalog.pg_depend d" \
	" WHERE " IS_MEMBER("pg_namespace") ")::pg_catalog.oid[]"
#define IS_OF_EXTENSION_SCHEMA(relation) relation ".relnamespace" EQ "ANY (" SCHEMAS_OF_EXTENSIONS ")"

#define IS_IN_KNOWN_SCHEMA(relation)     relation ".relnamespace" EQ "ANY (known.schemas)"

#define IS_CHUNK \
	"(" IS_OF_EXTENSION_SCHEMA("c") " AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhrelid" EQ "c.oid))"

#define CONTAINS(parameter) "pg_catalog.strpos(" BY_BYTES("c.relname") ", " parameter TEXT ")"

/* $2 is contained, $4: partitions as well, $5 is not contained; NULL: no such filter. */
#define IS_WANTED(chunk) \
	" AND ($2" TEXT " IS NULL OR " CONTAINS("$2") GT "0)" \
	" AND ($4::pg_catalog.bool OR NOT (c.relispartition" chunk "))" \
	" AND ($5" TEXT " IS NULL OR " CONTAINS("$5") EQ "0)"
#define OR_CHUNK " OR coalesce(" IS_CHUNK ", false)"
#define OR_NONE  ""

/* The relations of a schema, for look-alikes. */
#define TABLES(columns, sort, chunk) \
	"SELECT " columns FROM_RELATIONS IN_SCHEMA IS_WANTED(chunk) IN_ORDER(sort("c.relname"))
#define IN_ORDER(place) " ORDER BY " place " LIMIT $3::pg_catalog.int8"

#define IS_VISIBLE_AND_WANTED IS_LISTED_KIND " AND " HAS_SOME_PRIVILEGE IS_WANTED(OR_CHUNK)

/*
 * Their names alone.  A schema of which a large part of all relations are is faster
 * read in one go than through an index.
 */
#define A_LARGE_PART \
	"(SELECT CASE WHEN k.reltuples" GT "0::pg_catalog.float4 THEN GREATEST(1000, k.reltuples::pg_catalog.int8 OPERATOR(pg_catalog./) 8) END" \
	" FROM pg_catalog.pg_class k WHERE k.oid" EQ "'pg_catalog.pg_class'" REGCLASS ")"
#define IS_LARGE "coalesce(pg_catalog.cardinality(known.numbers)" GE "known.large, false)"
#define BY_DEPENDENCY_NAMES(sort) \
	"SELECT c.relname FROM (SELECT " SCHEMA_NUMBER " AS schema, " A_LARGE_PART " AS large," \
	" ARRAY(" BY_DEPENDENCY_NUMBERS " LIMIT " A_LARGE_PART ") AS numbers OFFSET 0) AS known" \
	" CROSS JOIN LATERAL (SELECT c.relname FROM pg_catalog.unnest(known.numbers) WITH ORDINALITY AS found (oid, place)" \
	" CROSS JOIN LATERAL (SELECT c.relname FROM pg_catalog.pg_class c WHERE c.oid" EQ "found.oid" \
	" AND c.relnamespace" EQ "known.schema AND " IS_VISIBLE_AND_WANTED " AND " IS_FOUND_FIRST " OFFSET 0) AS c" \
	" WHERE NOT " IS_LARGE \
	" UNION ALL SELECT c.relname FROM pg_catalog.pg_class c WHERE " IS_LARGE " AND c.relnamespace" EQ "known.schema" \
	" AND " IS_VISIBLE_AND_WANTED ") AS c" IN_ORDER(sort("c.relname"))
#define BY_SCAN_NAMES(sort) \
	"SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace" EQ SCHEMA_NUMBER " AND " IS_VISIBLE_AND_WANTED \
	IN_ORDER(sort("c.relname"))

/*
 * The same with facts about each: what is looked up once, the numbers of the relations,
 * which of them.  Most can be read, so that is looked at first; an owner has every
 * privilege until one is revoked.
 */
#define FROM_FOUND(known, numbers, condition, chunk) \
	" FROM (SELECT " known ", ARRAY(" numbers ") AS numbers OFFSET 0) AS known" \
	" CROSS JOIN LATERAL pg_catalog.unnest(known.numbers) WITH ORDINALITY AS found (oid, place)" \
	" CROSS JOIN LATERAL (SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relispartition, c.relhassubclass," \
	" c.relhastriggers, c.reltuples, c.reltoastrelid, c.relowner," \
	" CASE WHEN c.relacl IS NULL AND pg_catalog.pg_has_role(c.relowner, 'USAGE') THEN true" \
	" ELSE pg_catalog.has_any_column_privilege(c.oid, 'SELECT') END AS is_readable" \
	" FROM pg_catalog.pg_class c WHERE c.oid" EQ "found.oid AND " condition " AND " IS_LISTED_KIND IS_WANTED(chunk) \
	" AND " IS_FOUND_FIRST \
	" OFFSET 0) AS c"
#define IS_VISIBLE "(c.is_readable OR " HAS_SOME_PRIVILEGE ")"
#define OF_SCHEMA         "c.relnamespace" EQ SCHEMA_NUMBER

/* Those of all schemas. */
#define IN_ANY_SCHEMA \
	NOT_TEMPORARY " AND ($1::pg_catalog.bool OR NOT " IS_SYSTEM_SCHEMA ")" \
	" AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
#define ALL_NUMBERS "SELECT c.oid FROM pg_catalog.pg_class c WHERE " IS_LISTED_KIND
#define SCHEMA_OF_C \
	" CROSS JOIN LATERAL (SELECT n.nspname FROM pg_catalog.pg_namespace n" \
	" WHERE n.oid" EQ "c.relnamespace AND " IN_ANY_SCHEMA " OFFSET 0) AS n"

/* ---- what they are ----------------------------------------------------------------- */

#define KIND \
	"CASE WHEN c.relkind" EQ "'p'" CHAR " THEN 'partitioned_table'" \
	" WHEN c.relkind" EQ "'v'" CHAR " THEN 'view'" \
	" WHEN c.relkind" EQ "'m'" CHAR " THEN 'materialized_view'" \
	" WHEN c.relkind" EQ "'f'" CHAR " THEN 'foreign_table'" \
	" WHEN c.relispartition THEN 'partition' ELSE 'table' END"

/* ---- how many rows ----------------------------------------------------------------- */

/*
 * reltuples is -1 before the first ANALYZE; up to version 13 that was 0.  Later a 0
 * says that there were no rows then, and autovacuum takes its time.  What the
 * statistics count is newer, if they have been counting since: they are lost in a
 * crash, a standby has none, and they can be switched off.  Up to version 14 they come from a file, for which a
 * listing would have to wait.
 *
 * A table may be empty whose rows an extension keeps in other tables: a compressed
 * chunk of TimescaleDB, or a distributed table of Citus, which has an internal trigger.
 */
#define HAS_TRIGGER_OF_EXTENSION(relation) \
	"(" relation ".relhastriggers AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_depend d" \
	" ON d.objid" EQ "g.tgfoid AND " IS_MEMBER("pg_proc") " WHERE g.tgrelid" EQ relation ".oid AND g.tgisinternal))"

#define ARE_COUNTED(relation) \
	"known.rows_are_counted AND " relation ".relkind" EQ "ANY ('{r,m}'::pg_catalog.\"char\"[])" \
	" AND coalesce(pg_catalog.pg_stat_get_last_autoanalyze_time(" relation ".oid)," \
	" pg_catalog.pg_stat_get_last_analyze_time(" relation ".oid)," \
	" pg_catalog.pg_stat_get_last_autovacuum_time(" relation ".oid)," \
	" pg_catalog.pg_stat_get_last_vacuum_time(" relation ".oid)) IS NOT NULL" \
	" AND NOT coalesce(" IS_IN_KNOWN_SCHEMA(relation) ", false) AND NOT " HAS_TRIGGER_OF_EXTENSION(relation)

/*
 * Since version 18 the owner of a table may set its statistics, even to infinity.  No
 * table has room for so many rows, and the sum of all fits into a bigint.
 */
#define IS_POSSIBLE(relation) \
	relation ".reltuples" GT "0::pg_catalog.float4 AND " relation ".reltuples" LT "1e13::pg_catalog.float4"

#define OWN_ROWS(relation) \
	"CASE WHEN " IS_POSSIBLE(relation) " THEN " relation ".reltuples::pg_catalog.int8" \
	" WHEN " relation ".reltuples" EQ "0::pg_catalog.float4 AND " ARE_COUNTED(relation) \
	" THEN pg_catalog.pg_stat_get_live_tuples(" relation ".oid) END"

/*
 * What SELECT reads of a table from which others inherit: its own rows and those of
 * all descendants, each once, however it inherits.  NULL if one of these is not
 * known; but a table that has chunks has no rows of its own.  The steps are made one
 * after the other, each through an index.
 */
#define HAS_DESCENDANTS "(c.relkind" EQ "'p'" CHAR " OR c.relhassubclass)"

#define FROM_DESCENDANTS(facts) \
	" FROM part p CROSS JOIN LATERAL (SELECT " facts " FROM pg_catalog.pg_class k" \
	" WHERE k.oid" EQ "p.oid AND k.relkind" NE "'p'" CHAR " OFFSET 0) AS k"
#define WITH_DESCENDANTS \
	"WITH RECURSIVE part (oid) AS (SELECT c.oid UNION SELECT i.inhrelid FROM part p CROSS JOIN LATERAL" \
	" (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent" EQ "p.oid OFFSET 0) AS i) "

#define ALL_ROWS \
	"(" WITH_DESCENDANTS "SELECT CASE WHEN coalesce(pg_catalog.bool_and(k.rows IS NOT NULL OR k.oid" EQ "c.oid), true)" \
	" AND (coalesce(pg_catalog.bool_and(k.rows IS NOT NULL), true) OR pg_catalog.bool_or(k.is_chunk))" \
	" THEN coalesce(pg_catalog.sum(k.rows)::pg_catalog.int8, 0::pg_catalog.int8) END" \
	FROM_DESCENDANTS("k.oid, " OWN_ROWS("k") " AS rows, " IS_IN_KNOWN_SCHEMA("k") " AS is_chunk") ")"

#define ESTIMATE \
	"CASE WHEN c.relkind" EQ "'v'" CHAR " THEN NULL WHEN " HAS_DESCENDANTS " THEN " ALL_ROWS " ELSE " OWN_ROWS("c") " END"

/* ---- details ----------------------------------------------------------------------- */

/* Written as SQL would, always with the schema, as types are. */
#define PARTITION_OF \
	"CASE WHEN known.names_are_plain AND (c.relispartition OR " IS_IN_KNOWN_SCHEMA("c") ") THEN" \
	" (SELECT pg_catalog.concat(pg_catalog.quote_ident(pn.nspname" TEXT "), '.', pg_catalog.quote_ident(p.relname" TEXT "))" \
	" FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid" EQ "i.inhparent" \
	" JOIN pg_catalog.pg_namespace pn ON pn.oid" EQ "p.relnamespace WHERE i.inhrelid" EQ "c.oid" \
	" ORDER BY i.inhseqno LIMIT 1) END"

/*
 * To read its size locks a table, and would wait behind ALTER TABLE: so there is none
 * where the table, its TOAST table or an index is locked as that does.  What is locked
 * a moment later ends the wait by lock_timeout.  $6: sizes are wanted.
 */
#define LOCKED_RELATIONS \
	"CASE WHEN $6::pg_catalog.bool AND " LOCK_TIMEOUT \
	" THEN (SELECT pg_catalog.array_agg(l.relation)" FROM_EXCLUSIVE_LOCKS ") END"
#define IS_LOCKED(oid) "coalesce(" oid EQ "ANY (known.locked), false)"
#define OWN_SIZE(relation) \
	"CASE WHEN " relation ".relkind" NE "ALL ('{r,m}'::pg_catalog.\"char\"[]) THEN 0::pg_catalog.int8" \
	" WHEN " IS_LOCKED(relation ".oid") " OR " IS_LOCKED(relation ".reltoastrelid") \
	" OR (known.locked IS NOT NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_index x" \
	" WHERE x.indrelid" EQ relation ".oid AND " IS_LOCKED("x.indexrelid") ")) THEN NULL" \
	" ELSE pg_catalog.pg_total_relation_size(" relation ".oid) END"
#define SIZE \
	"CASE WHEN NOT $6::pg_catalog.bool THEN NULL WHEN " HAS_DESCENDANTS " THEN (" WITH_DESCENDANTS \
	"SELECT CASE WHEN coalesce(pg_catalog.bool_and(k.size IS NOT NULL), true)" \
	" THEN coalesce(pg_catalog.sum(k.size)::pg_catalog.int8, 0::pg_catalog.int8) END" \
	FROM_DESCENDANTS(OWN_SIZE("k") " AS size") ")" \
	" WHEN c.relkind" EQ "ANY ('{r,m}'::pg_catalog.\"char\"[]) THEN " OWN_SIZE("c") " END"

/* By number, the extension to which a relation belongs. */
#define EXTENSIONS_OF_TABLES \
	"(SELECT pg_catalog.jsonb_object_agg(d.objid" TEXT ", x.extname) FROM pg_catalog.pg_extension x CROSS JOIN LATERAL" \
	" (SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.refobjid" EQ "x.oid AND " IS_MEMBER("pg_class") " OFFSET 0) AS d)"

#define CAN_SELECT "c.is_readable AND known.schema_is_usable"

#define TABLE_COLUMNS "c.relname, " KIND ", " ESTIMATE ", " COMMENT_ON("c.oid", "0")
#define DETAIL_COLUMNS \
	TABLE_COLUMNS ", " PARTITION_OF ", pg_catalog.pg_get_userbyid(c.relowner), " SIZE \
	", known.extensions OPERATOR(pg_catalog.->>) c.oid" TEXT ", " CAN_SELECT

#define KNOWN_FOR_ROWS \
	SCHEMAS_OF_EXTENSIONS " AS schemas, " \
	OF_VERSION(GE, "150000") " AND NOT pg_catalog.pg_is_in_recovery()" \
	" AND pg_catalog.current_setting('track_counts')::pg_catalog.bool AS rows_are_counted"
#define ALL_KNOWN(usable) \
	KNOWN_FOR_ROWS ", " SETTINGS_FOR_NAMES " AS names_are_plain, " EXTENSIONS_OF_TABLES " AS extensions, " \
	LOCKED_RELATIONS " AS locked, " usable " AS schema_is_usable"
#define SCHEMA_IS_USABLE "pg_catalog.has_schema_privilege(" SCHEMA_NUMBER ", 'USAGE')"

#define TABLE_QUERY(sort, numbers) \
	"SELECT " TABLE_COLUMNS FROM_FOUND(KNOWN_FOR_ROWS, numbers, OF_SCHEMA, OR_CHUNK) \
	" WHERE " IS_VISIBLE IN_ORDER(sort("c.relname"))
#define DETAIL_QUERY(sort, numbers) \
	"SELECT " DETAIL_COLUMNS FROM_FOUND(ALL_KNOWN(SCHEMA_IS_USABLE), numbers, OF_SCHEMA, OR_CHUNK) \
	" WHERE " IS_VISIBLE IN_ORDER(sort("c.relname"))
#define ALL_QUERY(sort) \
	"SELECT n.nspname, " DETAIL_COLUMNS FROM_FOUND(ALL_KNOWN("true"), ALL_NUMBERS, "true", OR_CHUNK) SCHEMA_OF_C \
	" WHERE " IS_VISIBLE IN_ORDER(sort("n.nspname") ", " sort("c.relname"))

/* ---- look-alikes ------------------------------------------------------------------- */

/* They lack some functions, and tell of their rows in their own way. */
#define SCAN_ESTIMATE \
	"CASE WHEN c.relkind" EQ "'v'" CHAR " OR c.reltuples OPERATOR(pg_catalog.<) 0::pg_catalog.float4" \
	" OR (c.reltuples" EQ "0::pg_catalog.float4 AND c.relpages" EQ "0" \
	" AND " OF_VERSION(" OPERATOR(pg_catalog.<) ", "140000") ")" \
	" OR c.reltuples" GE "1e13::pg_catalog.float4 THEN NULL ELSE c.reltuples::pg_catalog.int8 END"
#define SCAN_COLUMNS        "c.relname, " KIND ", " SCAN_ESTIMATE ", " COMMENT_ON("c.oid", "0")
#define SCAN_DETAIL_COLUMNS SCAN_COLUMNS NO_TABLE_DETAILS

/* ---- the whole database ------------------------------------------------------------ */

/* It is asked only for a diagnosis. */
#define IS_USER_SCHEMA NOT_TEMPORARY " AND NOT " IS_SYSTEM_SCHEMA
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

/* ---- the entries of a family in the table of queries -------------------------------- */

#define TABLE_QUERIES(sort, narrow) \
	[QUESTION_PROBE] = {PG_PROBE, 0}, \
	[QUESTION_SCHEMAS] = {SCHEMAS("", sort), 1}, \
	[QUESTION_SCHEMA_DETAILS] = {SCHEMAS(ITS_EXTENSION, sort), 1}, \
	[QUESTION_TABLE_NAMES] = {narrow##_NAMES(sort), 5}, \
	[QUESTION_TABLES] = {TABLE_QUERY(sort, narrow##_NUMBERS), 5}, \
	[QUESTION_TABLE_DETAILS] = {DETAIL_QUERY(sort, narrow##_NUMBERS), 6}, \
	[QUESTION_ALL_TABLES] = {ALL_QUERY(sort), 6}, \
	[QUESTION_OVERVIEW] = {PG_OVERVIEW, 0}

#define SCAN_TABLE_QUERIES \
	[QUESTION_PROBE] = {PG_PROBE, 0}, \
	[QUESTION_SCHEMAS] = {SCHEMAS("", BY_BYTES), 1}, \
	[QUESTION_SCHEMA_DETAILS] = {SCHEMAS(", NULL", BY_BYTES), 1}, \
	[QUESTION_TABLE_NAMES] = {TABLES("c.relname", BY_BYTES, OR_NONE), 5}, \
	[QUESTION_TABLES] = {TABLES(SCAN_COLUMNS, BY_BYTES, OR_NONE), 5}, \
	[QUESTION_TABLE_DETAILS] = {TABLES(SCAN_DETAIL_COLUMNS, BY_BYTES, OR_NONE), 5}, \
	[QUESTION_ALL_TABLES] = \
		{"SELECT n.nspname, " SCAN_DETAIL_COLUMNS FROM_RELATIONS " WHERE " IN_ANY_SCHEMA " AND " IS_LISTED_KIND \
		 " AND " HAS_SOME_PRIVILEGE IS_WANTED(OR_NONE) IN_ORDER(BY_BYTES("n.nspname") ", " BY_BYTES("c.relname")), 5}, \
	[QUESTION_OVERVIEW] = {PG_OVERVIEW, 0}
/* clang-format on */

#endif /* DQDS_TABLES_SQL_H */
