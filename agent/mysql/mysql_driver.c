/*
 * mysql_driver.c
 *		The drivers for MySQL and MariaDB: their table.
 */
#include <stdlib.h>

#include "mysql_link.h"

#define MEMORY_MB 64

static bool
prepare(const char **why)
{
	*why = "libmariadb cannot be initialized";
	return mysql_library_init(0, NULL, NULL) == 0;
}

static void
leave(Session *session)
{
	MysqlLink *link = session_state(session);

	if (link != NULL && link->mysql != NULL)
		mysql_close(link->mysql);
}

#define DRIVER(name)                                                                               \
	{                                                                                              \
		.provider = (name), .memory_mb = MEMORY_MB, .shares_roots = true, .prepare = prepare,      \
		.login = mysql_login, .ask = mysql_ask, .cancel = mysql_cancel, .leave = leave             \
	}

const Driver dqds_drivers[] = {DRIVER("mysql"), DRIVER("mariadb"), {NULL}};
