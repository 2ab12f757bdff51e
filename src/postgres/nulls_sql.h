/*
 * nulls_sql.h
 *		NULL in the place of details that a kind of server does not have.
 *
 * Included by dialect.c only, through the headers that need it.  The compiler compares their
 * number with that of the values in wire/question.h.
 */
#ifndef DQDS_NULLS_SQL_H
#define DQDS_NULLS_SQL_H

#include "wire/question.h"

#define NO_TABLE_DETAILS           ", NULL, NULL, NULL, NULL, NULL"
#define NO_COLUMN_DETAILS          ", NULL" NO_COLUMN_DETAILS_BUT_TYPE
#define NO_COLUMN_DETAILS_BUT_TYPE ", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
#define NUMBER_OF_NULLS(nulls)     ((sizeof(nulls) - 1) / (sizeof(", NULL") - 1))

StaticAssertDecl(NUMBER_OF_NULLS(NO_TABLE_DETAILS) == TABLE_DETAIL_VALUES - TABLE_VALUES,
				 "NO_TABLE_DETAILS has another number of values");
StaticAssertDecl(NUMBER_OF_NULLS(NO_COLUMN_DETAILS) == COLUMN_DETAIL_VALUES - COLUMN_VALUES,
				 "NO_COLUMN_DETAILS has another number of values");

#endif /* DQDS_NULLS_SQL_H */
