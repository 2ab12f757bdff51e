/*
 * snowflake_sql.c
 *		Writes the statements that Snowflake is asked: they read the information schema.
 *
 * Values are bound, never written.  Snowflake hands on long results in parts that are
 * compressed, which is not taken from a server; a statement that has more rows than the first
 * part is asked again for those behind the last one, so each is ordered by a key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snowflake.h"

#define NOT_SYSTEM "<> 'INFORMATION_SCHEMA'"

#define IS_VIEW "table_type LIKE '%VIEW'"
#define KIND                                                                                       \
	"CASE WHEN table_type = 'MATERIALIZED VIEW' THEN 'materialized_view' WHEN " IS_VIEW            \
	" THEN 'view' WHEN table_type = 'EXTERNAL TABLE' THEN 'foreign_table' ELSE 'table' END"
#define TABLE                                                                                      \
	"table_name, " KIND ", CASE WHEN " IS_VIEW " THEN NULL ELSE row_count END, NULLIF(comment, "   \
	"'')"
#define DETAILS    ", NULL, table_owner, "
#define SIZE       "CASE WHEN " IS_VIEW " THEN NULL ELSE bytes END"
#define IS_DECIMAL "data_type = 'NUMBER'"
#define COLUMN                                                                                     \
	"table_name, ordinal_position, column_name, data_type, character_maximum_length,"              \
	" CASE WHEN " IS_DECIMAL " THEN numeric_precision END,"                                        \
	" CASE WHEN " IS_DECIMAL " THEN numeric_scale END,"                                            \
	" is_nullable = 'YES', NULL, NULLIF(comment, '')"
#define COLUMN_DETAILS                                                                             \
	", NULL, NULL, NULL, column_default, NULL,"                                                    \
	" CASE WHEN is_identity = 'YES' THEN 'by default' END, NULL, NULL, collation_name"

/* Add a name in double quotes: one that is written without them means capitals, as in SQL. */
void
snowflake_add_name(Text *text, const char *written)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$";
	size_t length = strlen(written);

	if (length >= 2 && written[0] == '"' && written[length - 1] == '"')
	{
		text_add_bytes(text, written + 1, length - 2);
		return;
	}
	if (strspn(written, plain) != length || strchr("0123456789$", written[0]) != NULL)
	{
		text_add(text, written);
		return;
	}
	for (; *written != '\0'; written++)
	{
		char capital = *written >= 'a' && *written <= 'z' ? *written - 'a' + 'A' : *written;

		text_add_bytes(text, &capital, 1);
	}
}

/* Bind the value of the next question mark. */
void
snowflake_bind(SnowflakeStatement *statement, const char *value)
{
	char place[16];

	if (statement->bindings == NULL)
		statement->bindings = json_object();
	snprintf(place, sizeof(place), "%zu", json_object_size(statement->bindings) + 1);
	(void) json_object_set_new(statement->bindings, place,
							   json_pack("{s:s, s:s}", "type", "TEXT", "value", value));
}

static void
add_filters(SnowflakeStatement *statement, const Ask *ask)
{
	if (ask->question != QUESTION_ALL_TABLES)
	{
		text_add(&statement->sql, " WHERE table_schema = ?");
		snowflake_bind(statement, ask->values[0]);
	}
	else
		text_add(&statement->sql,
				 value_is_true(ask->values[0]) ? " WHERE TRUE" : " WHERE table_schema " NOT_SYSTEM);
	for (int i = 1; i <= 4; i += 3)
		if (ask->values[i] != NULL)
		{
			text_add(&statement->sql,
					 i == 1 ? " AND CONTAINS(table_name, ?)" : " AND NOT CONTAINS(table_name, ?)");
			snowflake_bind(statement, ask->values[i]);
		}
}

static void
write_tables(SnowflakeStatement *statement, const Ask *ask)
{
	bool all = ask->question == QUESTION_ALL_TABLES;
	bool details = all || ask->question == QUESTION_TABLE_DETAILS;

	text_addf(&statement->sql, "SELECT %s%s", all ? "table_schema, " : "",
			  ask->question == QUESTION_TABLE_NAMES ? "table_name" : TABLE);
	if (details)
		text_addf(&statement->sql, DETAILS "%s", value_is_true(ask->values[5]) ? SIZE : "NULL");
	text_add(&statement->sql, " FROM information_schema.tables");
	add_filters(statement, ask);
	statement->nkeys = all ? 2 : 1;
	statement->key_columns[0] = all ? "table_schema" : "table_name";
	statement->key_columns[1] = "table_name";
	statement->order = all ? " ORDER BY table_schema, table_name" : " ORDER BY table_name";
}

static void
add_named_tables(SnowflakeStatement *statement, const char *literal)
{
	size_t count;
	char **names = names_parse(literal, &count);

	text_add(&statement->sql, " AND table_name IN (");
	for (size_t i = 0; i < count; i++)
	{
		text_add(&statement->sql, i == 0 ? "?" : ", ?");
		snowflake_bind(statement, names[i]);
	}
	text_add(&statement->sql, count == 0 ? "NULL)" : ")");
	names_free(names);
}

static void
write_columns(SnowflakeStatement *statement, const Ask *ask)
{
	text_add(&statement->sql, cloud_is_about_details(ask->question)
								  ? "SELECT " COLUMN COLUMN_DETAILS
								  : "SELECT " COLUMN);
	text_add(&statement->sql, " FROM information_schema.columns WHERE table_schema = ?");
	snowflake_bind(statement, ask->values[0]);
	if (ask->values[1] != NULL)
		add_named_tables(statement, ask->values[1]);
	statement->nkeys = 2;
	statement->key_columns[0] = "table_name";
	statement->key_columns[1] = "ordinal_position";
	statement->order = " ORDER BY table_name, ordinal_position";
}

static void
write_schemas(SnowflakeStatement *statement, const Ask *ask)
{
	text_addf(&statement->sql, "SELECT schema_name FROM information_schema.schemata WHERE %s",
			  value_is_true(ask->values[0]) ? "TRUE" : "schema_name " NOT_SYSTEM);
	statement->nkeys = 1;
	statement->key_columns[0] = "schema_name";
	statement->order = " ORDER BY schema_name";
}

/* Write the statement of a question into an empty one, which is the caller's to free. */
void
snowflake_write(SnowflakeStatement *statement, const Ask *ask)
{
	statement->order = "";
	switch (ask->question)
	{
		case QUESTION_PROBE:
			/* In a database that is not there, a statement runs as well. */
			text_add(&statement->sql, "SELECT 1 FROM information_schema.schemata LIMIT 1");
			break;
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			write_schemas(statement, ask);
			break;
		case QUESTION_OVERVIEW:
			text_add(
				&statement->sql,
				"SELECT NULL, NULL, (SELECT COUNT(*) FROM information_schema.schemata WHERE "
				"schema_name " NOT_SYSTEM "), (SELECT COUNT(*) FROM information_schema.schemata "
				"WHERE schema_name " NOT_SYSTEM
				"), (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema " NOT_SYSTEM
				")");
			break;
		case QUESTION_TABLE_NAMES:
		case QUESTION_TABLES:
		case QUESTION_TABLE_DETAILS:
		case QUESTION_ALL_TABLES:
			write_tables(statement, ask);
			break;
		default:
			write_columns(statement, ask);
	}
}

/* Have the statement begin behind the row with these keys; it was written again. */
void
snowflake_go_on(SnowflakeStatement *statement, char *const *last)
{
	const char *const *columns = statement->key_columns;
	const char *second =
		statement->nkeys == 2 && strcmp(columns[1], "ordinal_position") == 0 ? "TO_NUMBER(?)" : "?";

	text_addf(&statement->sql, " AND (%s > ?", columns[0]);
	snowflake_bind(statement, last[0]);
	if (statement->nkeys == 2)
	{
		text_addf(&statement->sql, " OR (%s = ? AND %s > %s)", columns[0], columns[1], second);
		snowflake_bind(statement, last[0]);
		snowflake_bind(statement, last[1]);
	}
	text_add(&statement->sql, ")");
}

void
snowflake_free(SnowflakeStatement *statement)
{
	text_free(&statement->sql);
	json_decref(statement->bindings);
	*statement = (SnowflakeStatement){0};
}
