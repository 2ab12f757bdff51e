/*
 * clickhouse_sql.c
 *		The queries of the catalog of ClickHouse.
 *
 * Strings are compared and sorted by their bytes there.  A value is a literal in which quotes
 * and backslashes are escaped; it has no other special characters.
 */
#include <string.h>

#include "clickhouse.h"

#define SYSTEM_DATABASES "('system', 'information_schema', 'INFORMATION_SCHEMA')"

/* The tables behind materialized views are not the users'. */
#define NOT_INNER(name) "NOT match(" name ", '^[.]inner(_id)?[.]')"

/* Engines whose rows are elsewhere, and not in a ClickHouse. */
#define FOREIGN_ENGINES                                                                            \
	"('MySQL', 'PostgreSQL', 'MaterializedPostgreSQL', 'MongoDB', 'Redis', 'SQLite', 'ODBC', "     \
	"'JDBC', 'URL', 'S3', 'S3Queue', 'GCS', 'COSN', 'OSS', 'HDFS', 'AzureBlobStorage', "           \
	"'AzureQueue', 'Hive', 'Iceberg', 'IcebergS3', 'IcebergAzure', 'IcebergLocal', 'DeltaLake', "  \
	"'Hudi', 'Kafka', 'RabbitMQ', 'NATS', 'ArrowFlight', 'YTsaurus')"
#define KIND                                                                                       \
	"multiIf(engine = 'MaterializedView', 'materialized_view', engine LIKE '%View', 'view', "      \
	"engine IN " FOREIGN_ENGINES ", 'foreign_table', 'table')"
#define IF_NO_VIEW(value) "if(engine LIKE '%View', NULL, " value ")"

/* What later columns are called is learnt at the login. */
static const struct
{
	const char *table;
	const char *name;
	size_t place;
} learnt[] = {
	{"tables", "total_rows", offsetof(ClickhouseDialect, counts)},
	{"tables", "total_bytes", offsetof(ClickhouseDialect, sizes)},
	{"tables", "comment", offsetof(ClickhouseDialect, comments)},
	{"columns", "position", offsetof(ClickhouseDialect, places)},
	{"columns", "comment", offsetof(ClickhouseDialect, column_comments)},
	{"columns", "is_in_primary_key", offsetof(ClickhouseDialect, keys)},
};

/* The server has this column in this table of its database system. */
void
clickhouse_learn(ClickhouseDialect *dialect, const char *table, const char *name)
{
	for (size_t i = 0; i < sizeof(learnt) / sizeof(learnt[0]); i++)
		if (strcmp(learnt[i].table, table) == 0 && strcmp(learnt[i].name, name) == 0)
			*(bool *) ((char *) dialect + learnt[i].place) = true;
}

/* ---- pieces -------------------------------------------------------------------------------------- */

void
clickhouse_add_value(Text *sql, const char *value)
{
	text_add(sql, "'");
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			text_add(sql, "\\");
		text_add_bytes(sql, value, 1);
	}
	text_add(sql, "'");
}

/* An empty piece of a name is in every one, which not every version knows. */
static void
add_filters(Text *sql, const Ask *ask)
{
	if (ask->values[1] != NULL && *ask->values[1] != '\0')
	{
		text_add(sql, " AND position(name, ");
		clickhouse_add_value(sql, ask->values[1]);
		text_add(sql, ") > 0");
	}
	if (ask->values[4] != NULL && *ask->values[4] != '\0')
	{
		text_add(sql, " AND position(name, ");
		clickhouse_add_value(sql, ask->values[4]);
		text_add(sql, ") = 0");
	}
}

static void
add_tables(Text *sql, const Ask *ask)
{
	text_add(sql, " FROM system.tables WHERE is_temporary = 0 AND " NOT_INNER("name"));
	if (ask->question != QUESTION_ALL_TABLES)
	{
		text_add(sql, " AND database = ");
		clickhouse_add_value(sql, ask->values[0]);
	}
	else if (!value_is_true(ask->values[0]))
		text_add(sql, " AND database NOT IN " SYSTEM_DATABASES);
	add_filters(sql, ask);
}

static void
add_named_tables(Text *sql, const char *literal)
{
	size_t count;
	char **names = names_parse(literal, &count);

	text_add(sql, " AND table IN (''");
	for (size_t i = 0; i < count; i++)
	{
		text_add(sql, ", ");
		clickhouse_add_value(sql, names[i]);
	}
	text_add(sql, ")");
	names_free(names);
}

/* ---- queries --------------------------------------------------------------------------------------- */

static void
write_schemas(Text *sql, const Ask *ask)
{
	text_add(sql, "SELECT name FROM system.databases");
	if (!value_is_true(ask->values[0]))
		text_add(sql, " WHERE name NOT IN " SYSTEM_DATABASES);
	text_add(sql, " ORDER BY name");
}

static void
write_tables(Text *sql, const Ask *ask, const ClickhouseDialect *dialect)
{
	bool all = ask->question == QUESTION_ALL_TABLES;

	text_add(sql, all ? "SELECT database, name" : "SELECT name");
	if (ask->question != QUESTION_TABLE_NAMES)
	{
		text_add(sql, ", " KIND ", ");
		text_add(sql, dialect->counts ? IF_NO_VIEW("total_rows") ", " : "NULL, ");
		text_add(sql, dialect->comments ? "nullIf(comment, '')" : "NULL");
	}
	if (all || ask->question == QUESTION_TABLE_DETAILS)
	{
		text_add(sql, ", NULL, NULL, ");
		text_add(sql, dialect->sizes && value_is_true(ask->values[5]) ? IF_NO_VIEW("total_bytes")
																	  : "NULL");
	}
	add_tables(sql, ask);
	text_add(sql, all ? " ORDER BY database, name" : " ORDER BY name");
	if (ask->values[2] != NULL)
		text_addf(sql, " LIMIT %s", ask->values[2]);
}

/* The columns of system.columns under the names that write_columns gives them. */
static void
add_columns(Text *sql, const Ask *ask, const ClickhouseDialect *dialect)
{
	const char *comment = dialect->column_comments ? "comment" : "''";
	const char *key = dialect->keys ? "is_in_primary_key" : "0";

	/* Without their places, they come in their order. */
	if (dialect->places)
		text_addf(sql,
				  "SELECT table AS t, position AS p, name AS n, type AS y, %s AS k, %s AS c, "
				  "default_kind AS d, default_expression AS e",
				  key, comment);
	else
		text_addf(sql,
				  "SELECT table AS t, groupArray(name) AS ns, groupArray(type) AS ys, "
				  "groupArray(%s) AS ks, groupArray(%s) AS cs, groupArray(default_kind) AS ds, "
				  "groupArray(default_expression) AS es",
				  key, comment);
	text_add(sql, " FROM system.columns WHERE " NOT_INNER("table") " AND database = ");
	clickhouse_add_value(sql, ask->values[0]);
	if (ask->values[1] != NULL)
		add_named_tables(sql, ask->values[1]);
	if (!dialect->places)
		text_add(sql, " GROUP BY table");
}

/* clickhouse_columns.c makes answers of these rows. */
static void
write_columns(Text *sql, const Ask *ask, const ClickhouseDialect *dialect)
{
	text_add(sql, "SELECT t, p, n, y, k, c, d, e FROM (");
	add_columns(sql, ask, dialect);
	text_add(sql, ")");
	if (!dialect->places)
		text_add(sql, " ARRAY JOIN arrayEnumerate(ns) AS p, ns AS n, ys AS y, ks AS k, cs AS c, "
					  "ds AS d, es AS e");
	text_add(sql, " ORDER BY t, p");
}

static void
write_overview(Text *sql)
{
	text_add(sql, "SELECT NULL, NULL,"
				  " (SELECT count() FROM system.databases WHERE name NOT IN " SYSTEM_DATABASES
				  ") AS databases, databases,"
				  " (SELECT count() FROM system.tables WHERE is_temporary = 0 AND " NOT_INNER(
					  "name") " AND database NOT IN " SYSTEM_DATABASES ")");
}

bool
clickhouse_is_about_columns(Question question)
{
	return question == QUESTION_COLUMNS || question == QUESTION_COLUMNS_OF ||
		   question == QUESTION_COLUMN_DETAILS || question == QUESTION_COLUMN_DETAILS_OF;
}

/* Write the query of a question. */
void
clickhouse_write(Text *sql, const Ask *ask, const ClickhouseDialect *dialect)
{
	if (clickhouse_is_about_columns(ask->question))
		write_columns(sql, ask, dialect);
	else if (ask->question == QUESTION_SCHEMAS || ask->question == QUESTION_SCHEMA_DETAILS)
		write_schemas(sql, ask);
	else if (ask->question == QUESTION_OVERVIEW)
		write_overview(sql);
	else if (ask->question == QUESTION_PROBE)
		text_add(sql, "SELECT 1");
	else
		write_tables(sql, ask, dialect);
}
