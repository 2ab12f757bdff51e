/*
 * other_sql.h
 *		The catalog queries for servers that are not PostgreSQL: Redshift and QuestDB.
 *
 * Included by dialect.c only.  wire/question.c says what their answers hold.
 */
#ifndef DQDS_OTHER_SQL_H
#define DQDS_OTHER_SQL_H

#include "postgres/nulls_sql.h"
#include "wire/question.h"

/* clang-format off */
/* ---- Redshift ---------------------------------------------------------------------- */

/*
 * From its documentation: a descendant of PostgreSQL 8.0 with views of its own,
 * which show only what the user may access, external tables included.
 */
#define REDSHIFT_IS_USER_SCHEMA(name) \
	"($1::boolean OR (" name " NOT LIKE 'pg!_%' ESCAPE '!' AND " name " <> 'information_schema'))"

#define REDSHIFT_SCHEMAS(more) \
	"SELECT nspname" more " FROM pg_namespace WHERE has_schema_privilege(nspname, 'USAGE')" \
	" AND nspname NOT LIKE 'pg!_temp!_%' ESCAPE '!' AND " REDSHIFT_IS_USER_SCHEMA("nspname") " ORDER BY nspname"

#define REDSHIFT_KIND \
	"CASE table_type WHEN 'VIEW' THEN 'view' WHEN 'MATERIALIZED VIEW' THEN 'materialized_view'" \
	" WHEN 'EXTERNAL TABLE' THEN 'foreign_table' ELSE 'table' END"

#define REDSHIFT_TABLES(more) \
	"SELECT table_name, " REDSHIFT_KIND ", NULL::bigint, remarks" more " FROM svv_tables" \
	" WHERE table_schema = $1::varchar ORDER BY table_name"

#define REDSHIFT_COLUMNS(more) \
	"SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length," \
	" CASE WHEN data_type = 'numeric' THEN numeric_precision END," \
	" CASE WHEN data_type = 'numeric' THEN numeric_scale END," \
	" is_nullable <> 'NO', false, remarks" more " FROM svv_columns" \
	" WHERE table_schema = $1::varchar ORDER BY table_name, ordinal_position"

#define REDSHIFT_QUERIES \
	[QUESTION_PROBE] = {"SELECT pg_backend_pid()", 0}, \
	[QUESTION_SCHEMAS] = {REDSHIFT_SCHEMAS(""), 1}, \
	[QUESTION_SCHEMA_DETAILS] = {REDSHIFT_SCHEMAS(", NULL"), 1}, \
	[QUESTION_TABLE_NAMES] = \
		{"SELECT table_name FROM svv_tables WHERE table_schema = $1::varchar ORDER BY table_name", 1}, \
	[QUESTION_TABLES] = {REDSHIFT_TABLES(""), 1}, \
	[QUESTION_TABLE_DETAILS] = {REDSHIFT_TABLES(NO_TABLE_DETAILS), 1}, \
	[QUESTION_ALL_TABLES] = \
		{"SELECT table_schema, table_name, " REDSHIFT_KIND ", NULL::bigint, remarks" NO_TABLE_DETAILS \
		 " FROM svv_tables WHERE " REDSHIFT_IS_USER_SCHEMA("table_schema") " ORDER BY table_schema, table_name", 1}, \
	[QUESTION_COLUMNS] = {REDSHIFT_COLUMNS(""), 1}, \
	[QUESTION_COLUMNS_OF] = {REDSHIFT_COLUMNS(""), 1}, \
	[QUESTION_COLUMN_DETAILS] = {REDSHIFT_COLUMNS(NO_COLUMN_DETAILS), 1}, \
	[QUESTION_COLUMN_DETAILS_OF] = {REDSHIFT_COLUMNS(NO_COLUMN_DETAILS), 1}, \
	[QUESTION_OVERVIEW] = {"SELECT NULL, NULL, NULL, NULL, NULL, NULL", 0}

/* ---- QuestDB ----------------------------------------------------------------------- */

/*
 * One schema, no privileges, and little of PostgreSQL's SQL: no COLLATE, no OPERATOR(),
 * no pg_backend_pid().  Its ordinal positions start at 0.  Its information_schema knows
 * neither all types nor what is a view; its own functions do, in newer versions.
 */
#define QUESTDB_SCHEMAS(more) \
	"SELECT nspname" more " FROM pg_catalog.pg_namespace WHERE ($1::text = 'true' OR nspname <> 'pg_catalog') ORDER BY nspname"

#define QUESTDB_KIND "CASE WHEN t.table_type = 'V' THEN 'view' WHEN t.table_type = 'M' THEN 'materialized_view' ELSE 'table' END"
#define QUESTDB_TABLES(first, more) \
	"SELECT " first "i.table_name, " QUESTDB_KIND ", t.table_row_count, NULL" more \
	" FROM information_schema.tables i LEFT JOIN tables() t ON t.table_name = i.table_name"
#define QUESTDB_OLD_TABLES(first, more) "SELECT " first "i.table_name, 'table', NULL, NULL" more " FROM information_schema.tables i"
#define QUESTDB_TABLES_IN(tables) tables " WHERE i.table_schema = $1::text ORDER BY i.table_name"
#define QUESTDB_ALL_TABLES(tables) \
	tables " WHERE ($1::text = 'true' OR i.table_schema <> 'pg_catalog') ORDER BY i.table_schema, i.table_name"

/* The type of DECIMAL(10,2) is DECIMAL; what is no number, as in GEOHASH(4c), is none where it is received. */
#define QUESTDB_COLUMNS(more) \
	"SELECT table_name, ordinal_position + 1, column_name, split_part(data_type, '(', 1), NULL," \
	" split_part(split_part(split_part(data_type, '(', 2), ')', 1), ',', 1)," \
	" split_part(split_part(split_part(data_type, '(', 2), ')', 1), ',', 2)," \
	" 'true', 'false', NULL" more " FROM information_schema.questdb_columns() WHERE table_schema = $1::text" \
	" ORDER BY table_name, ordinal_position"
#define QUESTDB_OLD_COLUMNS(more) \
	"SELECT table_name, ordinal_position + 1, column_name, data_type, NULL, NULL, NULL," \
	" 'true', 'false', NULL" more " FROM information_schema.columns WHERE table_schema = $1::text" \
	" ORDER BY table_name, ordinal_position"

#define ONLY_FULL_TYPE ", data_type" NO_COLUMN_DETAILS_BUT_TYPE

#define QUESTDB_QUERIES(tables, columns) \
	[QUESTION_PROBE] = {"SELECT 1", 0}, \
	[QUESTION_SCHEMAS] = {QUESTDB_SCHEMAS(""), 1}, \
	[QUESTION_SCHEMA_DETAILS] = {QUESTDB_SCHEMAS(", NULL"), 1}, \
	[QUESTION_TABLE_NAMES] = \
		{"SELECT table_name FROM information_schema.tables WHERE table_schema = $1::text ORDER BY table_name", 1}, \
	[QUESTION_TABLES] = {QUESTDB_TABLES_IN(tables("", "")), 1}, \
	[QUESTION_TABLE_DETAILS] = {QUESTDB_TABLES_IN(tables("", NO_TABLE_DETAILS)), 1}, \
	[QUESTION_ALL_TABLES] = {QUESTDB_ALL_TABLES(tables("i.table_schema, ", NO_TABLE_DETAILS)), 1}, \
	[QUESTION_COLUMNS] = {columns(""), 1}, \
	[QUESTION_COLUMNS_OF] = {columns(""), 1}, \
	[QUESTION_COLUMN_DETAILS] = {columns(ONLY_FULL_TYPE), 1}, \
	[QUESTION_COLUMN_DETAILS_OF] = {columns(ONLY_FULL_TYPE), 1}, \
	[QUESTION_OVERVIEW] = {"SELECT NULL, NULL, NULL, NULL, NULL, NULL", 0}
/* clang-format on */

#endif /* DQDS_OTHER_SQL_H */
