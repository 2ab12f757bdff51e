/*
 * odbc_login.c
 *		Logs in through the driver that the setting dqds.odbc_drivers names.
 *
 * For SQL Server the setting may name none: Debian's FreeTDS is looked for beside unixODBC.
 * The driver's file never comes from a connection.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "gate.h"
#include "gate_gnutls.h"
#include "odbc_link.h"

#define MAX_INFO 512

/* ---- the driver ------------------------------------------------------------------------------- */

/* Where FreeTDS is installed, seen from the directory of unixODBC's library: Debian, others. */
static const char *const tds_files[] = {"odbc/libtdsodbc.so", "libtdsodbc.so", "libtdsodbc.so.0"};

static bool
find_tds(char *path, size_t size)
{
	Dl_info info;
	const char *slash;

	if (dladdr((void *) SQLAllocHandle, &info) == 0 ||
		(slash = strrchr(info.dli_fname, '/')) == NULL)
		return false;
	for (size_t i = 0; i < sizeof(tds_files) / sizeof(tds_files[0]); i++)
	{
		snprintf(path, size, "%.*s/%s", (int) (slash - info.dli_fname), info.dli_fname,
				 tds_files[i]);
		if (access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* The driver's file, in static memory; NULL: session_fault was called. */
static const char *
find_driver(Session *session)
{
	static char found[PATH_MAX];
	const char *path = session_login(session, LOGIN_DRIVER);
	const char *provider = session_login(session, LOGIN_PROVIDER);
	const OdbcForm *form = form_find(session, path);

	if (path == NULL && strcmp(provider, "sqlserver") == 0 && find_tds(found, sizeof(found)))
		path = found;
	if (path != NULL && form != NULL)
		/* What the driver manager says of a library that cannot be loaded is too little. */
		if (dlopen(path, RTLD_LAZY | RTLD_LOCAL) != NULL)
			return path;
	if (path == NULL)
		session_fault(session, FAULT_IS_DRIVER, 0, NULL,
					  "%s, whose file the setting dqds.odbc_drivers must name",
					  form_driver_name(form));
	else
		session_fault(session, FAULT_IS_DRIVER, 0, NULL,
					  "the one that the setting dqds.odbc_drivers names cannot be used: %s",
					  form == NULL ? "there is no such form" : dlerror());
	return NULL;
}

/* ---- connecting --------------------------------------------------------------------------------- */

/*
 * Called by the gate when the address cannot be connected to.  Some drivers would try again
 * until their time is over; a connection that is made later, as for a cancel, is their own
 * matter.
 */
static int
give_up(int error, void *argument)
{
	Session *session = argument;

	if (session_state(session) != NULL || session_is_cancelled(session))
		return error;
	session_fault(session, FAULT_IS_NETWORK, error, NULL, "%s", strerror(error));
	session_give_up(session);
}

static bool
make_handles(Session *session, OdbcLink *link)
{
	SQLULEN seconds = session_time_left(session) / 1000 + 1;

	if (SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &link->environment)) &&
		SQL_SUCCEEDED(SQLSetEnvAttr(link->environment, SQL_ATTR_ODBC_VERSION,
									(SQLPOINTER) (uintptr_t) SQL_OV_ODBC3, 0)) &&
		SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, link->environment, &link->connection)))
	{
		(void) SQLSetConnectAttrW(link->connection, SQL_ATTR_LOGIN_TIMEOUT,
								  (SQLPOINTER) (uintptr_t) seconds, 0);
		return true;
	}
	session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
	return false;
}

static bool
connect_to_server(Session *session, OdbcLink *link, const char *driver)
{
	Text text = {0};
	SQLWCHAR *wide;
	SQLRETURN result;

	if (!form_write(session, link->form, driver, &text))
		return false;
	wide = wide_of(text.bytes);
	gate_after_failure(give_up, session);
	result = SQLDriverConnectW(link->connection, NULL, wide, SQL_NTS, NULL, 0, NULL,
							   SQL_DRIVER_NOPROMPT);
	free(wide);
	explicit_bzero(text.bytes, text.length);
	text_free(&text);
	if (!SQL_SUCCEEDED(result))
		return odbc_report(session, SQL_HANDLE_DBC, link->connection);
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, link->connection, &link->statement)))
		return odbc_report(session, SQL_HANDLE_DBC, link->connection);
	return true;
}

/* ---- what the source is --------------------------------------------------------------------------- */

/* A text that the driver tells of itself, or of the source; NULL if it tells none.  The caller's to free. */
static char *
info_text(const OdbcLink *link, SQLUSMALLINT which)
{
	SQLWCHAR wide[MAX_INFO] = {0};
	SQLSMALLINT length = 0;
	Text text = {0};

	if (!SQL_SUCCEEDED(SQLGetInfoW(link->connection, which, wide, sizeof(wide), &length)) ||
		wide[0] == 0)
		return NULL;
	for (length = 0; length < MAX_INFO && wide[length] != 0;)
		length++;
	text_add_wide(&text, wide, length);
	return text.bytes;
}

static bool
has_schemas(const OdbcLink *link)
{
	SQLUINTEGER usage = 0;
	SQLSMALLINT length = 0;

	return SQL_SUCCEEDED(
			   SQLGetInfoW(link->connection, SQL_SCHEMA_USAGE, &usage, sizeof(usage), &length)) &&
		   usage != 0;
}

static char *
current_catalog(const OdbcLink *link)
{
	SQLWCHAR wide[MAX_INFO] = {0};
	SQLINTEGER length = 0;
	Text text = {0};

	if (!SQL_SUCCEEDED(SQLGetConnectAttrW(link->connection, SQL_ATTR_CURRENT_CATALOG, wide,
										  sizeof(wide), &length)) ||
		wide[0] == 0)
		return NULL;
	for (length = 0; length < MAX_INFO && wide[length] != 0;)
		length++;
	text_add_wide(&text, wide, length);
	return text.bytes;
}

static void
learn_names(OdbcLink *link)
{
	char *catalogs = info_text(link, SQL_CATALOG_NAME);
	char *escape = info_text(link, SQL_SEARCH_PATTERN_ESCAPE);

	if (has_schemas(link))
	{
		link->names = NAMES_ARE_SCHEMAS;
		link->catalog = catalogs != NULL && *catalogs == 'Y' ? current_catalog(link) : NULL;
	}
	else
		link->names = catalogs != NULL && *catalogs == 'Y' ? NAMES_ARE_CATALOGS : NAMES_ARE_NONE;
	link->escape = escape == NULL ? '\0' : *escape;
	free(catalogs);
	free(escape);
}

static void
tell_version(Session *session, const OdbcLink *link)
{
	char *name = info_text(link, SQL_DBMS_NAME);
	char *version = info_text(link, SQL_DBMS_VER);
	char both[2 * MAX_INFO];

	snprintf(both, sizeof(both), "%s %s", name == NULL ? "" : name, version == NULL ? "" : version);
	session_fact(session, FACT_VERSION, both);
	free(name);
	free(version);
}

/*
 * Is the connection encrypted, if that is demanded?  A server that answers, or someone in its
 * place who has changed what it answers, has FreeTDS encrypt the login alone.
 */
static bool
keeps_tls(Session *session, const OdbcLink *link)
{
	if (session_login_number(session, LOGIN_TLS) < TLS_ENCRYPTED || !form_may_end_tls(link->form) ||
		gate_gnutls_encrypts() || session_is_encrypted(session))
		return true;
	session_fault(session, FAULT_IS_NO_TLS, 0, NULL, "only the login is encrypted");
	return false;
}

/* The driver's login. */
bool
odbc_login(Session *session)
{
	OdbcLink *link = calloc(1, sizeof(*link));
	const char *driver = find_driver(session);
	const char *password = session_login(session, LOGIN_PASSWORD);

	if (driver == NULL)
		return false;
	if (link == NULL || !make_handles(session, link))
		return false;
	link->form = form_find(session, driver);
	if (!connect_to_server(session, link, driver) || !keeps_tls(session, link))
		return false;
	learn_names(link);
	session_set_state(session, link);
	tell_version(session, link);
	if (session_login_number(session, LOGIN_TLS) >= TLS_ENCRYPTED)
		session_has_tls(session);
	if (password != NULL && *password != '\0' && form_checks_password(link->form))
		session_fact(session, FACT_PASSWORD_USED, "1");
	return true;
}
