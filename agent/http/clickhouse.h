/*
 * clickhouse.h
 *		The inside of the driver for ClickHouse.
 *
 * clickhouse.c logs in, asks and cancels; clickhouse_sql.c writes the queries, and
 * clickhouse_columns.c makes rows of the types that the server tells.
 */
#ifndef DQDS_CLICKHOUSE_H
#define DQDS_CLICKHOUSE_H

#include "http.h"
#include "json.h"

/* Which columns the system tables of a server have: there are more in each version. */
typedef struct ClickhouseDialect
{
	bool counts;   /* system.tables.total_rows */
	bool sizes;    /* system.tables.total_bytes */
	bool comments; /* system.tables.comment */
	bool places;   /* system.columns.position */
	bool column_comments;
	bool keys; /* system.columns.is_in_primary_key */
} ClickhouseDialect;

#define CLICKHOUSE_DIALECT_SQL                                                                     \
	"SELECT version() AS v, '' AS t, '' AS n UNION ALL SELECT '', table, name FROM "               \
	"system.columns WHERE database = 'system' AND table IN ('tables', 'columns')"

extern void clickhouse_learn(ClickhouseDialect *dialect, const char *table, const char *name);
extern void clickhouse_write(Text *sql, const Ask *ask, const ClickhouseDialect *dialect);
extern void clickhouse_add_value(Text *sql, const char *value);
extern bool clickhouse_is_about_columns(Question question);
extern bool clickhouse_column_row(Session *session, const json_t *row, Question question);

#endif /* DQDS_CLICKHOUSE_H */
