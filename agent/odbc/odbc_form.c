/*
 * odbc_form.c
 *		The connection strings that drivers understand.
 *
 * Owns: which keywords each driver has, as its documentation names them, and how values are
 * quoted.  What stands in the string comes from here and from the setting, but for the values
 * of a login, none of which can end where it should not: a value with a character that could
 * have a meaning stands in braces.  Not each value stands in them, since the drivers of
 * PostgreSQL and SQLite take braces for a part of most values.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "odbc_link.h"

/*
 * A keyword and its value, in which %h is the host, %H the same with brackets around an IPv6
 * address, %p the port, %d the database, %u the user, %w the password, and %r the file of
 * trusted certificates.  A pair with a value that is not known is left out.
 */
typedef struct Pair
{
	const char *keyword; /* NULL ends a list */
	const char *value;
} Pair;

#define MAX_PAIRS     10
#define MAX_TLS_PAIRS 5

/* What a brace in a value in braces is. */
typedef enum Braces
{
	BRACES_ARE_DOUBLED,
	BRACES_END_BEFORE_SEMICOLON /* the value ends at a closing one with a semicolon, as FreeTDS reads it */
} Braces;

/* Who could read the password on its way if there is no TLS. */
typedef enum Protection
{
	PASSWORD_IS_CLEAR,    /* anyone; or that is not known */
	PASSWORD_IS_PROTECTED /* no one: the driver's protocol sees to that */
} Protection;

struct OdbcForm
{
	const char *name;     /* in the setting, or the provider's */
	const char *driver;   /* that is to be installed, for a message */
	const char *probe;    /* a statement with one row of one value */
	bool checks_password; /* a server with this driver lets no one in whose password is wrong */
	bool may_end_tls;     /* it ends TLS after the login if the server wants that */
	bool plain_database;  /* its name must be made of letters, digits and few other characters */
	Braces braces;
	Protection protection;
	Pair pairs[MAX_PAIRS];
	Pair tls[TLS_VERIFIED + 1][MAX_TLS_PAIRS]; /* by demand; without a pair it cannot be met */
	Pair without_tls; /* if the password may not be sent in clear; keyword NULL: none */
	bool (*prepare)(Session *session); /* what is told to the driver in another way; may be NULL */
};

/* Microsoft's driver trusts what OpenSSL trusts by default. */
static bool
tell_openssl_roots(Session *session)
{
	const char *roots = session_login(session, LOGIN_ROOTS);

	return roots == NULL || setenv("SSL_CERT_FILE", roots, 1) == 0;
}

#define NO_PAIR_NEEDED                                                                             \
	{                                                                                              \
		"", ""                                                                                     \
	}

static const OdbcForm forms[] = {
	{.name = "freetds",
	 .driver = "FreeTDS (Debian's package tdsodbc)",
	 .probe = "SELECT @@SPID",
	 .checks_password = true,
	 .may_end_tls = true,
	 .braces = BRACES_END_BEFORE_SEMICOLON,
	 /* Host, port and TLS stand in a file (tds_file.c): it has more options. */
	 .pairs = {{"SERVERNAME", "dqds"},
			   {"APP", "dqds"},
			   {"DATABASE", "%d"},
			   {"UID", "%u"},
			   {"PWD", "%w"}},
	 .tls =
		 {{NO_PAIR_NEEDED}, {NO_PAIR_NEEDED}, {NO_PAIR_NEEDED}, {NO_PAIR_NEEDED}, {NO_PAIR_NEEDED}},
	 .prepare = tds_write_file},
	{.name = "microsoft",
	 .driver = "Microsoft's ODBC driver for SQL Server (msodbcsql18)",
	 .probe = "SELECT @@SPID",
	 .checks_password = true,
	 .pairs = {{"SERVER", "tcp:%h,%p"},
			   {"APP", "dqds"},
			   {"DATABASE", "%d"},
			   {"UID", "%u"},
			   {"PWD", "%w"}},
	 /* It has no mode that trusts an authority but not the name: the stricter one takes its place. */
	 .tls = {{{"Encrypt", "no"}},
			 {{"Encrypt", "no"}},
			 {{"Encrypt", "yes"}, {"TrustServerCertificate", "yes"}},
			 {{"Encrypt", "yes"}, {"TrustServerCertificate", "no"}},
			 {{"Encrypt", "yes"}, {"TrustServerCertificate", "no"}}},
	 .prepare = tell_openssl_roots},
	{.name = "db2",
	 .driver = "IBM's CLI driver for Db2 (libdb2.so)",
	 .probe = "VALUES 1",
	 .checks_password = true,
	 .pairs = {{"HOSTNAME", "%h"},
			   {"PORT", "%p"},
			   {"PROTOCOL", "TCPIP"},
			   {"DATABASE", "%d"},
			   {"UID", "%u"},
			   {"PWD", "%w"}},
	 /* It trusts no certificate without a file of authorities. */
	 .tls = {{NO_PAIR_NEEDED},
			 {NO_PAIR_NEEDED},
			 {{"Security", "SSL"}, {"SSLServerCertificate", "%r"}},
			 {{"Security", "SSL"}, {"SSLServerCertificate", "%r"}},
			 {{"Security", "SSL"},
			  {"SSLServerCertificate", "%r"},
			  {"SSLClientHostnameValidation", "Basic"}}},
	 .protection = PASSWORD_IS_PROTECTED,
	 .without_tls = {"Authentication", "SERVER_ENCRYPT"}},
	{.name = "oracle",
	 .driver = "Oracle's Instant Client ODBC driver (libsqora.so)",
	 .probe = "SELECT 1 FROM DUAL",
	 .checks_password = true,
	 .plain_database = true,
	 .protection = PASSWORD_IS_PROTECTED,
	 .pairs = {{"UID", "%u"}, {"PWD", "%w"}},
	 .tls = {{{"DBQ", "//%H:%p/%d"}},
			 {{"DBQ", "//%H:%p/%d"}},
			 {{NULL}},
			 {{"DBQ", "tcps://%H:%p/%d?ssl_server_dn_match=off"}},
			 {{"DBQ", "tcps://%H:%p/%d?ssl_server_dn_match=on"}}}},
	{.name = "hana",
	 .driver = "SAP's HANA client (libodbcHDB.so)",
	 .probe = "SELECT 1 FROM DUMMY",
	 .checks_password = true,
	 .protection = PASSWORD_IS_PROTECTED,
	 .pairs = {{"SERVERNODE", "%H:%p"}, {"DATABASENAME", "%d"}, {"UID", "%u"}, {"PWD", "%w"}},
	 .tls = {{{"ENCRYPT", "false"}},
			 {{"ENCRYPT", "false"}},
			 {{"ENCRYPT", "true"}, {"sslValidateCertificate", "false"}},
			 {{"ENCRYPT", "true"},
			  {"sslValidateCertificate", "true"},
			  {"sslTrustStore", "%r"},
			  {"sslHostNameInCertificate", "*"}},
			 {{"ENCRYPT", "true"},
			  {"sslValidateCertificate", "true"},
			  {"sslTrustStore", "%r"},
			  {"sslHostNameInCertificate", "%h"}}}},
	{.name = "teradata",
	 .driver = "Teradata's ODBC driver (tdataodbc_sb64.so)",
	 .probe = "SELECT 1",
	 .checks_password = true,
	 .protection = PASSWORD_IS_PROTECTED,
	 .pairs = {{"DBCNAME", "%h"},
			   {"TDMSTPORTNUMBER", "%p"},
			   {"HTTPS_PORT", "%p"},
			   {"CHARACTERSET", "UTF8"},
			   {"UID", "%u"},
			   {"PWD", "%w"}},
	 .tls = {{{"SSLMODE", "DISABLE"}},
			 {{"SSLMODE", "PREFER"}},
			 {{"SSLMODE", "REQUIRE"}},
			 {{"SSLMODE", "VERIFY-CA"}, {"SSLCA", "%r"}},
			 {{"SSLMODE", "VERIFY-FULL"}, {"SSLCA", "%r"}}}},
	{.name = "spark",
	 .driver = "the Simba Spark ODBC driver (libsparkodbc_sb64.so)",
	 .probe = "SELECT 1",
	 .pairs = {{"HOST", "%h"},
			   {"PORT", "%p"},
			   {"SparkServerType", "3"},
			   {"ThriftTransport", "1"},
			   {"AuthMech", "3"},
			   {"UID", "%u"},
			   {"PWD", "%w"}},
	 .tls = {{{"SSL", "0"}},
			 {{"SSL", "0"}},
			 {{"SSL", "1"}, {"AllowSelfSignedServerCert", "1"}, {"AllowHostNameCNMismatch", "1"}},
			 {{"SSL", "1"}, {"TrustedCerts", "%r"}, {"AllowHostNameCNMismatch", "1"}},
			 {{"SSL", "1"}, {"TrustedCerts", "%r"}, {"AllowHostNameCNMismatch", "0"}}}},
	{.name = "generic",
	 .driver = "the driver",
	 .probe = "SELECT 1",
	 .pairs = {{"SERVER", "%h"}, {"PORT", "%p"}, {"DATABASE", "%d"}, {"UID", "%u"}, {"PWD", "%w"}},
	 .tls = {{NO_PAIR_NEEDED}, {NO_PAIR_NEEDED}}},
};

#define NFORMS (sizeof(forms) / sizeof(forms[0]))

const char *
form_driver_name(const OdbcForm *form)
{
	return form->driver;
}

const char *
form_probe(const OdbcForm *form)
{
	return form->probe;
}

bool
form_checks_password(const OdbcForm *form)
{
	return form->checks_password;
}

bool
form_may_end_tls(const OdbcForm *form)
{
	return form->may_end_tls;
}

/*
 * The form for a driver, whose file may be NULL where none is named: the one that the setting
 * names, or that of the provider.  Static memory; NULL: there is none of this name.
 */
const OdbcForm *
form_find(const Session *session, const char *driver)
{
	const char *name = session_login(session, LOGIN_DRIVER_FORM);

	if (name == NULL)
		name = session_login(session, LOGIN_PROVIDER);
	if (strcmp(name, "sqlserver") == 0)
		name = driver == NULL || strstr(driver, "tdsodbc") != NULL ? "freetds" : "microsoft";
	for (size_t i = 0; i < NFORMS; i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

/* ---- values ------------------------------------------------------------------------------------ */

static void
add_host(Text *text, const char *host, bool brackets)
{
	if (brackets && strchr(host, ':') != NULL)
		text_addf(text, "[%s]", host);
	else
		text_add(text, host);
}

static const char *
member_of(char letter)
{
	switch (letter)
	{
		case 'h':
		case 'H':
			return LOGIN_HOST;
		case 'p':
			return LOGIN_PORT;
		case 'd':
			return LOGIN_DATABASE;
		case 'u':
			return LOGIN_USER;
		case 'w':
			return LOGIN_PASSWORD;
		default:
			return LOGIN_ROOTS;
	}
}

/* Fill a value's blanks; false: one of them is not known. */
static bool
fill(const Session *session, const char *template, Text *text)
{
	text_add(text, "");
	for (; *template != '\0'; template ++)
	{
		const char *value;

		if (*template != '%')
		{
			text_add_bytes(text, template, 1);
			continue;
		}
		value = session_login(session, member_of(*++template));
		if (value == NULL || *value == '\0')
			return false;
		if (*template == 'h' || *template == 'H')
			add_host(text, value, *template == 'H');
		else
			text_add(text, value);
	}
	return true;
}

/*
 * The driver manager reads the string as well, to find the driver in it, and of each unit of
 * UTF-16 it sees only the low byte: U+017D is a closing brace to it.  Does it see this
 * character, in any unit or only in those that are none?
 */
static bool
manager_sees(const char *value, char character, bool in_any)
{
	SQLWCHAR *wide = wide_of(value);
	bool sees = false;

	for (size_t i = 0; wide[i] != 0; i++)
		sees =
			sees || ((wide[i] & 0xFF) == (unsigned char) character && (in_any || wide[i] > 0xFF));
	free(wide);
	return sees;
}

/*
 * Could the driver manager take a part of the value for a pair of its own, which could name
 * another driver?  It takes a doubled brace for one within a value, and goes on with the next
 * pair behind a single one, whatever follows.  A pair has an equals sign.
 */
static bool
misleads_manager(const char *value, Braces braces)
{
	return manager_sees(value, '}', braces != BRACES_ARE_DOUBLED) && manager_sees(value, '=', true);
}

/* Could a character of the value have a meaning in a connection string, or be cut off? */
static bool
needs_braces(const char *value)
{
	return strpbrk(value, ";{}[]()=,?*!'\"\t\r\n") != NULL || *value == ' ' ||
		   value[strlen(value) - 1] == ' ' || manager_sees(value, ';', false);
}

/* False: the value cannot be written in a way that the driver understands. */
static bool
add_in_braces(Text *text, const char *value, Braces braces)
{
	if (braces == BRACES_END_BEFORE_SEMICOLON && strstr(value, "};") != NULL)
		return false;
	text_add(text, "{");
	for (; *value != '\0'; value++)
	{
		if (*value == '}' && braces == BRACES_ARE_DOUBLED)
			text_add(text, "}");
		text_add_bytes(text, value, 1);
	}
	text_add(text, "}");
	return true;
}

static bool
add_pair(Session *session, const OdbcForm *form, const Pair *pair, Text *text)
{
	Text value = {0};
	bool good = true;

	if (*pair->keyword != '\0' && fill(session, pair->value, &value) &&
		(good = !misleads_manager(value.bytes, form->braces)))
	{
		text_addf(text, "%s=", pair->keyword);
		if (strcmp(pair->value, "%w") == 0 || needs_braces(value.bytes))
			good = add_in_braces(text, value.bytes, form->braces);
		else
			text_add(text, value.bytes);
		text_add(text, ";");
	}
	if (!good)
		session_fault(session, FAULT_IS_MODEL, 0, NULL,
					  "the driver cannot be given a user, password or database that contains "
					  "\"};\", or \"}\" "
					  "and \"=\", or characters that are read as these");
	text_free(&value);
	return good;
}

static bool
add_pairs(Session *session, const OdbcForm *form, const Pair *pairs, int limit, Text *text)
{
	for (int i = 0; i < limit && pairs[i].keyword != NULL; i++)
		if (!add_pair(session, form, &pairs[i], text))
			return false;
	return true;
}

/* ---- what must hold ------------------------------------------------------------------------------ */

static bool
refuse(Session *session, const char *kind, const char *text)
{
	session_fault(session, kind, 0, NULL, "%s", text);
	return false;
}

static bool
may_connect(Session *session, const OdbcForm *form, long demand)
{
	const char *database = session_login(session, LOGIN_DATABASE);

	if (form->tls[demand][0].keyword == NULL)
		return refuse(session, FAULT_IS_MODEL,
					  "the driver cannot be told to use TLS as the connection demands");
	if (session_login(session, LOGIN_PASSWORD) != NULL && demand < TLS_ENCRYPTED &&
		form->protection == PASSWORD_IS_CLEAR && session_login(session, LOGIN_CLEARTEXT) == NULL)
		return refuse(session, FAULT_IS_CLEARTEXT, form->driver);
	if (form->plain_database && database != NULL &&
		strspn(database, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$#-") !=
			strlen(database))
		return refuse(session, FAULT_IS_MODEL,
					  "the name of the database has a character that its driver takes for syntax");
	return true;
}

/* Write the connection string for a driver's file.  False: session_fault was called. */
bool
form_write(Session *session, const OdbcForm *form, const char *driver, Text *text)
{
	long demand = session_login_number(session, LOGIN_TLS);

	if (!may_connect(session, form, demand) || (form->prepare != NULL && !form->prepare(session)))
		return false;
	text_addf(text, "DRIVER=%s;", driver);
	if (form->without_tls.keyword != NULL && demand < TLS_ENCRYPTED &&
		session_login(session, LOGIN_CLEARTEXT) == NULL &&
		!add_pair(session, form, &form->without_tls, text))
		return false;
	return add_pairs(session, form, form->tls[demand], MAX_TLS_PAIRS, text) &&
		   add_pairs(session, form, form->pairs, MAX_PAIRS, text);
}
