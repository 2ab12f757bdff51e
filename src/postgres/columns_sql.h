/*
 * columns_sql.h
 *		The catalog queries for columns.
 *
 * Included by dialect.c only.  wire/question.c says what their answers hold.
 *
 * The columns of one table cost what one table costs, in every state of the remote's
 * statistics: schema, tables, columns and types are looked up one after the other,
 * each through an index; OFFSET 0 keeps the planner from joining them in another
 * order.  What is known of a table or a type is looked up once for it, not for each
 * column.
 */
#ifndef DQDS_COLUMNS_SQL_H
#define DQDS_COLUMNS_SQL_H

#include "postgres/catalog_sql.h"
#include "postgres/nulls_sql.h"
#include "wire/question.h"

/* clang-format off */
/* ---- which tables ------------------------------------------------------------------ */

/* May the user see all columns of the table?  The rule of information_schema.columns. */
#define SEES_ALL_COLUMNS \
	"(pg_catalog.pg_has_role(c.relowner, 'USAGE')" \
	" OR pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))"

/* Since version 18 a column may be NOT NULL that has nulls: where the constraint is not validated. */
#define KEY_COLUMNS \
	"CASE WHEN c.relhasindex THEN" \
	" (SELECT k.conkey FROM pg_catalog.pg_constraint k WHERE k.conrelid" EQ "c.oid AND k.contype" EQ "'p'" CHAR " LIMIT 1) END"
#define UNSURE_COLUMNS \
	"CASE WHEN " OF_VERSION(GE, "180000") " THEN (SELECT pg_catalog.array_agg(k.conkey[1]) FROM pg_catalog.pg_constraint k WHERE k.conrelid" EQ "c.oid" \
	" AND k.contype" EQ "'n'" CHAR " AND NOT k.convalidated) END"

/* Unique by themselves: by an index of one column, whose options are those of its keys. */
#define UNIQUE_COLUMNS \
	"CASE WHEN c.relhasindex THEN (SELECT pg_catalog.array_agg(x.indkey[0]) FROM pg_catalog.pg_index x WHERE x.indrelid" EQ "c.oid AND x.indisunique" \
	" AND x.indisvalid AND x.indpred IS NULL AND pg_catalog.array_upper(x.indoption, 1)" EQ "0) END"

/* By number. */
#define COMMENTS_OF_COLUMNS \
	"(SELECT pg_catalog.jsonb_object_agg(ds.objsubid" TEXT ", " CUT("ds.description") ") FROM pg_catalog.pg_description ds" \
	" WHERE ds.objoid" EQ "c.oid AND ds.classoid" EQ "'pg_catalog.pg_class'" REGCLASS " AND ds.objsubid" GT "0)"

#define TABLE_FACTS(sort, more) \
	"c.oid, c.relname, " sort("c.relname") " AS place, " SEES_ALL_COLUMNS " AS all_columns, " \
	KEY_COLUMNS " AS key, " UNSURE_COLUMNS " AS unsure, " COMMENTS_OF_COLUMNS " AS comments" more
#define NO_MORE_FACTS   ""
#define WITH_UNIQUENESS ", " UNIQUE_COLUMNS " AS uniques"

/*
 * The settings for names are a condition on the tables: so they are in force before
 * anything is written.  Those of the schema.
 */
#define ALL_OF_SCHEMA(facts, numbers) \
	"SELECT c.* FROM (SELECT " SETTINGS_FOR_NAMES " AS names_are_plain, ARRAY(" numbers ") AS numbers OFFSET 0) AS known" \
	" CROSS JOIN LATERAL pg_catalog.unnest(known.numbers) WITH ORDINALITY AS found (oid, place)" \
	" CROSS JOIN LATERAL (SELECT " facts " FROM pg_catalog.pg_class c WHERE known.names_are_plain AND c.oid" EQ "found.oid" \
	" AND c.relnamespace" EQ SCHEMA_NUMBER " AND " IS_LISTED_KIND " AND " IS_FOUND_FIRST " AND " HAS_SOME_PRIVILEGE \
	" AND $2::pg_catalog.name[] IS NULL OFFSET 0) AS c"

/* Those that are named; a name that is too long is cut here, and told apart where the answer is received. */
#define NAMED_IN_SCHEMA(facts) \
	"SELECT " facts " FROM pg_catalog.pg_class c WHERE c.relnamespace" EQ SCHEMA_NUMBER \
	" AND c.relname" EQ "ANY ($2::pg_catalog.name[]) AND " IS_LISTED_KIND " AND " HAS_SOME_PRIVILEGE \
	" AND " "(SELECT " SETTINGS_FOR_NAMES ")" " OFFSET 0"

/* ---- which columns ----------------------------------------------------------------- */

#define COLUMNS_OF(tables, missing, more_of_table, more) \
	"SELECT c.relname, c.place, c.key, c.unsure, c.comments" more_of_table ", a.* FROM (" tables ") AS c" missing \
	" CROSS JOIN LATERAL (SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull" more \
	" FROM pg_catalog.pg_attribute a WHERE a.attrelid" EQ "c.oid AND a.attnum" GT "0 AND NOT a.attisdropped" \
	" AND (c.all_columns OR pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))" \
	" OFFSET 0) AS a"

/* The types that come with PostgreSQL have smaller numbers, and no domain is among them. */
#define IS_FOREIGN_TYPE "a.atttypid" GE "10000::pg_catalog.oid"

/*
 * What the domains among the types are in the end.  The modifier is that of the
 * innermost one, and NOT NULL of any counts.
 */
#define DOMAIN(oid) \
	" CROSS JOIN LATERAL (SELECT t.oid, t.typbasetype, t.typtypmod, t.typnotnull FROM pg_catalog.pg_type t" \
	" WHERE t.oid" EQ oid " AND t.typtype" EQ "'d'" CHAR " OFFSET 0) AS t"
#define WITH_COLUMNS(columns) \
	"WITH RECURSIVE a AS (" columns "), step (oid, typid, typmod, is_not_null, number) AS (" \
	"SELECT t.oid, t.typbasetype, t.typtypmod, t.typnotnull, 1" \
	" FROM pg_catalog.unnest(ARRAY(SELECT DISTINCT a.atttypid FROM a WHERE " IS_FOREIGN_TYPE ")) AS u (oid)" DOMAIN("u.oid") \
	" UNION ALL SELECT s.oid, t.typbasetype, t.typtypmod, s.is_not_null OR t.typnotnull, s.number" PLUS "1" \
	" FROM step s" DOMAIN("s.typid") ")," \
	" base AS (SELECT DISTINCT ON (s.oid) s.oid, s.typid, s.typmod, s.is_not_null FROM step s ORDER BY s.oid, s.number DESC) "
#define FROM_COLUMNS \
	" FROM a LEFT JOIN base ON base.oid" EQ "a.atttypid CROSS JOIN LATERAL (SELECT coalesce(base.typid, a.atttypid) AS typid," \
	" CASE WHEN base.typid IS NULL THEN a.atttypmod ELSE base.typmod END AS typmod) AS m"

/* ---- what they are ----------------------------------------------------------------- */

/*
 * m.typid and m.typmod: of the base type for a domain.  The numbers are the fixed OIDs
 * of bpchar, varchar, bit, varbit, numeric, and of the types with fractional seconds,
 * each with that of its array; the arithmetic is that of information_schema's
 * functions, and of numeric's eleven-bit signed scale.
 */
#define IS_TYPE(oids) "m.typid" EQ "ANY ('{" oids "}'::pg_catalog.oid[])"
#define TYPE_LENGTH \
	"CASE WHEN m.typmod" GE "4 AND " IS_TYPE("1042,1043,1014,1015") " THEN m.typmod" MINUS "4" \
	" WHEN m.typmod" GT "0 AND " IS_TYPE("1560,1562,1561,1563") " THEN m.typmod END"
#define TYPE_PRECISION \
	"CASE WHEN m.typmod" GE "4 AND " IS_TYPE("1700,1231") \
	" THEN ((m.typmod" MINUS "4) OPERATOR(pg_catalog.>>) 16)" BITAND "65535" \
	" WHEN m.typmod" GE "0 AND " IS_TYPE("1083,1114,1184,1266,1183,1115,1185,1270") " THEN m.typmod" \
	" WHEN m.typmod" GE "0 AND " IS_TYPE("1186,1187") " AND (m.typmod" BITAND "65535)" NE "65535" \
	" THEN m.typmod" BITAND "65535 END"
#define TYPE_SCALE \
	"CASE WHEN m.typmod" GE "4 AND " IS_TYPE("1700,1231") \
	" THEN (((m.typmod" MINUS "4)" BITAND "2047) OPERATOR(pg_catalog.#) 1024)" MINUS "1024 END"

#define IS_IN(columns) "coalesce(a.attnum" EQ "ANY (a." columns "), false)"

#define COMMENT "a.comments OPERATOR(pg_catalog.->>) a.attnum" TEXT

#define PLAIN_COLUMNS \
	"a.relname, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, NULL), " \
	TYPE_LENGTH ", " TYPE_PRECISION ", " TYPE_SCALE \
	", NOT ((a.attnotnull AND NOT " IS_IN("unsure") ") OR coalesce(base.is_not_null, false))" \
	", " IS_IN("key") ", " COMMENT

#define COLUMNS(tables) \
	WITH_COLUMNS(COLUMNS_OF(tables, "", "", "")) "SELECT " PLAIN_COLUMNS FROM_COLUMNS " ORDER BY a.place, a.attnum"

/* ---- details ----------------------------------------------------------------------- */

/*
 * A row must not be larger than libpq's memory has room for (libpq_link.h): how
 * many bytes the other texts may have depends on the comment.
 */
#define ROOM \
	" CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.octet_length(" COMMENT ")" GT "8192 THEN 256 ELSE 8192 END AS size" \
	" OFFSET 0) AS room"

/* As the type would be written, without the columns' constraints. */
#define FULL_TYPE "pg_catalog.format_type(a.atttypid, a.atttypmod)"
#define BASE_TYPE "CASE WHEN base.typid IS NOT NULL THEN pg_catalog.format_type(base.typid, base.typmod) END"

/* Of an enum, or an array of it.  Without its end an array would be another one. */
#define ENUM_LABELS \
	"CASE WHEN " IS_FOREIGN_TYPE " THEN (SELECT CASE WHEN pg_catalog.octet_length(l.labels)" LE "room.size THEN l.labels END" \
	" FROM (SELECT pg_catalog.array_agg(e.enumlabel" TEXT " ORDER BY e.enumsortorder)" TEXT " AS labels" \
	" FROM pg_catalog.pg_type t CROSS JOIN LATERAL (SELECT e.enumlabel, e.enumsortorder FROM pg_catalog.pg_enum e" \
	" WHERE e.enumtypid" EQ "CASE WHEN t.typtype" EQ "'e'" CHAR " THEN t.oid ELSE t.typelem END OFFSET 0) AS e" \
	" WHERE t.oid" EQ "m.typid) AS l) END"

/*
 * $3 is a DefinitionEffort.  What a column is generated from names other columns:
 * to write it, the server locks their table.  A default names none.
 */
#define MAY_WRITE(effort) "$3::pg_catalog.int4" GE effort " AND (SELECT " SETTINGS_FOR_EXPRESSIONS ")"
#define DEFAULT_EXPRESSION \
	"CASE WHEN a.atthasdef AND " MAY_WRITE("1") " THEN (SELECT CASE WHEN pg_catalog.octet_length(e.text)" GT "room.size" \
	" THEN pg_catalog.concat(pg_catalog.left(e.text, room.size OPERATOR(pg_catalog./) 4), '...') ELSE e.text END FROM (SELECT CASE" \
	" WHEN coalesce(a.generated, ''" CHAR ")" EQ "''" CHAR " THEN pg_catalog.pg_get_expr(d.adbin, 0::pg_catalog.oid, true)" \
	" WHEN $3::pg_catalog.int4" GE "2 THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) END AS text" \
	" FROM pg_catalog.pg_attrdef d WHERE d.adrelid" EQ "a.attrelid AND d.adnum" EQ "a.attnum OFFSET 0) AS e) END"

#define GENERATED \
	"CASE WHEN a.generated" EQ "'s'" CHAR " THEN 'stored' WHEN a.generated" EQ "'v'" CHAR " THEN 'virtual' END"
#define IDENTITY \
	"CASE WHEN a.attidentity" EQ "'a'" CHAR " THEN 'always' WHEN a.attidentity" EQ "'d'" CHAR " THEN 'by default' END"

/* Where it is not that of the type.  Most columns have none, or are text with the database's. */
#define COLLATION \
	"CASE WHEN a.attcollation" EQ "0::pg_catalog.oid OR (a.attcollation" EQ "100::pg_catalog.oid" \
	" AND a.atttypid" EQ "ANY ('{25,1042,1043,1009,1014,1015}'::pg_catalog.oid[])) THEN NULL" \
	" ELSE (SELECT pg_catalog.concat(CASE WHEN cn.nspname" NE "'pg_catalog'" TEXT \
	" THEN pg_catalog.concat(pg_catalog.quote_ident(cn.nspname" TEXT "), '.') END, pg_catalog.quote_ident(co.collname" TEXT "))" \
	" FROM pg_catalog.pg_type t JOIN pg_catalog.pg_collation co ON co.oid" EQ "a.attcollation" \
	" JOIN pg_catalog.pg_namespace cn ON cn.oid" EQ "co.collnamespace" \
	" WHERE t.oid" EQ "a.atttypid AND t.typcollation" NE "a.attcollation) END"

#define COLUMN_DETAILS(tables) \
	WITH_COLUMNS(COLUMNS_OF(tables, OR_MISSING("attgenerated", CHAR), ", c.uniques", \
		", a.attcollation, a.atthasdef, a.attidentity, attgenerated AS generated")) \
	"SELECT " PLAIN_COLUMNS ", " FULL_TYPE ", " BASE_TYPE ", " ENUM_LABELS ", " DEFAULT_EXPRESSION \
	", " GENERATED ", " IDENTITY ", " IS_IN("uniques") ", pg_catalog.array_position(a.key, a.attnum), " COLLATION \
	FROM_COLUMNS ROOM " ORDER BY a.place, a.attnum"

/* ---- look-alikes ------------------------------------------------------------------- */

/* One level of domains and arrays, and format_type() as it is. */
#define SCAN_TYPE_NAME \
	"CASE WHEN tn.nspname" EQ "'pg_catalog'" TEXT " THEN pg_catalog.format_type(a.atttypid, NULL)" \
	" ELSE pg_catalog.concat(pg_catalog.quote_ident(tn.nspname" TEXT "), '.'," \
	" CASE WHEN t.typcategory" EQ "'A'" CHAR " AND te.oid IS NOT NULL" \
	" THEN pg_catalog.concat(pg_catalog.quote_ident(te.typname" TEXT "), '[]')" \
	" ELSE pg_catalog.quote_ident(t.typname" TEXT ") END) END"

#define SCAN_COLUMN_LIST(more) \
	"SELECT c.relname, a.attnum, a.attname, " SCAN_TYPE_NAME ", " TYPE_LENGTH ", " TYPE_PRECISION ", " TYPE_SCALE \
	", NOT (a.attnotnull OR (t.typtype" EQ "'d'" CHAR " AND t.typnotnull))," \
	" EXISTS (SELECT 1 FROM pg_catalog.pg_constraint pk WHERE pk.conrelid" EQ "c.oid AND pk.contype" EQ "'p'" CHAR \
	" AND a.attnum" EQ "ANY (pk.conkey)), " COMMENT_ON("a.attrelid", "a.attnum") more \
	FROM_RELATIONS \
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
	" ORDER BY " BY_BYTES("c.relname") ", a.attnum"

/* ---- the entries of a family in the table of queries -------------------------------- */

#define COLUMN_QUERIES(sort, narrow) \
	[QUESTION_COLUMNS] = \
		{COLUMNS(ALL_OF_SCHEMA(TABLE_FACTS(sort, NO_MORE_FACTS), narrow##_NUMBERS)), 2}, \
	[QUESTION_COLUMNS_OF] = {COLUMNS(NAMED_IN_SCHEMA(TABLE_FACTS(sort, NO_MORE_FACTS))), 2}, \
	[QUESTION_COLUMN_DETAILS] = \
		{COLUMN_DETAILS(ALL_OF_SCHEMA(TABLE_FACTS(sort, WITH_UNIQUENESS), narrow##_NUMBERS)), 3}, \
	[QUESTION_COLUMN_DETAILS_OF] = {COLUMN_DETAILS(NAMED_IN_SCHEMA(TABLE_FACTS(sort, WITH_UNIQUENESS))), 3}

#define SCAN_COLUMN_QUERIES \
	[QUESTION_COLUMNS] = {SCAN_COLUMN_LIST(""), 2}, \
	[QUESTION_COLUMNS_OF] = {SCAN_COLUMN_LIST(""), 2}, \
	[QUESTION_COLUMN_DETAILS] = {SCAN_COLUMN_LIST(NO_COLUMN_DETAILS), 2}, \
	[QUESTION_COLUMN_DETAILS_OF] = {SCAN_COLUMN_LIST(NO_COLUMN_DETAILS), 2}
/* clang-format on */

#endif /* DQDS_COLUMNS_SQL_H */
