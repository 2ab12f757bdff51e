/*
 * import_internal.h
 *		Declarations shared by import.c, import_rows.c, import_schemas.c and import_store.c only.
 */
#ifndef DQDS_IMPORT_INTERNAL_H
#define DQDS_IMPORT_INTERNAL_H

#include "nodes/pg_list.h"

#include "base/caller.h"
#include "base/name_set.h"
#include "listing/answer_budget.h"
#include "listing/import.h"
#include "listing/listing.h"
#include "listing/sorted_rows.h"
#include "registry/owner_call.h"
#include "wire/question.h"

/*
 * Each row is kept with the number of its schema (in the order of their names),
 * followed by the values of the answer to QUESTION_TABLES or QUESTION_COLUMNS,
 * in the order of dqds_store_import.
 */
#define ROW_SCHEMA    0
#define ROW_TABLE     1
#define ROW_POSITION  2 /* of a column */
#define BEFORE_VALUES 1

StaticAssertDecl(2 + TABLE_VALUES + COLUMN_VALUES <= MAX_OWNER_CALL_ARGUMENTS,
				 "dqds_store_import has more arguments than a call can have");

typedef struct Import
{
	const Caller *caller;
	Listing *listing;
	const ImportSink *sink;
	char *asked_schema;     /* a name or a pattern */
	const char *contains;   /* a substring that the names of tables must contain, or NULL */
	NameSet *asked;         /* tables by name, marked when found; NULL for all */
	MemoryContext context;  /* holds the names of the schemas */
	List *schemas;          /* their names (char *), sorted */
	bool schema_found;      /* with the requested name, or one that matches the pattern */
	char schema_number[12]; /* of the schema that is being listed */
	AnswerBudget budget;
	SortedRows tables;
	SortedRows columns;
} Import;

/* import_rows.c */
extern const Oid table_row_types[BEFORE_VALUES + TABLE_VALUES];
extern const Oid column_row_types[BEFORE_VALUES + COLUMN_VALUES];
extern void import_turn_to_schema(Import *import, int number);

/* import_schemas.c */
extern void import_choose_schemas(Import *import, bool may_be_pattern);
extern void import_look_for_schema(Import *import);

/* import_store.c */
extern void import_store(Import *import);

#endif /* DQDS_IMPORT_INTERNAL_H */
