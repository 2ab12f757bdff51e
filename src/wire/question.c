/*
 * question.c
 *		Which values the answer to a question consists of, whatever remote gives it.
 *
 * The columns of each answer, in their order:
 *	PROBE			backend pid
 *	SCHEMAS			schema
 *	SCHEMA_DETAILS	and: extension
 *	TABLE_NAMES		table
 *	TABLES			table, kind, estimated rows, comment
 *	TABLE_DETAILS	and: partition of, owner, size, extension, can select
 *	ALL_TABLES		schema, and the same
 *	COLUMNS			(of imports) table, ordinal, column, type, length, precision, scale, nullable, primary key, comment
 *	COLUMN_DETAILS	and: full type, base type, enum labels, default, generated, identity, unique,
 *					position in the primary key, collation
 *	CONSTRAINTS		table, constraint, type, columns, referenced schema, table and columns, definition
 *	INDEXES			table, index, method, unique, primary, valid, columns, included columns, predicate,
 *					definition
 *	VIEW_DEFINITION	view, a piece of its definition
 *	OVERVIEW		backend pid, in recovery, schemas, usable schemas, tables, readable tables
 *
 * A value is added at the end of an answer: here and in question.h; in the queries of every
 * kind of server (postgres/columns_sql.h, tables_sql.h, keys_sql.h and other_sql.h, with NULL
 * from nulls_sql.h where a kind of server does not have it), and in those of the other wires;
 * and where it is shown, as a column of the SQL functions (functions/list_functions.c,
 * detail_functions.c) and as a member of the JSON for the bridge (list_json.c for schemas and
 * tables, detail_functions.c for columns, constraints and indexes).  The result of an SQL
 * function is declared in the install script and in the upgrade script;
 * functions/old_functions.c says when its C function needs a new name.
 */
#include "postgres.h"

#include "wire/question.h"

#define TABLE_LIST ANSWER_NAME, ANSWER_TEXT, ANSWER_BIGINT, ANSWER_TEXT
#define TABLE_DETAIL_LIST                                                                          \
	TABLE_LIST, ANSWER_TEXT, ANSWER_TEXT, ANSWER_BIGINT, ANSWER_TEXT, ANSWER_BOOLEAN
#define COLUMN_LIST                                                                                \
	ANSWER_NAME, ANSWER_POSITION, ANSWER_NAME, ANSWER_TEXT, ANSWER_INTEGER, ANSWER_INTEGER,        \
		ANSWER_INTEGER, ANSWER_BOOLEAN, ANSWER_BOOLEAN, ANSWER_TEXT
#define COLUMN_DETAIL_LIST                                                                         \
	COLUMN_LIST, ANSWER_TEXT, ANSWER_TEXT, ANSWER_TEXT_ARRAY, ANSWER_TEXT, ANSWER_TEXT,            \
		ANSWER_TEXT, ANSWER_BOOLEAN, ANSWER_INTEGER, ANSWER_TEXT
#define CONSTRAINT_LIST                                                                            \
	ANSWER_NAME, ANSWER_NAME, ANSWER_TEXT, ANSWER_TEXT_ARRAY, ANSWER_TEXT, ANSWER_TEXT,            \
		ANSWER_TEXT_ARRAY, ANSWER_TEXT
#define INDEX_LIST                                                                                 \
	ANSWER_NAME, ANSWER_NAME, ANSWER_TEXT, ANSWER_BOOLEAN, ANSWER_BOOLEAN, ANSWER_BOOLEAN,         \
		ANSWER_TEXT_ARRAY, ANSWER_TEXT_ARRAY, ANSWER_TEXT, ANSWER_TEXT

#define LENGTH(...) (sizeof((const AnswerValue[]){__VA_ARGS__}) / sizeof(AnswerValue))
#define SHAPE(...)                                                                                 \
	{                                                                                              \
		LENGTH(__VA_ARGS__),                                                                       \
		{                                                                                          \
			__VA_ARGS__                                                                            \
		}                                                                                          \
	}

StaticAssertDecl(LENGTH(TABLE_LIST) == TABLE_VALUES, "TABLE_VALUES");
StaticAssertDecl(LENGTH(TABLE_DETAIL_LIST) == TABLE_DETAIL_VALUES, "TABLE_DETAIL_VALUES");
StaticAssertDecl(LENGTH(COLUMN_LIST) == COLUMN_VALUES, "COLUMN_VALUES");
StaticAssertDecl(LENGTH(COLUMN_DETAIL_LIST) == COLUMN_DETAIL_VALUES, "COLUMN_DETAIL_VALUES");
StaticAssertDecl(LENGTH(CONSTRAINT_LIST) == CONSTRAINT_VALUES, "CONSTRAINT_VALUES");
StaticAssertDecl(LENGTH(INDEX_LIST) == INDEX_VALUES, "INDEX_VALUES");

static const AnswerShape answers[NUM_QUESTIONS] = {
	[QUESTION_PROBE] = SHAPE(ANSWER_INTEGER),
	[QUESTION_SCHEMAS] = SHAPE(ANSWER_NAME),
	[QUESTION_SCHEMA_DETAILS] = SHAPE(ANSWER_NAME, ANSWER_TEXT),
	[QUESTION_TABLE_NAMES] = SHAPE(ANSWER_NAME),
	[QUESTION_TABLES] = SHAPE(TABLE_LIST),
	[QUESTION_TABLE_DETAILS] = SHAPE(TABLE_DETAIL_LIST),
	[QUESTION_ALL_TABLES] = SHAPE(ANSWER_NAME, TABLE_DETAIL_LIST),
	[QUESTION_COLUMNS] = SHAPE(COLUMN_LIST),
	[QUESTION_COLUMNS_OF] = SHAPE(COLUMN_LIST),
	[QUESTION_COLUMN_DETAILS] = SHAPE(COLUMN_DETAIL_LIST),
	[QUESTION_COLUMN_DETAILS_OF] = SHAPE(COLUMN_DETAIL_LIST),
	[QUESTION_CONSTRAINTS] = SHAPE(CONSTRAINT_LIST),
	[QUESTION_INDEXES] = SHAPE(INDEX_LIST),
	[QUESTION_VIEW_DEFINITION] = SHAPE(ANSWER_NAME, ANSWER_TEXT),
	[QUESTION_OVERVIEW] = SHAPE(ANSWER_INTEGER, ANSWER_BOOLEAN, ANSWER_BIGINT, ANSWER_BIGINT,
								ANSWER_BIGINT, ANSWER_BIGINT),
};

/* The columns of the answer to a question: static memory. */
const AnswerShape *
question_answer(Question question)
{
	return &answers[question];
}
