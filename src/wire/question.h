/*
 * question.h
 *		What is asked of a remote, and how many values of which kinds answer it.
 */
#ifndef DQDS_QUESTION_H
#define DQDS_QUESTION_H

/*
 * What is asked of a remote.  $n are the values of the query.  Of tables: $1 schema,
 * $2 substring, $3 limit, $4 partitions as well, $5 substring that excludes.
 */
typedef enum Question
{
	QUESTION_PROBE,             /* the pid of the backend, or 1 where there is none */
	QUESTION_SCHEMAS,           /* $1 include system schemas */
	QUESTION_SCHEMA_DETAILS,    /* the same, with their extensions */
	QUESTION_TABLE_NAMES,       /* of tables */
	QUESTION_TABLES,            /* the same, with kind, estimate and comment */
	QUESTION_TABLE_DETAILS,     /* the same, with what else is known; $6 sizes as well */
	QUESTION_ALL_TABLES,        /* the same of all schemas; $1 include system schemas */
	QUESTION_COLUMNS,           /* $1 schema */
	QUESTION_COLUMNS_OF,        /* $1 schema, $2 name[] of tables */
	QUESTION_COLUMN_DETAILS,    /* $1 schema, $2 NULL, $3 a DefinitionEffort */
	QUESTION_COLUMN_DETAILS_OF, /* $1 schema, $2 name[] of tables, $3 a DefinitionEffort */
	QUESTION_CONSTRAINTS,       /* $1 schema, $2 text[] of tables or NULL, $3 a DefinitionEffort */
	QUESTION_INDEXES,           /* the same */
	QUESTION_VIEW_DEFINITION,   /* $1 schema, $2 view */
	QUESTION_OVERVIEW,          /* standby; schemas visible, usable; tables visible, readable */
	NUM_QUESTIONS
} Question;

/* Which definitions a remote is asked to write; what is left out is NULL. */
typedef enum DefinitionEffort
{
	DEFINITIONS_NONE,
	DEFINITIONS_WITHOUT_LOCKS, /* none for which it waits for a lock on a table */
	DEFINITIONS_ALL
} DefinitionEffort;

#define MAX_QUERY_PARAMETERS 6

/*
 * How many values the answers have, beside the schema where all schemas are asked about;
 * question.c says which.
 */
#define TABLE_VALUES         4 /* of QUESTION_TABLES, */
#define TABLE_DETAIL_VALUES  9 /* and of those with details: the same, and more */
#define COLUMN_VALUES        10
#define COLUMN_DETAIL_VALUES 19
#define CONSTRAINT_VALUES    8
#define INDEX_VALUES         10

/* The most that any answer has; a longer one does not compile (question.c). */
#define MAX_ANSWER_COLUMNS COLUMN_DETAIL_VALUES

/* What a value of an answer is. */
typedef enum AnswerValue
{
	ANSWER_TEXT,
	ANSWER_INTEGER,
	ANSWER_BIGINT,
	ANSWER_BOOLEAN,
	ANSWER_TEXT_ARRAY, /* as PostgreSQL writes it: {a,"b c"} */
	ANSWER_NAME,       /* text that a row is of no use without */
	ANSWER_POSITION    /* an integer that a row is of no use without */
} AnswerValue;

typedef struct AnswerShape
{
	int ncolumns;
	AnswerValue values[MAX_ANSWER_COLUMNS];
} AnswerShape;

typedef struct RemoteQuery
{
	Question question;
	const char *values[MAX_QUERY_PARAMETERS]; /* text; NULL is SQL's NULL */
	bool of_old_version; /* the server has not understood the query of its newer versions */
} RemoteQuery;

extern const AnswerShape *question_answer(Question question);

#endif /* DQDS_QUESTION_H */
