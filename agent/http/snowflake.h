/*
 * snowflake.h
 *		The inside of the driver for Snowflake.
 *
 * snowflake.c logs in and runs statements; snowflake_sql.c writes them.
 */
#ifndef DQDS_SNOWFLAKE_H
#define DQDS_SNOWFLAKE_H

#include "cloud.h"

/* The values of a row by which the rows are ordered, and a statement goes on behind one. */
#define MAX_KEYS 2

/* A statement: its text has a question mark for each value. */
typedef struct SnowflakeStatement
{
	Text sql;
	json_t *bindings; /* in the form of the API, or NULL */
	int nkeys;        /* of each row, which are the first values; 0: it has one page */
	const char *key_columns[MAX_KEYS];
	const char *order;
} SnowflakeStatement;

extern void snowflake_write(SnowflakeStatement *statement, const Ask *ask);
extern void snowflake_go_on(SnowflakeStatement *statement, char *const *last);
extern void snowflake_bind(SnowflakeStatement *statement, const char *value);
extern void snowflake_free(SnowflakeStatement *statement);
extern void snowflake_add_name(Text *text, const char *written);

#endif /* DQDS_SNOWFLAKE_H */
