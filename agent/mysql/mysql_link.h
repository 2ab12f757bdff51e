/*
 * mysql_link.h
 *		The inside of the driver for MySQL and MariaDB.
 *
 * mysql_login.c logs in, mysql_ask.c asks, mysql_sql.c writes the queries.
 */
#ifndef DQDS_MYSQL_LINK_H
#define DQDS_MYSQL_LINK_H

#include <mysql.h>

#include "driver.h"
#include "text.h"

typedef struct MysqlLink
{
	MYSQL *mysql;
	bool is_mariadb;
	bool may_kill; /* the server knows the connection by the number that we know */
	unsigned long id;
	int key_file; /* a file that holds no key */
} MysqlLink;

/* What is known when a query is written. */
typedef struct MysqlDialect
{
	bool is_mariadb;
	bool estimates; /* the rows of tables are asked for */
} MysqlDialect;

extern bool mysql_login(Session *session);
extern MYSQL *mysql_begin(Session *session, const MysqlLink *link, int timeout_ms);
extern bool mysql_report(Session *session, MYSQL *mysql);

extern bool mysql_ask(Session *session, const Ask *ask);
extern void mysql_cancel(Session *session);

extern bool mysql_may_exist(const Ask *ask);
extern bool mysql_write(Text *sql, const Ask *ask, const MysqlDialect *dialect);
extern void mysql_write_count(Text *sql, const Ask *ask, int limit);

#endif /* DQDS_MYSQL_LINK_H */
