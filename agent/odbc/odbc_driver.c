/*
 * odbc_driver.c
 *		The drivers that use ODBC: their table.
 *
 * The driver manager runs in the fork server, a driver of ODBC never: it is loaded in the
 * process of a session.
 */
#include <locale.h>
#include <stdlib.h>

#include "odbc_link.h"

#define MEMORY_MB 256 /* some drivers are large, and what is sorted is theirs as well */

/* The driver manager takes the character set of the locale for that of narrow texts. */
static bool
prepare(const char **why)
{
	*why = "the system has no locale C.UTF-8";
	return setlocale(LC_CTYPE, "C.UTF-8") != NULL && setenv("ODBCINI", "/nonexistent", 1) == 0;
}

static void
leave(Session *session)
{
	OdbcLink *link = session_state(session);

	if (link != NULL)
		(void) SQLDisconnect(link->connection);
}

#define DRIVER(name, asks)                                                                         \
	{                                                                                              \
		.provider = (name), .memory_mb = MEMORY_MB, .prepare = prepare, .login = odbc_login,       \
		.ask = (asks), .cancel = odbc_cancel, .leave = leave                                       \
	}

const Driver dqds_drivers[] = {DRIVER("sqlserver", tds_ask),
							   DRIVER("db2", odbc_ask),
							   DRIVER("oracle", odbc_ask),
							   DRIVER("hana", odbc_ask),
							   DRIVER("teradata", odbc_ask),
							   DRIVER("spark", odbc_ask),
							   {NULL}};
