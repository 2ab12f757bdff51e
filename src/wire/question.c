/*
 * question.c
 *		Of which values the answer to a question is, whatever remote gives it.
 *
 * The columns of each answer, in their order:
 *	PROBE			backend pid
 *	SCHEMAS			schema
 *	SCHEMA_DETAILS	and: extension
 *	TABLE_NAMES		table
 *	TABLES			table, kind, estimated rows, comment
 *	TABLE_DETAILS	and: partition of, owner, size, extension, can select
 *	ALL_TABLES		schema, and the same
 *	COLUMNS			table, ordinal, column, type, length, precision, scale, nullable, primary key, comment
 *	COLUMN_DETAILS	and: full type, base type, enum labels, default, generated, identity, unique,
 *					position in the primary key, collation
 *	CONSTRAINTS		table, constraint, type, columns, referenced schema, table and columns, definition
 *	INDEXES			table, index, method, unique, primary, valid, columns, included columns, predicate,
 *					definition
 *	VIEW_DEFINITION	view, a piece of its definition
 *	OVERVIEW		backend pid, in recovery, schemas, usable schemas, tables, readable tables
 */
#include "postgres.h"

#include "wire/question.h"

#define TABLE_VALUES ANSWER_NAME, ANSWER_TEXT, ANSWER_BIGINT, ANSWER_TEXT
#define TABLE_DETAIL_VALUES                                                                        \
	TABLE_VALUES, ANSWER_TEXT, ANSWER_TEXT, ANSWER_BIGINT, ANSWER_TEXT, ANSWER_BOOLEAN
#define COLUMN_VALUES                                                                              \
	ANSWER_NAME, ANSWER_POSITION, ANSWER_NAME, ANSWER_TEXT, ANSWER_INTEGER, ANSWER_INTEGER,        \
		ANSWER_INTEGER, ANSWER_BOOLEAN, ANSWER_BOOLEAN, ANSWER_TEXT
#define COLUMN_DETAIL_VALUES                                                                       \
	COLUMN_VALUES, ANSWER_TEXT, ANSWER_TEXT, ANSWER_TEXT_ARRAY, ANSWER_TEXT, ANSWER_TEXT,          \
		ANSWER_TEXT, ANSWER_BOOLEAN, ANSWER_INTEGER, ANSWER_TEXT

static const AnswerShape answers[NUM_QUESTIONS] = {
	[QUESTION_PROBE] = {1, {ANSWER_INTEGER}},
	[QUESTION_SCHEMAS] = {1, {ANSWER_NAME}},
	[QUESTION_SCHEMA_DETAILS] = {2, {ANSWER_NAME, ANSWER_TEXT}},
	[QUESTION_TABLE_NAMES] = {1, {ANSWER_NAME}},
	[QUESTION_TABLES] = {4, {TABLE_VALUES}},
	[QUESTION_TABLE_DETAILS] = {9, {TABLE_DETAIL_VALUES}},
	[QUESTION_ALL_TABLES] = {10, {ANSWER_NAME, TABLE_DETAIL_VALUES}},
	[QUESTION_COLUMNS] = {10, {COLUMN_VALUES}},
	[QUESTION_COLUMNS_OF] = {10, {COLUMN_VALUES}},
	[QUESTION_COLUMN_DETAILS] = {19, {COLUMN_DETAIL_VALUES}},
	[QUESTION_COLUMN_DETAILS_OF] = {19, {COLUMN_DETAIL_VALUES}},
	[QUESTION_CONSTRAINTS] = {8,
							  {ANSWER_NAME, ANSWER_NAME, ANSWER_TEXT, ANSWER_TEXT_ARRAY,
							   ANSWER_TEXT, ANSWER_TEXT, ANSWER_TEXT_ARRAY, ANSWER_TEXT}},
	[QUESTION_INDEXES] = {10,
						  {ANSWER_NAME, ANSWER_NAME, ANSWER_TEXT, ANSWER_BOOLEAN, ANSWER_BOOLEAN,
						   ANSWER_BOOLEAN, ANSWER_TEXT_ARRAY, ANSWER_TEXT_ARRAY, ANSWER_TEXT,
						   ANSWER_TEXT}},
	[QUESTION_VIEW_DEFINITION] = {2, {ANSWER_NAME, ANSWER_TEXT}},
	[QUESTION_OVERVIEW] = {6,
						   {ANSWER_INTEGER, ANSWER_BOOLEAN, ANSWER_BIGINT, ANSWER_BIGINT,
							ANSWER_BIGINT, ANSWER_BIGINT}},
};

/* The columns of the answer to a question: static memory. */
const AnswerShape *
question_answer(Question question)
{
	return &answers[question];
}
