/*
 * statement.h
 *		A statement that the bridge runs.
 */
#ifndef BRIDGE_STATEMENT_H
#define BRIDGE_STATEMENT_H

/* A statement is known by its address: it must be static. */
typedef struct Statement
{
	const char *name; /* of the prepared statement */
	const char *sql;
} Statement;

#endif /* BRIDGE_STATEMENT_H */
