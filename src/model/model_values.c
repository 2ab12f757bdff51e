/*
 * model_values.c
 *		Checks values as people write them, and says what is wrong with them.
 *
 * Owns: the form of a host and of a database's name, and which characters are
 * invisible.  It must not know where in a model a value is, or look anything
 * up.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "mb/pg_wchar.h"

#include "model/model_internal.h"

/* ---- numbers ---------------------------------------------------------------------- */

/* Parse an integer of digits only; returns false if it is something else or out of range. */
bool
model_integer(const char *text, long min, long max, int *result)
{
	char *end;
	long value;

	if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 9 || *text == '\0')
		return false;
	value = strtol(text, &end, 10);
	if (value < min || value > max)
		return false;
	*result = (int) value;
	return true;
}

/* ---- invisible characters ----------------------------------------------------------- */

/*
 * Non-ASCII characters that are invisible or look like a blank: the Unicode
 * categories Zs, Zl and Zp, U+0085, and characters that are pasted unnoticed
 * (zero-width characters, directional marks, the byte order mark).
 */
static const struct
{
	pg_wchar first;
	pg_wchar last;
} blanks[] = {
	{0x0085, 0x0085}, {0x00A0, 0x00A0}, {0x00AD, 0x00AD}, {0x1680, 0x1680},
	{0x180E, 0x180E}, {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x2064},
	{0x2066, 0x2069}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
};

/* Is the first character of text, which has left bytes, one of these or ASCII white space? */
static bool
is_blank(const char *text, int left)
{
	const unsigned char *bytes = (const unsigned char *) text;
	pg_wchar character;

	if (*bytes < 0x80)
		return *bytes <= ' ' || *bytes == 0x7F;
	if (GetDatabaseEncoding() != PG_UTF8 || pg_utf_mblen(bytes) > left)
		return false;
	character = utf8_to_unicode(bytes);
	for (int i = 0; i < lengthof(blanks); i++)
		if (character >= blanks[i].first && character <= blanks[i].last)
			return true;
	return false;
}

/*
 * Does a text begin or end with white space, or with another invisible
 * character?  Non-ASCII characters are recognized in UTF8 databases only.
 */
bool
text_has_blank_ends(const char *text)
{
	int length = strlen(text);
	int last = length - 1;

	if (length == 0)
		return false;
	while (last > 0 && ((unsigned char) text[last] & 0xC0) == 0x80)
		last--;
	return is_blank(text, length) || is_blank(text + last, length - last);
}

/* ---- hosts ---------------------------------------------------------------------------- */

#define MAX_HOST_LENGTH 253

static bool
is_ipv6(const char *text, size_t length)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	/* without its zone */
	for (size_t i = 0; i < length; i++)
		if (text[i] == '%')
			length = i;
	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	return inet_pton(AF_INET6, address, bytes) == 1;
}

/*
 * Remove the brackets around an IPv6 address, as in a URL.  Returns its
 * argument, or palloc'd memory.
 */
char *
host_without_brackets(char *host)
{
	size_t length = strlen(host);

	if (length < 2 || host[0] != '[' || host[length - 1] != ']' || !is_ipv6(host + 1, length - 2))
		return host;
	return pnstrdup(host + 1, length - 2);
}

static bool
has_foreign_letter(const char *host)
{
	for (; *host != '\0'; host++)
		if ((unsigned char) *host >= 0x80)
			return true;
	return false;
}

static bool
has_character_of(const char *host, const char *characters)
{
	for (; *host != '\0'; host++)
		if ((unsigned char) *host <= ' ' || *host == 0x7F || strchr(characters, *host) != NULL)
			return true;
	return false;
}

/*
 * What is wrong with a host, in words that continue "It must be"; NULL if it is
 * valid.  A list, a socket directory or an abstract socket would make libpq
 * connect to something other than the host that was checked.  An international
 * name is not converted: the policy and certificates hold its ASCII form.
 */
const char *
host_fault(const char *host)
{
	if (strlen(host) > MAX_HOST_LENGTH)
		return "at most 253 characters long";
	if (text_has_blank_ends(host))
		return HOST_WANTED ", without white space around it";
	if (strstr(host, "://") != NULL)
		return HOST_WANTED ", not a URL";
	if (*host == '/' || *host == '@')
		return HOST_WANTED ", not a Unix-domain socket";
	if (strchr(host, ',') != NULL)
		return HOST_WANTED ", not a list";
	if (strchr(host, '@') != NULL)
		return HOST_WANTED ", without a user";
	if (strchr(host, '[') != NULL || strchr(host, ']') != NULL)
		return HOST_WANTED ", without brackets; the port belongs in \"port\"";
	if (has_foreign_letter(host))
		return HOST_WANTED " in ASCII, in which an international name begins with xn--";
	if (has_character_of(host, "/=\\\"'"))
		return HOST_WANTED;
	if (strchr(host, ':') != NULL && !is_ipv6(host, strlen(host)))
		return HOST_WANTED "; the port belongs in \"port\"";
	return NULL;
}

/* ---- databases -------------------------------------------------------------------------- */

/* The parameters of a connection string, in all versions of libpq. */
static const char *const conninfo_keywords[] = {
	"application_name",
	"channel_binding",
	"client_encoding",
	"connect_timeout",
	"dbname",
	"fallback_application_name",
	"gssdelegation",
	"gssencmode",
	"gsslib",
	"host",
	"hostaddr",
	"keepalives",
	"keepalives_count",
	"keepalives_idle",
	"keepalives_interval",
	"krbsrvname",
	"load_balance_hosts",
	"max_protocol_version",
	"min_protocol_version",
	"options",
	"passfile",
	"password",
	"port",
	"replication",
	"require_auth",
	"requirepeer",
	"requiressl",
	"service",
	"servicefile",
	"ssl_max_protocol_version",
	"ssl_min_protocol_version",
	"sslcert",
	"sslcertmode",
	"sslcompression",
	"sslcrl",
	"sslcrldir",
	"sslkey",
	"sslmode",
	"sslnegotiation",
	"sslpassword",
	"sslrootcert",
	"sslsni",
	"target_session_attrs",
	"tcp_user_timeout",
	"user",
};

/*
 * Does the name of a database begin like a connection string? libpq takes it as
 * a name (expand_dbname is 0), and a name may contain any character; but a
 * person who writes host=... means something else.
 */
bool
database_is_conninfo(const char *database)
{
	const char *word = database + strspn(database, " \t\r\n");
	size_t length = strcspn(word, " \t\r\n=");

	if (word[length + strspn(word + length, " \t\r\n")] != '=')
		return false;
	for (int i = 0; i < lengthof(conninfo_keywords); i++)
		if (strlen(conninfo_keywords[i]) == length &&
			strncmp(conninfo_keywords[i], word, length) == 0)
			return true;
	return false;
}
