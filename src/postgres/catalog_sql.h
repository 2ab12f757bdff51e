/*
 * catalog_sql.h
 *		Pieces of SQL that the catalog queries for PostgreSQL are put together from.
 *
 * Everything is qualified with pg_catalog, because the remote search_path is not
 * ours.  The pieces that name a relation expect the aliases n (pg_namespace),
 * c (pg_class) and a (pg_attribute).
 *
 * It must not hold a whole query.
 */
#ifndef DQDS_CATALOG_SQL_H
#define DQDS_CATALOG_SQL_H

/* clang-format off */
#define EQ " OPERATOR(pg_catalog.=) "
#define NE " OPERATOR(pg_catalog.<>) "
#define GT " OPERATOR(pg_catalog.>) "
#define GE " OPERATOR(pg_catalog.>=) "
#define LT " OPERATOR(pg_catalog.<) "
#define LE " OPERATOR(pg_catalog.<=) "
#define PLUS " OPERATOR(pg_catalog.+) "
#define MINUS " OPERATOR(pg_catalog.-) "
#define BITAND " OPERATOR(pg_catalog.&) "
#define TEXT "::pg_catalog.text"
#define CHAR "::pg_catalog.\"char\""
#define REGCLASS "::pg_catalog.regclass"

/*
 * The functions that write names, types and expressions do so as the role's settings
 * say: with or without schemas and quotation marks.  So these settings hold while a
 * query runs that calls them, and no longer: each is local to the transaction, which
 * is this one statement, so that a pooler has nothing to hand on.
 */
#define SET_HERE(setting, value) "pg_catalog.set_config('" setting "', '" value "', true) IS NOT NULL"
#define SETTINGS_FOR_NAMES SET_HERE("search_path", "") " AND " SET_HERE("quote_all_identifiers", "off")

/*
 * A session that waits for a lock of this one looks for a deadlock after deadlock_timeout,
 * which is one second, and is cancelled if this one waits for it at that moment.  So this
 * one never waits for long.
 */
#define LOCK_TIMEOUT SET_HERE("lock_timeout", "100ms")
#define SETTINGS_FOR_EXPRESSIONS \
	SETTINGS_FOR_NAMES " AND " SET_HERE("datestyle", "ISO") " AND " SET_HERE("intervalstyle", "postgres") \
	" AND " SET_HERE("timezone", "GMT") " AND " SET_HERE("extra_float_digits", "3") \
	" AND " SET_HERE("bytea_output", "hex") " AND " SET_HERE("lc_monetary", "C") \
	" AND " SET_HERE("standard_conforming_strings", "on") " AND " LOCK_TIMEOUT

#define OF_VERSION(comparison, number) \
	"pg_catalog.current_setting('server_version_num')::pg_catalog.int4" comparison number

/*
 * Locks, l, of this database's relations that keep others from reading them, or for which
 * a session waits.  A relation of another database may have the same number.
 */
#define FROM_EXCLUSIVE_LOCKS \
	" FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database db ON db.oid" EQ "l.database" \
	" WHERE db.datname" EQ "pg_catalog.current_database() AND l.mode" EQ "'AccessExclusiveLock'" TEXT \
	" AND l.relation IS NOT NULL"

/* Ways to sort by the bytes of a name in UTF-8.  The first is for PostgreSQL's own type of names, which compares bytes. */
#define BY_NAME(name) name
#define BY_BYTES(name) name TEXT " COLLATE pg_catalog.\"C\""
#define BY_UTF8(name) "pg_catalog.convert_to(" name TEXT ", 'UTF8')"

/* ---- which schemas and relations ------------------------------------------------ */

/*
 * By bytes: functions that count characters, as left() does, fail at a name that is
 * not valid in the encoding of the database.  next is the first text behind all that
 * begin with prefix.
 */
#define BEGINS(name, prefix, next) \
	"(" BY_BYTES(name) GE "'" prefix "' AND " BY_BYTES(name) LT "'" next "')"

#define NOT_TEMPORARY \
	"NOT (" BEGINS("n.nspname", "pg_temp_", "pg_temp`") \
	" OR " BEGINS("n.nspname", "pg_toast_temp_", "pg_toast_temp`") ")"

#define IS_SYSTEM_SCHEMA \
	"(" BEGINS("n.nspname", "pg_", "pg`") " OR n.nspname" EQ "'information_schema'" TEXT ")"

/*
 * The schema of that name, by its number: with that the relations of given names are
 * found through an index, whatever the planner believes to know.
 */
#define SCHEMA_NUMBER \
	"(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname" EQ "$1" TEXT " AND " NOT_TEMPORARY ")"

/*
 * The numbers of the relations of that schema.  Each depends on it, and pg_depend is
 * indexed by what is depended on: so the cost follows the schema, not the database.
 * Schemas that initdb pinned (pg_catalog, pg_toast) have no such rows.  They are for
 *	(SELECT ..., ARRAY(...) AS numbers OFFSET 0) AS known
 *	CROSS JOIN LATERAL pg_catalog.unnest(known.numbers) WITH ORDINALITY AS found (oid, place)
 *
 * The planner multiplies what a row may cost at most by the number of rows that it
 * expects, and has costly queries compiled, which takes longer than most of them.  Of
 * an array it expects ten.
 *
 * A relation may depend on another schema as well as on its own, and a partitioned
 * table on that twice: then the first time counts.
 */
#define BY_DEPENDENCY_NUMBERS \
	"SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.refclassid" EQ "'pg_catalog.pg_namespace'" REGCLASS \
	" AND d.refobjid" EQ SCHEMA_NUMBER " AND d.classid" EQ "'pg_catalog.pg_class'" REGCLASS \
	" AND d.objsubid" EQ "0 AND d.deptype" EQ "'n'" CHAR
#define BY_SCAN_NUMBERS "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace" EQ SCHEMA_NUMBER
#define IS_FOUND_FIRST \
	"(c.relkind" NE "'p'" CHAR " OR found.place" EQ "pg_catalog.array_position(known.numbers, c.oid))"

/* What belongs to an extension: rows of pg_depend, d. */
#define IS_MEMBER(class) \
	"d.classid" EQ "'pg_catalog." class "'" REGCLASS \
	" AND d.refclassid" EQ "'pg_catalog.pg_extension'" REGCLASS " AND d.deptype" EQ "'e'" CHAR

/* The rule of information_schema.tables. */
#define HAS_SOME_PRIVILEGE \
	"(pg_catalog.pg_has_role(c.relowner, 'USAGE')" \
	" OR pg_catalog.has_table_privilege(c.oid," \
	" 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')" \
	" OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))"

#define IS_LISTED_KIND "c.relkind" EQ "ANY ('{r,p,v,m,f}'::pg_catalog.\"char\"[])"

#define FROM_RELATIONS \
	" FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace" EQ "n.oid"

#define IN_SCHEMA \
	" WHERE n.nspname" EQ "$1" TEXT " AND " NOT_TEMPORARY " AND " IS_LISTED_KIND " AND " HAS_SOME_PRIVILEGE

/*
 * A column that older versions do not have: within the subquery its name means the
 * catalog's column, and where there is none, this one.
 */
#define OR_MISSING(column, type) " CROSS JOIN (SELECT NULL" type " AS " column ") AS missing"

/*
 * Free text, with some 64 kB at most in whatever encoding it is sent.  One byte
 * more tells the receiver to cut and mark it (listing.c); what is not ASCII is
 * cut earlier, and marked here.  What is short in bytes is so in characters, which
 * cannot be counted in text that is not valid.
 */
#define CUT(text) \
	"CASE WHEN pg_catalog.octet_length(" text ") OPERATOR(pg_catalog.<=) 16384" \
	" OR pg_catalog.length(" text ") OPERATOR(pg_catalog.<=) 16384 THEN " text \
	" WHEN pg_catalog.left(" text ", 65537) OPERATOR(pg_catalog.!~) '[^\\x01-\\x7F]'" \
	" THEN pg_catalog.left(" text ", 65537)" \
	" ELSE pg_catalog.concat(pg_catalog.left(" text ", 16384), '...') END"

/*
 * A subquery, not a join: where nothing was analyzed yet, the planner takes
 * pg_description for nearly empty and joins it in quadratic time.
 */
#define COMMENT_ON(relation, number) \
	"(SELECT " CUT("ds.description") " FROM pg_catalog.pg_description ds WHERE ds.objoid" EQ relation \
	" AND ds.classoid" EQ "'pg_catalog.pg_class'" REGCLASS " AND ds.objsubid" EQ number ")"

/* The rule of information_schema.columns. */
#define MAY_SEE_COLUMN \
	"(pg_catalog.pg_has_role(c.relowner, 'USAGE') OR pg_catalog.has_column_privilege(c.oid," \
	" a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))"
/* clang-format on */

#endif /* DQDS_CATALOG_SQL_H */
