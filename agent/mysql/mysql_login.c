/*
 * mysql_login.c
 *		Logs in to MySQL or MariaDB.
 *
 * The library would send the password, or a query, in ways that the connection does not
 * permit: each is closed here.  What the server offers is seen in its greeting before a byte
 * is sent (look_at_greeting), so that TLS that is demanded is not left out, and without TLS no
 * kind of authentication is permitted that shows the password; with caching_sha2_password the
 * library would ask the server itself for a key to send the password under.  It is given a file
 * that holds none, which some versions leave it at, and can read no other (gate_tls.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <errmsg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate.h"
#include "mysql_link.h"

#define PROTOCOL_VERSION   10
#define ERROR_PACKET       0xFF
#define MIN_GREETING       10 /* bytes of payload, that of an error included */
#define MAX_GREETING       500
#define PACKET_HEAD        4
#define GRACE_MS           1000 /* the backend's deadline comes first: it knows that TCP was complete */
#define MAX_PACKET_BYTES   (1024 * 1024)
#define CAPABILITY_TLS     0x0800
#define CAPABILITIES_PLACE 13 /* behind the server's version: number, salt, zero */

#define SAFE_KINDS     "mysql_native_password,caching_sha2_password,client_ed25519"
#define KINDS_WITH_TLS SAFE_KINDS ",sha256_password"
#define ALL_KINDS      KINDS_WITH_TLS ",mysql_clear_password,dialog"

/* What the thread that connects knows of it. */
static __thread struct
{
	Session *session;
	MYSQL *mysql;
	bool told; /* a fault */
} connecting;

/* ---- the greeting --------------------------------------------------------------------------- */

static int
refuse(const char *kind, const char *text)
{
	/* The thread that cancels must report no faults. */
	if (!session_is_cancelled(connecting.session))
		session_fault(connecting.session, kind, 0, NULL, "%s", text);
	connecting.told = true;
	return ECONNABORTED;
}

/* Wait until so many bytes can be read, and look at them; their number, or -1 with errno. */
static ssize_t
peek(int fd, unsigned char *bytes, size_t wanted)
{
	int low_water = (int) wanted;
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t count;

	(void) setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water));
	do
		count = poll(&ready, 1, session_time_left(connecting.session) + GRACE_MS);
	while (count < 0 && errno == EINTR);
	low_water = 1;
	(void) setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water));
	if (count == 0)
	{
		errno = ETIMEDOUT;
		return -1;
	}
	return recv(fd, bytes, wanted, MSG_PEEK | MSG_DONTWAIT);
}

/* Does the greeting offer TLS?  Its head is right. */
static bool
offers_tls(const unsigned char *payload, size_t length)
{
	const unsigned char *zero = memchr(payload + 1, '\0', length - 1);
	size_t place = zero == NULL ? length : (size_t) (zero - payload) + CAPABILITIES_PLACE + 1;

	return place + 1 < length && ((payload[place] | payload[place + 1] << 8) & CAPABILITY_TLS) != 0;
}

/* The server has no place, or does not want this machine: the number and the text of its error. */
static int
refuse_as_server(const unsigned char *payload, size_t length)
{
	const char *text = (const char *) payload + 3;

	if (!session_is_cancelled(connecting.session))
		session_fault(connecting.session, FAULT_IS_SERVER, payload[1] | payload[2] << 8, NULL,
					  "%.*s", (int) (length - 3), text);
	connecting.told = true;
	return ECONNABORTED;
}

/* Choose what may be done to prove the password, now that it is known whether there will be TLS. */
static int
permit_kinds(bool tls)
{
	Session *session = connecting.session;
	long demand = session_login_number(session, LOGIN_TLS);
	bool cleartext = session_login(session, LOGIN_CLEARTEXT) != NULL;
	my_bool off = 0;
	const char *kinds = cleartext || (tls && demand >= TLS_KNOWN_CA) ? ALL_KINDS
						: tls                                        ? KINDS_WITH_TLS
																	 : SAFE_KINDS;

	if (!tls && demand >= TLS_ENCRYPTED)
		return refuse(FAULT_IS_NO_TLS, "");
	/* The library takes the wish for TLS for TLS, and would send the password as it is. */
	if (!tls)
		(void) mysql_optionsv(connecting.mysql, MYSQL_OPT_SSL_ENFORCE, &off);
	if (!tls && !session_is_cancelled(session))
		session_stage(session, STAGE_IS_SPOKEN);
	(void) mysql_optionsv(connecting.mysql, MARIADB_OPT_RESTRICTED_AUTH, kinds);
	return 0;
}

/* Called by the gate when the connection is there, before the library has said or read anything. */
static int
look_at_greeting(int fd, void *argument)
{
	unsigned char bytes[PACKET_HEAD + MAX_GREETING];
	unsigned char *payload = bytes + PACKET_HEAD;
	Session *session = argument;
	size_t length;

	if (connecting.session == NULL)
		return ECONNABORTED;
	if (!session_is_cancelled(session))
		session_stage(session, STAGE_IS_CONNECTED);
	if (peek(fd, bytes, PACKET_HEAD + 1) < PACKET_HEAD + 1)
		return errno == ETIMEDOUT ? ETIMEDOUT : ECONNRESET;
	length = bytes[0] | bytes[1] << 8 | bytes[2] << 16;
	if (bytes[3] != 0 || (payload[0] != PROTOCOL_VERSION && payload[0] != ERROR_PACKET) ||
		length > MAX_GREETING)
		return refuse(FAULT_IS_KIND, "it does not begin as MySQL does");
	if (length < MIN_GREETING ||
		peek(fd, bytes, PACKET_HEAD + length) < (ssize_t) (PACKET_HEAD + length))
		return refuse(FAULT_IS_KIND, "its greeting is not whole");
	if (payload[0] == ERROR_PACKET)
		return refuse_as_server(payload, length);
	return permit_kinds(offers_tls(payload, length) &&
						session_login_number(session, LOGIN_TLS) != TLS_NONE);
}

/* ---- faults ------------------------------------------------------------------------------------ */

/* Errors of the library that are about the connection. */
static bool
is_network_error(unsigned int number)
{
	return number == CR_CONN_HOST_ERROR || number == CR_CONNECTION_ERROR ||
		   number == CR_SERVER_LOST || number == CR_SERVER_GONE_ERROR || number == CR_UNKNOWN_HOST;
}

/* Report the last error of the library; always false. */
bool
mysql_report(Session *session, MYSQL *mysql)
{
	unsigned int number = mysql_errno(mysql);

	if (connecting.told)
		return false;
	if (is_network_error(number) && gate_error() != 0)
		session_fault(session, FAULT_IS_NETWORK, gate_error(), NULL, "%s", strerror(gate_error()));
	else if (is_network_error(number))
		session_fault(session, FAULT_IS_LOST, number, NULL, "%s", mysql_error(mysql));
	/* The handshake is told by the session if it fails; after it only the name is looked at. */
	else if (number == CR_SSL_CONNECTION_ERROR && session_is_encrypted(session))
		session_fault(session, FAULT_IS_CERTIFICATE, 0, NULL, "it is not for this host name");
	else if (number == CR_SSL_CONNECTION_ERROR)
		session_fault(session, FAULT_IS_TLS, 0, NULL, "%s", mysql_error(mysql));
	else if (number == CR_OUT_OF_MEMORY)
		session_fault(session, FAULT_IS_BOUND, number, NULL, "more memory than a session may take");
	/* It had to send the password under a key of the server's choice, and has none. */
	else if ((number == CR_UNKNOWN_ERROR || strstr(mysql_error(mysql), "RSA public key") != NULL) &&
			 !session_is_encrypted(session))
		session_fault(session, FAULT_IS_CLEARTEXT, number, NULL, "caching_sha2_password");
	else
		session_fault(session, FAULT_IS_SERVER, number, mysql_sqlstate(mysql), "%s",
					  mysql_error(mysql));
	return false;
}

/* ---- logging in ---------------------------------------------------------------------------------- */

static void
set_tls(MYSQL *mysql, const Session *session)
{
	long demand = session_login_number(session, LOGIN_TLS);
	const char *roots = session_login(session, LOGIN_ROOTS);
	my_bool on = 1;
	my_bool off = 0;

	/* Since version 3.4 the library demands this, and with it TLS, unless it is told otherwise. */
	(void) mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT,
						  demand == TLS_VERIFIED ? &on : &off);
	if (demand == TLS_NONE)
		return;
	/* With this the library uses TLS if it is offered; look_at_greeting sees to the rest. */
	(void) mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
	(void) mysql_optionsv(mysql, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3");
	if (demand >= TLS_KNOWN_CA && roots != NULL)
		(void) mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, roots);
}

/*
 * A handle with all options, for a login or for a cancel, which has to have the same ones.
 * NULL: memory is out.
 */
MYSQL *
mysql_begin(Session *session, const MysqlLink *link, int timeout_ms)
{
	MYSQL *mysql = mysql_init(NULL);
	unsigned int seconds = timeout_ms / 1000 + 1;
	unsigned int protocol = MYSQL_PROTOCOL_TCP;
	unsigned int no_files = 0;
	unsigned long packet = MAX_PACKET_BYTES;
	char key_file[32];

	if (mysql == NULL)
		return NULL;
	snprintf(key_file, sizeof(key_file), "/proc/self/fd/%d", link->key_file);
	(void) mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	(void) mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
	(void) mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
	(void) mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
	(void) mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void) mysql_optionsv(mysql, MYSQL_SERVER_PUBLIC_KEY, key_file);
	(void) mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, SAFE_KINDS);
	set_tls(mysql, session);
	connecting.session = session;
	connecting.mysql = mysql;
	connecting.told = false;
	gate_after_connect(look_at_greeting, session);
	return mysql;
}

static bool
connect_to_server(Session *session, MYSQL *mysql)
{
	return mysql_real_connect(
			   mysql, session_login(session, LOGIN_HOST), session_login(session, LOGIN_USER),
			   session_login(session, LOGIN_PASSWORD), session_login(session, LOGIN_DATABASE),
			   session_login_number(session, LOGIN_PORT), NULL, 0) != NULL;
}

/*
 * The number by which the server knows the connection.  Behind a proxy it is another one than
 * that of the greeting, which is the proxy's, and could be that of a stranger's.
 */
static void
learn_number(MysqlLink *link)
{
	MYSQL_RES *result;
	MYSQL_ROW row;

	if (mysql_query(link->mysql, "SELECT CONNECTION_ID()") != 0)
		return;
	result = mysql_store_result(link->mysql);
	row = result == NULL ? NULL : mysql_fetch_row(result);
	link->id = mysql_thread_id(link->mysql);
	link->may_kill = row != NULL && row[0] != NULL && strtoul(row[0], NULL, 10) == link->id;
	mysql_free_result(result);
}

/* MariaDB puts this before its version, for old replicas. */
static const char *
version_without_mark(const char *version)
{
	static const char mark[] = "5.5.5-";

	return strncmp(version, mark, strlen(mark)) == 0 ? version + strlen(mark) : version;
}

static int
file_without_key(void)
{
	int fd = memfd_create("no key", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, "none\n", 5) != 5)
		return -1;
	return fd;
}

/* The driver's login. */
bool
mysql_login(Session *session)
{
	MysqlLink *link = calloc(1, sizeof(*link));
	const char *password = session_login(session, LOGIN_PASSWORD);

	if (link != NULL)
	{
		link->key_file = file_without_key();
		link->mysql = mysql_begin(session, link, session_time_left(session));
	}
	if (link == NULL || link->mysql == NULL)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return false;
	}
	if (!connect_to_server(session, link->mysql))
		return mysql_report(session, link->mysql);
	link->is_mariadb = strcasestr(mysql_get_server_info(link->mysql), "mariadb") != NULL;
	learn_number(link);
	session_set_state(session, link);
	session_fact(session, FACT_VERSION, version_without_mark(mysql_get_server_info(link->mysql)));
	/* A user without a password is let in only if none is sent. */
	if (password != NULL && *password != '\0')
		session_fact(session, FACT_PASSWORD_USED, "1");
	return true;
}
