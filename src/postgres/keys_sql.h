/*
 * keys_sql.h
 *		The catalog queries for constraints, indexes and the definitions of views.
 *
 * Included by dialect.c only.  wire/question.c says what their answers hold.
 *
 * One table costs what one table costs, in every state of the remote's statistics:
 * schema, relation, and what hangs on the relation are looked up one after the
 * other, each through an index; OFFSET 0 keeps the planner from joining them in
 * another order.
 *
 * The functions that write definitions read the newest state of the catalog, and
 * not that of the query: they fail when an object is dropped concurrently.  And for
 * expressions and indexes they lock the table, as if to read it.  So $3 says how
 * much may be asked of them (DefinitionEffort), and listing_retry.c asks for less
 * when a query has failed that way.
 */
#ifndef DQDS_KEYS_SQL_H
#define DQDS_KEYS_SQL_H

#include "postgres/catalog_sql.h"
#include "wire/question.h"

/* clang-format off */
#define BYTES_ONLY_ASCII(text) text " OPERATOR(pg_catalog.!~) '[^\\x01-\\x7F]'"

/* ---- which relations --------------------------------------------------------------- */

#define KEY_SCHEMA \
	"(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname" EQ "$1" TEXT " AND " NOT_TEMPORARY \
	" OFFSET 0) AS ns"

/* All of the schema.  A relation may depend on its schema twice. */
#define ALL_BY_DEPENDENCY \
	"SELECT DISTINCT d.objid FROM pg_catalog.pg_depend d WHERE $2::pg_catalog.text[] IS NULL" \
	" AND d.refclassid" EQ "'pg_catalog.pg_namespace'" REGCLASS " AND d.refobjid" EQ "ns.oid" \
	" AND d.classid" EQ "'pg_catalog.pg_class'" REGCLASS " AND d.objsubid" EQ "0 AND d.deptype" EQ "'n'" CHAR
#define ALL_BY_SCAN \
	"SELECT r.oid FROM pg_catalog.pg_class r WHERE $2::pg_catalog.text[] IS NULL AND r.relnamespace" EQ "ns.oid"

/* Those of given names.  A name that is too long is cut here, and told apart where the answer is received. */
#define THOSE_NAMED \
	"SELECT r.oid FROM (SELECT DISTINCT u.name::pg_catalog.name FROM pg_catalog.unnest($2::pg_catalog.text[])" \
	" AS u (name)) AS wanted (name) CROSS JOIN LATERAL (SELECT r.oid FROM pg_catalog.pg_class r" \
	" WHERE r.relname" EQ "wanted.name AND r.relnamespace" EQ "ns.oid OFFSET 0) AS r"

#define KEY_RELATIONS(all) \
	KEY_SCHEMA " CROSS JOIN LATERAL (" all " UNION ALL " THOSE_NAMED ") AS found (oid)" \
	" CROSS JOIN LATERAL (SELECT c.oid, c.relname FROM pg_catalog.pg_class c WHERE c.oid" EQ "found.oid" \
	" AND " IS_LISTED_KIND " AND " HAS_SOME_PRIVILEGE " OFFSET 0) AS c"

/* ---- definitions ------------------------------------------------------------------- */

/* All settings must be in force before the first definition is written: hence the condition of a CASE. */
#define SETTINGS_ARE_MADE "(SELECT " SETTINGS_FOR_EXPRESSIONS ")"

/* Looked at right before a definition is written, so that a failure is rare. */
#define IS_STILL_THERE "pg_catalog.pg_table_is_visible(c.oid) IS NOT NULL"

/* Tables that no one can read now, or that a session waits to lock like that. */
#define LOCKED_TABLES \
	"ARRAY(SELECT l.relation" FROM_EXCLUSIVE_LOCKS ")"

/* May what waits for a lock on the table if waits is true be written? */
#define MAY_DEFINE(waits) \
	"($3::pg_catalog.int4" GE "2 OR $3::pg_catalog.int4" EQ "1 AND NOT (" waits " AND c.oid" EQ "ANY (" LOCKED_TABLES ")))" \
	" AND " SETTINGS_ARE_MADE " AND " IS_STILL_THERE

/*
 * Is a text short enough, in whatever encoding it is sent?  What is short in bytes is so
 * in characters, which cannot be counted in text that is not valid.
 */
#define IS_SHORT(text, characters, bytes) \
	"(pg_catalog.octet_length(" text ")" LE characters " OR pg_catalog.length(" text ")" LE characters \
	" OR pg_catalog.length(" text ")" LE bytes " AND " BYTES_ONLY_ASCII(text) ")"

/*
 * There is no definition of what was dropped in that moment.
 *
 * All values of a row together are less than libpq's memory has room for
 * (libpq_link.h): a definition has up to 32 kB, an array of names 16 kB, and
 * a predicate 8 kB.
 */
#define CUT_AT(text, characters, bytes) \
	"(SELECT CASE WHEN v.value IS NULL OR " IS_SHORT("v.value", characters, bytes) " THEN v.value" \
	" ELSE pg_catalog.concat(pg_catalog.left(v.value, " characters "), '...') END" \
	" FROM (SELECT " text " OFFSET 0) AS v (value))"
#define CUT_DEFINITION(text) CUT_AT(text, "8192", "32768")
#define CUT_PREDICATE(text) CUT_AT(text, "2048", "8192")

/* Without its end an array would be another one. */
#define SHORT_ARRAY(array) \
	"(SELECT CASE WHEN " IS_SHORT("v.value", "4096", "16384") " THEN v.value END" \
	" FROM (SELECT " array TEXT " OFFSET 0) AS v (value))"

/*
 * The names of columns whose numbers are in keys, in that order; for 0, which is
 * none, the expression.  A subquery, not a join: a table has up to 1,600 columns.
 */
#define COLUMN_NAME(relation, number) \
	"(SELECT a.attname" TEXT " FROM pg_catalog.pg_attribute a WHERE a.attrelid" EQ relation " AND a.attnum" EQ number ")"
#define COLUMN_NAMES(relation, keys, expression, condition) \
	SHORT_ARRAY("ARRAY(SELECT coalesce(" COLUMN_NAME(relation, "u.number") ", " expression ")" \
		" FROM pg_catalog.unnest(" keys "::pg_catalog.int2[]) WITH ORDINALITY AS u (number, place)" \
		" WHERE " condition " ORDER BY u.place)")

#define INDEX_EXPRESSION(index) \
	"CASE WHEN " MAY_DEFINE("true") " THEN pg_catalog.pg_get_indexdef(" index ", u.place::pg_catalog.int4, true) END"

/* ---- constraints ------------------------------------------------------------------- */

/*
 * Not the triggers that are constraints.  NOT NULL is a constraint since version 18,
 * and told with the columns; that some rows may break it, only the constraint tells.
 */
#define CONSTRAINTS_OF_C \
	" CROSS JOIN LATERAL (SELECT k.oid, k.conname, k.contype, k.conkey, k.confkey, k.confrelid, k.conindid," \
	" conparentid AS parent FROM pg_catalog.pg_constraint k WHERE k.conrelid" EQ "c.oid" \
	" AND k.contype" EQ "ANY ('{p,u,f,c,x,n}'::pg_catalog.\"char\"[])" \
	" AND (k.contype" NE "'n'" CHAR " OR NOT k.convalidated) OFFSET 0) AS k"

#define REFERENCED_BY_K \
	" LEFT JOIN LATERAL (SELECT rc.relname, rc.relispartition, rn.nspname FROM pg_catalog.pg_class rc" \
	" JOIN pg_catalog.pg_namespace rn ON rn.oid" EQ "rc.relnamespace WHERE rc.oid" EQ "k.confrelid OFFSET 0) AS r ON true"

/* A foreign key to a partitioned table has further ones to its partitions, which no one has made. */
#define IS_PART_OF_ANOTHER \
	"(r.relispartition AND (SELECT pk.conrelid FROM pg_catalog.pg_constraint pk WHERE pk.oid" EQ "k.parent)" EQ "c.oid)"

#define CONSTRAINT_TYPE \
	"CASE WHEN k.contype" EQ "'p'" CHAR " THEN 'primary_key' WHEN k.contype" EQ "'u'" CHAR " THEN 'unique'" \
	" WHEN k.contype" EQ "'f'" CHAR " THEN 'foreign_key' WHEN k.contype" EQ "'c'" CHAR " THEN 'check'" \
	" WHEN k.contype" EQ "'x'" CHAR " THEN 'exclusion' ELSE 'not_null' END"

#define IS_EXCLUSION "k.contype" EQ "'x'" CHAR
#define CONSTRAINT_WAITS "k.contype" EQ "ANY ('{c,x}'::pg_catalog.\"char\"[])"

/* A check of a whole row has the number 0, too. */
#define PG_CONSTRAINTS(sort, all) \
	"SELECT c.relname, k.conname, " CONSTRAINT_TYPE ", " \
	COLUMN_NAMES("c.oid", "k.conkey", \
		"CASE WHEN " IS_EXCLUSION " THEN " INDEX_EXPRESSION("k.conindid") " END", \
		"(u.number" NE "0 OR " IS_EXCLUSION ")") ", r.nspname, r.relname," \
	" CASE WHEN k.confkey IS NOT NULL THEN " COLUMN_NAMES("k.confrelid", "k.confkey", "NULL", "true") " END," \
	" CASE WHEN " MAY_DEFINE(CONSTRAINT_WAITS) \
	" THEN " CUT_DEFINITION("pg_catalog.pg_get_constraintdef(k.oid, true)") " END" \
	" FROM " KEY_RELATIONS(all) OR_MISSING("conparentid", "::pg_catalog.oid") CONSTRAINTS_OF_C REFERENCED_BY_K \
	" WHERE " IS_PART_OF_ANOTHER " IS NOT TRUE" \
	" ORDER BY " sort("c.relname") ", " sort("k.conname")

/* ---- indexes ----------------------------------------------------------------------- */

#define INDEXES_OF_C \
	" CROSS JOIN LATERAL (SELECT i.indexrelid, i.indrelid, i.indisunique, i.indisprimary, i.indisvalid, i.indkey," \
	" i.indpred, coalesce(indnkeyatts, i.indnatts) AS keys" \
	" FROM pg_catalog.pg_index i WHERE i.indrelid" EQ "c.oid OFFSET 0) AS i" \
	" CROSS JOIN LATERAL (SELECT x.relname, am.amname FROM pg_catalog.pg_class x JOIN pg_catalog.pg_am am" \
	" ON am.oid" EQ "x.relam WHERE x.oid" EQ "i.indexrelid OFFSET 0) AS x"

#define PG_INDEXES(sort, all) \
	"SELECT c.relname, x.relname, x.amname, i.indisunique, i.indisprimary, i.indisvalid, " \
	COLUMN_NAMES("c.oid", "i.indkey", INDEX_EXPRESSION("i.indexrelid"), "u.place" LE "i.keys") ", " \
	COLUMN_NAMES("c.oid", "i.indkey", "NULL", "u.place" GT "i.keys") "," \
	" CASE WHEN i.indpred IS NOT NULL AND " MAY_DEFINE("true") \
	" THEN " CUT_PREDICATE("pg_catalog.pg_get_expr(i.indpred, i.indrelid, true)") " END," \
	" CASE WHEN " MAY_DEFINE("true") \
	" THEN " CUT_DEFINITION("pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)") " END" \
	" FROM " KEY_RELATIONS(all) OR_MISSING("indnkeyatts", "::pg_catalog.int2") INDEXES_OF_C \
	" ORDER BY " sort("c.relname") ", " sort("x.relname")

/* ---- views ------------------------------------------------------------------------- */

/* In pieces that are short enough to be sent; there are views of more than 64 kB. */
#define PG_VIEW_DEFINITION \
	"SELECT c.relname, pg_catalog.substr(d.definition, p.first, 8192) FROM " KEY_SCHEMA \
	" CROSS JOIN LATERAL (SELECT c.oid, c.relname FROM pg_catalog.pg_class c" \
	" WHERE c.relname" EQ "$2" TEXT "::pg_catalog.name AND c.relnamespace" EQ "ns.oid" \
	" AND c.relkind" EQ "ANY ('{v,m}'::pg_catalog.\"char\"[]) AND " HAS_SOME_PRIVILEGE " OFFSET 0) AS c" \
	" CROSS JOIN LATERAL (SELECT CASE WHEN " SETTINGS_ARE_MADE " AND " IS_STILL_THERE \
	" THEN pg_catalog.pg_get_viewdef(c.oid, true) END AS definition OFFSET 0) AS d" \
	" CROSS JOIN LATERAL pg_catalog.generate_series(1, pg_catalog.length(d.definition), 8192) AS p (first)" \
	" ORDER BY p.first"

/* The entries of a family in the table of queries. */
#define KEY_QUERIES(sort, all) \
	[QUESTION_CONSTRAINTS] = {PG_CONSTRAINTS(sort, all), 3}, \
	[QUESTION_INDEXES] = {PG_INDEXES(sort, all), 3}, \
	[QUESTION_VIEW_DEFINITION] = {PG_VIEW_DEFINITION, 2}
/* clang-format on */

#endif /* DQDS_KEYS_SQL_H */
