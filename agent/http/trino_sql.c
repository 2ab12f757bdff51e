/*
 * trino_sql.c
 *		The statements that ask Trino and Presto for their catalogs.
 *
 * Each catalog has an information_schema; comments, and which tables are materialized views,
 * stand in the catalog named system, and not in Presto's.  The engine compares and sorts strings by their
 * code points, which is the order of their bytes.  Quotes in values and names are doubled;
 * nothing else is special in them.
 */
#include "trino.h"

#define NOT_SYSTEM(name) name " <> 'information_schema'"

/* ---- pieces -------------------------------------------------------------------------------------- */

static void
add_from(Text *sql, const TrinoDialect *dialect, const char *view)
{
	text_add(sql, " FROM ");
	text_add_quoted(sql, dialect->catalog, '"');
	text_addf(sql, ".information_schema.%s", view);
}

static void
add_condition(Text *sql, const char *before, const char *value, const char *behind)
{
	text_add(sql, before);
	text_add_quoted(sql, value, '\'');
	text_add(sql, behind);
}

/* One of the tables of the catalog named system that tell more of tables. */
static void
add_join(Text *sql, const Ask *ask, const TrinoDialect *dialect, const char *view, const char *as,
		 const char *name)
{
	text_addf(sql, " LEFT JOIN (SELECT * FROM system.metadata.%s", view);
	add_condition(sql, " WHERE catalog_name = ", dialect->catalog, "");
	if (ask->question != QUESTION_ALL_TABLES)
		add_condition(sql, " AND schema_name = ", ask->values[0], "");
	text_addf(sql, ") AS %s ON %s.schema_name = t.table_schema AND %s.%s = t.table_name", as, as,
			  as, name);
}

static void
add_schemas(Text *sql, const Ask *ask)
{
	if (ask->question != QUESTION_ALL_TABLES)
		add_condition(sql, " WHERE t.table_schema = ", ask->values[0], "");
	else
		text_add(sql, value_is_true(ask->values[0]) ? " WHERE TRUE"
													: " WHERE " NOT_SYSTEM("t.table_schema"));
}

static void
add_named_tables(Text *sql, const char *literal)
{
	size_t count;
	char **names = names_parse(literal, &count);

	text_add(sql, " AND t.table_name IN (''");
	for (size_t i = 0; i < count; i++)
		add_condition(sql, ", ", names[i], "");
	text_add(sql, ")");
	names_free(names);
}

/* ---- statements ------------------------------------------------------------------------------------- */

static void
write_schemas(Text *sql, const Ask *ask, const TrinoDialect *dialect)
{
	text_add(sql, "SELECT t.schema_name");
	add_from(sql, dialect, "schemata t");
	if (!value_is_true(ask->values[0]))
		text_add(sql, " WHERE " NOT_SYSTEM("t.schema_name"));
	text_add(sql, " ORDER BY 1");
}

static void
write_tables(Text *sql, const Ask *ask, const TrinoDialect *dialect)
{
	bool all = ask->question == QUESTION_ALL_TABLES;
	bool more = ask->question != QUESTION_TABLE_NAMES;
	bool remarks = more && dialect->remarks;

	text_add(sql, all ? "SELECT t.table_schema, t.table_name" : "SELECT t.table_name");
	if (more)
		text_addf(sql,
				  ", CASE %sWHEN t.table_type LIKE '%%VIEW' THEN 'view' ELSE 'table' END, NULL, %s",
				  remarks ? "WHEN m.name IS NOT NULL THEN 'materialized_view' " : "",
				  remarks ? "NULLIF(c.comment, '')" : "NULL");
	add_from(sql, dialect, "tables t");
	if (remarks)
	{
		add_join(sql, ask, dialect, "table_comments", "c", "table_name");
		add_join(sql, ask, dialect, "materialized_views", "m", "name");
	}
	add_schemas(sql, ask);
	if (ask->values[1] != NULL)
		add_condition(sql, " AND strpos(t.table_name, ", ask->values[1], ") > 0");
	if (ask->values[4] != NULL && *ask->values[4] != '\0')
		add_condition(sql, " AND strpos(t.table_name, ", ask->values[4], ") = 0");
	text_add(sql, all ? " ORDER BY 1, 2" : " ORDER BY 1");
	if (ask->values[2] != NULL)
		text_addf(sql, " LIMIT %s", ask->values[2]);
}

/* trino_columns.c makes answers of these rows. */
static void
write_columns(Text *sql, const Ask *ask, const TrinoDialect *dialect)
{
	text_addf(sql,
			  "SELECT t.table_name, t.ordinal_position, t.column_name, t.data_type, "
			  "t.is_nullable, %s, t.column_default",
			  dialect->column_comments ? "t.comment" : "NULL");
	add_from(sql, dialect, "columns t");
	add_condition(sql, " WHERE t.table_schema = ", ask->values[0], "");
	if (ask->values[1] != NULL)
		add_named_tables(sql, ask->values[1]);
	text_add(sql, " ORDER BY 1, 2");
}

static void
write_overview(Text *sql, const TrinoDialect *dialect)
{
	text_add(sql, "SELECT NULL, NULL, s.n, s.n, t.n, NULL FROM (SELECT count(*) AS n");
	add_from(sql, dialect, "schemata");
	text_add(sql, " WHERE " NOT_SYSTEM("schema_name") ") s, (SELECT count(*) AS n");
	add_from(sql, dialect, "tables");
	text_add(sql, " WHERE " NOT_SYSTEM("table_schema") ") t");
}

bool
trino_is_about_columns(Question question)
{
	return question == QUESTION_COLUMNS || question == QUESTION_COLUMNS_OF ||
		   question == QUESTION_COLUMN_DETAILS || question == QUESTION_COLUMN_DETAILS_OF;
}

bool
trino_is_about_tables(Question question)
{
	return question == QUESTION_TABLES || question == QUESTION_TABLE_NAMES ||
		   question == QUESTION_TABLE_DETAILS || question == QUESTION_ALL_TABLES;
}

/* Write the statement that a login is: it fails without the catalog, and has no rows. */
void
trino_write_check(Text *sql, const TrinoDialect *dialect)
{
	text_add(sql, "SELECT 1");
	add_from(sql, dialect, "schemata");
	text_add(sql, " WHERE FALSE");
}

/* Write a statement that counts, up to a limit, the tables whose comments would be asked for. */
void
trino_write_count(Text *sql, const Ask *ask, const TrinoDialect *dialect, int limit)
{
	text_add(sql, "SELECT count(*) FROM (SELECT 1 AS n");
	add_from(sql, dialect, "tables t");
	add_schemas(sql, ask);
	text_addf(sql, " LIMIT %d) f", limit);
}

/* Write the statement of a question. */
void
trino_write(Text *sql, const Ask *ask, const TrinoDialect *dialect)
{
	if (trino_is_about_columns(ask->question))
		write_columns(sql, ask, dialect);
	else if (trino_is_about_tables(ask->question))
		write_tables(sql, ask, dialect);
	else if (ask->question == QUESTION_OVERVIEW)
		write_overview(sql, dialect);
	else if (ask->question == QUESTION_PROBE)
		text_add(sql, "SELECT 1");
	else
		write_schemas(sql, ask, dialect);
}
