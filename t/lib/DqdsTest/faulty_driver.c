/*
 * faulty_driver.c
 *		An ODBC driver that is broken: the name of the database says how.
 *
 *	crash    it writes where it must not, in the login
 *	hang     it does not return from the login
 *	leave    it ends the process
 *	eat      it takes all memory that it gets
 *	chatty   it writes to each descriptor, its own or not, and goes on
 *	silent   it fails, and does not say why
 *	endless  its list of tables has no end
 *	long     its one table has a comment without end
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

static char mode[64];
static int row;

static void
write_everywhere(void)
{
	static const char noise[] = "the driver has this to say: pass\n";

	for (int fd = 0; fd < 64; fd++)
		for (int i = 0; i < 20; i++)
			(void) !write(fd, noise, sizeof(noise));
}

static void
eat(void)
{
	for (;;)
	{
		char *memory = malloc(1024 * 1024);

		memset(memory, 1, 1024 * 1024);
	}
}

static void
learn_mode(const SQLWCHAR *text)
{
	char narrow[2000] = "";
	const char *found;

	for (int i = 0; text[i] != 0 && i < 1999; i++)
		narrow[i] = (char) text[i];
	found = strstr(narrow, "DATABASE=");
	sscanf(found == NULL ? "" : found, "DATABASE=%63[a-z]", mode);
}

SQLRETURN SQL_API
SQLDriverConnectW(SQLHDBC connection, SQLHWND window, SQLWCHAR *text, SQLSMALLINT length,
				  SQLWCHAR *out, SQLSMALLINT size, SQLSMALLINT *used, SQLUSMALLINT completion)
{
	learn_mode(text);
	if (strcmp(mode, "crash") == 0)
		*(volatile int *) 8 = 1;
	if (strcmp(mode, "hang") == 0)
		for (;;)
			;
	if (strcmp(mode, "leave") == 0)
		_exit(0);
	if (strcmp(mode, "eat") == 0)
		eat();
	if (strcmp(mode, "chatty") == 0)
		write_everywhere();
	return strcmp(mode, "silent") == 0 ? SQL_ERROR : SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLAllocHandle(SQLSMALLINT type, SQLHANDLE in, SQLHANDLE *out)
{
	*out = malloc(64);
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLFreeHandle(SQLSMALLINT type, SQLHANDLE handle)
{
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLFreeStmt(SQLHSTMT statement, SQLUSMALLINT option)
{
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLSetEnvAttr(SQLHENV environment, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLSetConnectAttrW(SQLHDBC connection, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLSetStmtAttrW(SQLHSTMT statement, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLGetInfoW(SQLHDBC connection, SQLUSMALLINT which, SQLPOINTER value, SQLSMALLINT size,
			SQLSMALLINT *length)
{
	return SQL_ERROR;
}

SQLRETURN SQL_API
SQLDisconnect(SQLHDBC connection)
{
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLGetDiagRecW(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT which, SQLWCHAR *state,
			   SQLINTEGER *number, SQLWCHAR *text, SQLSMALLINT size, SQLSMALLINT *length)
{
	return SQL_NO_DATA;
}

SQLRETURN SQL_API
SQLExecDirectW(SQLHSTMT statement, SQLWCHAR *text, SQLINTEGER length)
{
	row = 0;
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLTablesW(SQLHSTMT statement, SQLWCHAR *catalog, SQLSMALLINT catalog_length, SQLWCHAR *schema,
		   SQLSMALLINT schema_length, SQLWCHAR *table, SQLSMALLINT table_length, SQLWCHAR *type,
		   SQLSMALLINT type_length)
{
	row = 0;
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLNumResultCols(SQLHSTMT statement, SQLSMALLINT *count)
{
	*count = 5;
	return SQL_SUCCESS;
}

SQLRETURN SQL_API
SQLFetch(SQLHSTMT statement)
{
	row++;
	return row == 1 || strcmp(mode, "endless") == 0 ? SQL_SUCCESS : SQL_NO_DATA;
}

SQLRETURN SQL_API
SQLGetData(SQLHSTMT statement, SQLUSMALLINT column, SQLSMALLINT type, SQLPOINTER value, SQLLEN size,
		   SQLLEN *length)
{
	SQLWCHAR *wide = value;
	char name[32];

	snprintf(name, sizeof(name), "%s", column == 4 ? "TABLE" : "");
	if (column == 3)
		snprintf(name, sizeof(name), "t%09d", row);
	*length = strlen(name) * sizeof(SQLWCHAR);
	for (size_t i = 0; i <= strlen(name); i++)
		wide[i] = name[i];
	if (column < 3 || (column == 5 && strcmp(mode, "long") != 0))
		*length = SQL_NULL_DATA;
	else if (column == 5)
	{
		for (SQLLEN i = 0; i < size / 2; i++)
			wide[i] = 'x';
		*length = SQL_NO_TOTAL;
		return SQL_SUCCESS_WITH_INFO;
	}
	return SQL_SUCCESS;
}
