/*
 * mysql_sql.c
 *		The queries of the catalogs of MySQL and MariaDB.
 *
 * Values are written as _utf8mb4 x'...', which both read alike whatever their sql_mode and
 * character sets.  Names are compared and sorted by their bytes: information_schema compares
 * them without regard to case.  It also compares in three-byte UTF-8, in which no name has a
 * character beyond the basic plane, so nothing is asked for one that has.
 *
 * Each query has a limit of time of its own, which holds if no one is left to cancel it.
 */
#include <stdio.h>

#include "mysql_link.h"

#define GRACE_MS 2000 /* over the backend's own deadline */

#define SYSTEM_SCHEMAS "('information_schema','performance_schema','mysql','sys')"
#define BYTES_OF(name) "CONVERT(" name " USING binary)"

/* A partition is no table of its own here, so a partitioned table is one like others. */
#define KIND "CASE WHEN table_type LIKE '%VIEW' THEN 'view' ELSE 'table' END"

/* Of a view the comment is the word VIEW, or what is wrong with it. */
#define COMMENT "CASE WHEN table_type LIKE '%VIEW' THEN NULL ELSE NULLIF(table_comment, '') END"

/*
 * Most engines only estimate.  What was never counted has no rows there either, and each of a
 * table's partitions, which are 8192 at most, has one at least.
 */
#define IS_COUNTED "engine IN ('MyISAM', 'Aria', 'MEMORY', 'CSV')"
#define ROWS                                                                                       \
	"CASE WHEN table_type LIKE '%VIEW' OR (NOT " IS_COUNTED " AND (table_rows = 0"                 \
	" OR (table_rows <= 8192 AND create_options LIKE '%partitioned%'))) THEN NULL"                 \
	" ELSE table_rows END"
#define SIZE "CASE WHEN table_type LIKE '%VIEW' THEN NULL ELSE data_length + index_length END"

/* partition of, owner, size, extension, can select */
#define DETAILS(size) ", NULL, NULL, " size ", NULL, NULL"

#define IS_DECIMAL "data_type = 'decimal'"
#define COLUMNS                                                                                    \
	"table_name, ordinal_position, column_name, data_type, character_maximum_length,"              \
	" CASE WHEN " IS_DECIMAL " THEN numeric_precision END,"                                        \
	" CASE WHEN " IS_DECIMAL " THEN numeric_scale END,"                                            \
	" is_nullable <> 'NO', column_key = 'PRI', NULLIF(column_comment, '')"
#define COLUMN_DETAILS                                                                             \
	", column_type, NULL, NULL,"                                                                   \
	" CASE WHEN extra LIKE '%GENERATED%' AND extra NOT LIKE '%DEFAULT_GENERATED%' THEN NULL"       \
	" ELSE column_default END,"                                                                    \
	" CASE WHEN extra LIKE '%VIRTUAL GENERATED%' THEN 'virtual'"                                   \
	" WHEN extra LIKE '%STORED GENERATED%' OR extra LIKE '%PERSISTENT%' THEN 'stored' END,"        \
	" CASE WHEN extra LIKE '%auto_increment%' THEN 'by default' END,"                              \
	" CASE WHEN column_key = 'UNI' THEN TRUE END, NULL, collation_name"

/* ---- pieces ------------------------------------------------------------------------------------- */

static void
add_value(Text *sql, const char *value)
{
	text_add(sql, "_utf8mb4 x'");
	text_add_hex(sql, value);
	text_add(sql, "'");
}

static void
add_bytes(Text *sql, const char *value)
{
	text_add(sql, "x'");
	text_add_hex(sql, value);
	text_add(sql, "'");
}

/* What every query begins with: SELECT, and its limit of time. */
static void
begin(Text *sql, const Ask *ask, const MysqlDialect *dialect)
{
	int ms = ask->timeout_ms + GRACE_MS;

	if (dialect->is_mariadb)
		text_addf(sql, "SET STATEMENT max_statement_time=%d.%03d FOR SELECT ", ms / 1000,
				  ms % 1000);
	else
		text_addf(sql, "SELECT /*+ MAX_EXECUTION_TIME(%d) */ ", ms);
}

/* Without regard to case as well: that condition has an index. */
static void
add_schema(Text *sql, const char *schema)
{
	text_add(sql, "table_schema = ");
	add_value(sql, schema);
	text_add(sql, " AND " BYTES_OF("table_schema") " = ");
	add_bytes(sql, schema);
}

static void
add_tables(Text *sql, const Ask *ask, bool sequences)
{
	text_add(sql, " FROM information_schema.tables WHERE ");
	if (!sequences)
		text_add(sql, "table_type <> 'SEQUENCE' AND ");
	if (ask->question != QUESTION_ALL_TABLES)
		add_schema(sql, ask->values[0]);
	else
		text_add(sql,
				 value_is_true(ask->values[0]) ? "TRUE" : "table_schema NOT IN " SYSTEM_SCHEMAS);
	for (int i = 1; i <= 4; i += 3)
		if (ask->values[i] != NULL)
		{
			text_add(sql, i == 1 ? " AND INSTR(" BYTES_OF("table_name") ", "
								 : " AND NOT INSTR(" BYTES_OF("table_name") ", ");
			add_bytes(sql, ask->values[i]);
			text_add(sql, ")");
		}
}

static void
add_named_tables(Text *sql, const char *literal)
{
	size_t count;
	char **names = names_parse(literal, &count);
	const char *comma = "";

	text_add(sql, " AND table_name IN (");
	for (size_t i = 0; i < count; i++)
		if (text_is_basic(names[i]))
		{
			text_add(sql, comma);
			add_value(sql, names[i]);
			comma = ", ";
		}
	text_add(sql, *comma == '\0' ? "NULL)" : ")");
	names_free(names);
}

static void
add_limit(Text *sql, const char *limit)
{
	if (limit != NULL)
		text_addf(sql, " LIMIT %s", limit);
}

/* ---- queries -------------------------------------------------------------------------------------- */

static void
write_schemas(Text *sql, const Ask *ask)
{
	text_add(sql, ask->question == QUESTION_SCHEMAS ? "schema_name" : "schema_name, NULL");
	text_add(sql, " FROM information_schema.schemata");
	if (!value_is_true(ask->values[0]))
		text_add(sql, " WHERE schema_name NOT IN " SYSTEM_SCHEMAS);
	text_add(sql, " ORDER BY " BYTES_OF("schema_name"));
}

static void
write_tables(Text *sql, const Ask *ask, const MysqlDialect *dialect)
{
	bool all = ask->question == QUESTION_ALL_TABLES;

	text_add(sql, all ? "table_schema, table_name" : "table_name");
	if (ask->question != QUESTION_TABLE_NAMES)
		text_add(sql, dialect->estimates ? ", " KIND ", " ROWS ", " COMMENT
										 : ", " KIND ", NULL, " COMMENT);
	if (all || ask->question == QUESTION_TABLE_DETAILS)
		text_add(sql, dialect->estimates && value_is_true(ask->values[5]) ? DETAILS(SIZE)
																		  : DETAILS("NULL"));
	add_tables(sql, ask, false);
	text_add(sql, " ORDER BY ");
	if (all)
		text_add(sql, BYTES_OF("table_schema") ", ");
	text_add(sql, BYTES_OF("table_name"));
	add_limit(sql, ask->values[2]);
}

static void
write_columns(Text *sql, const Ask *ask)
{
	bool details =
		ask->question == QUESTION_COLUMN_DETAILS || ask->question == QUESTION_COLUMN_DETAILS_OF;

	text_add(sql, details ? COLUMNS COLUMN_DETAILS : COLUMNS);
	text_add(sql, " FROM information_schema.columns WHERE ");
	add_schema(sql, ask->values[0]);
	if (ask->values[1] != NULL)
		add_named_tables(sql, ask->values[1]);
	text_add(sql, " ORDER BY " BYTES_OF("table_name") ", ordinal_position");
}

/* Tables that are seen are those that the user has some privilege on: which can be read is not told. */
static void
write_overview(Text *sql)
{
	text_add(
		sql,
		"CONNECTION_ID(), NULL,"
		" (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name NOT "
		"IN " SYSTEM_SCHEMAS "),"
		" (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name NOT "
		"IN " SYSTEM_SCHEMAS "),"
		" (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema NOT IN " SYSTEM_SCHEMAS
		" AND table_type <> 'SEQUENCE'), NULL");
}

/* Can the schema that is asked about exist? */
bool
mysql_may_exist(const Ask *ask)
{
	return ask->question == QUESTION_PROBE || ask->question == QUESTION_OVERVIEW ||
		   ask->values[0] == NULL || text_is_basic(ask->values[0]);
}

/* Write the query of a question; false: there can be no rows, so there is none. */
bool
mysql_write(Text *sql, const Ask *ask, const MysqlDialect *dialect)
{
	if (!mysql_may_exist(ask))
		return false;
	begin(sql, ask, dialect);
	switch (ask->question)
	{
		case QUESTION_PROBE:
			text_add(sql, "CONNECTION_ID()");
			return true;
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			write_schemas(sql, ask);
			return true;
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
		case QUESTION_TABLE_DETAILS:
		case QUESTION_ALL_TABLES:
			write_tables(sql, ask, dialect);
			return true;
		case QUESTION_COLUMNS:
		case QUESTION_COLUMNS_OF:
		case QUESTION_COLUMN_DETAILS:
		case QUESTION_COLUMN_DETAILS_OF:
			write_columns(sql, ask);
			return true;
		case QUESTION_OVERVIEW:
			write_overview(sql);
			return true;
		default:
			return false;
	}
}

/*
 * Count the tables that a question about tables, for which mysql_write writes a query, finds in
 * MariaDB, up to a limit.  Sequences count: to tell them from tables the server opens each.
 */
void
mysql_write_count(Text *sql, const Ask *ask, int limit)
{
	const MysqlDialect dialect = {.is_mariadb = true};
	int asked = limit;

	begin(sql, ask, &dialect);
	if (ask->values[2] != NULL && sscanf(ask->values[2], "%d", &asked) == 1 && asked < limit)
		limit = asked;
	text_add(sql, "COUNT(*) FROM (SELECT 1");
	add_tables(sql, ask, true);
	text_addf(sql, " LIMIT %d) AS found", limit);
}
