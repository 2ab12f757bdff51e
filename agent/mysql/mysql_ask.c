/*
 * mysql_ask.c
 *		Asks MySQL or MariaDB, and has it end what it was asked.
 */
#include <errmsg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mysql_link.h"

/* MariaDB opens each table to tell how many rows it has: beyond so many tables it is not asked. */
#define MAX_COUNTED_TABLES 200

/* Hand on the rows of the question that was asked. */
static bool
take_rows(Session *session, MYSQL *mysql)
{
	MYSQL_RES *result = mysql_use_result(mysql);
	MYSQL_ROW row;
	bool good = true;

	if (result == NULL)
		return mysql_report(session, mysql);
	while (good && (row = mysql_fetch_row(result)) != NULL)
		good = session_row(session, (const char *const *) row, mysql_fetch_lengths(result),
						   mysql_num_fields(result));
	/* The rest of a row that was too long cannot be skipped. */
	if (!good)
		session_is_lost(session);
	else if (mysql_errno(mysql) != 0)
		good = mysql_report(session, mysql);
	mysql_free_result(result);
	return good;
}

static bool
run(Session *session, MYSQL *mysql, const Text *sql)
{
	if (mysql_real_query(mysql, sql->bytes, sql->length) != 0)
		return mysql_report(session, mysql);
	return true;
}

/* How many rows the query has, which counts them; -1: a fault was told. */
static long
run_count(Session *session, MYSQL *mysql, const Text *sql)
{
	MYSQL_RES *result;
	MYSQL_ROW row;
	long count = 0;

	if (!run(session, mysql, sql))
		return -1;
	result = mysql_store_result(mysql);
	row = result == NULL ? NULL : mysql_fetch_row(result);
	if (row != NULL && row[0] != NULL)
		count = strtol(row[0], NULL, 10);
	mysql_free_result(result);
	return count;
}

static bool
wants_estimates(Question question)
{
	return question == QUESTION_TABLES || question == QUESTION_TABLE_DETAILS ||
		   question == QUESTION_ALL_TABLES;
}

/* Decide whether the rows of tables are asked for; false: a fault was told. */
static bool
decide_estimates(Session *session, MysqlLink *link, const Ask *ask, MysqlDialect *dialect)
{
	Text sql = {0};
	long count;

	dialect->is_mariadb = link->is_mariadb;
	dialect->estimates = true;
	if (!link->is_mariadb || !wants_estimates(ask->question) || !mysql_may_exist(ask))
		return true;
	mysql_write_count(&sql, ask, MAX_COUNTED_TABLES + 1);
	count = run_count(session, link->mysql, &sql);
	text_free(&sql);
	dialect->estimates = count <= MAX_COUNTED_TABLES;
	return count >= 0;
}

/* The driver's ask. */
bool
mysql_ask(Session *session, const Ask *ask)
{
	MysqlLink *link = session_state(session);
	MysqlDialect dialect;
	Text sql = {0};
	bool good;

	if (!decide_estimates(session, link, ask, &dialect))
		return false;
	/* Nothing is asked of what cannot be there. */
	if (!mysql_write(&sql, ask, &dialect))
		good = true;
	else
		good = run(session, link->mysql, &sql) && take_rows(session, link->mysql);
	text_free(&sql);
	if (!good && mysql_errno(link->mysql) >= CR_MIN_ERROR &&
		mysql_errno(link->mysql) <= CR_MAX_ERROR)
		session_is_lost(session);
	return good;
}

/* The driver's cancel: the server ends a query only on request, by another connection. */
void
mysql_cancel(Session *session)
{
	MysqlLink *link = session_state(session);
	MYSQL *mysql;
	char kill[48];

	if (link == NULL || !link->may_kill)
		return;
	mysql = mysql_begin(session, link, CANCEL_TIMEOUT_MS);
	if (mysql == NULL)
		return;
	snprintf(kill, sizeof(kill), "KILL QUERY %lu", link->id);
	if (mysql_real_connect(mysql, session_login(session, LOGIN_HOST),
						   session_login(session, LOGIN_USER),
						   session_login(session, LOGIN_PASSWORD), NULL,
						   session_login_number(session, LOGIN_PORT), NULL, 0) != NULL)
		(void) mysql_query(mysql, kill);
	mysql_close(mysql);
}
