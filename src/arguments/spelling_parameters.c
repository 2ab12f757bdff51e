/*
 * spelling_parameters.c
 *		Reads the parameters of libpq's URIs and conninfo strings, of JDBC URLs and of Python tools' URLs.
 *
 * libpq's own parser reads conninfo strings, and the part of each URL before
 * its parameters, whose grammar is always the same.  A parameter that has no
 * counterpart in a model is refused by name.  No message contains a value, or
 * libpq's own message, which quotes the input.
 *
 * Owns: which parameters become which keys of a section.  Those that become properties are
 * the ones of model/properties.c.  It must not look anything up in the database, or judge
 * whether a value can be used.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"

#include "arguments/spelling_internal.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "model/properties.h"
#include "postgres/conninfo.h"

/*
 * Parameters that are keys of a section, and the providers whose URLs may have them after the
 * question mark.  libpq's own parser uses the names of the first column for the parts of every
 * URL.  UID and PWD are from Redshift's JDBC driver.
 */
static const struct
{
	const char *name;
	SpelledKey key;
	ProviderSet providers;
} key_parameters[] = {
	{"host", SPELLED_HOST, LIBPQ_PROVIDERS},
	{"port", SPELLED_PORT, LIBPQ_PROVIDERS},
	{"dbname", SPELLED_DATABASE, LIBPQ_PROVIDERS},
	{"user", SPELLED_USER, ALL_PROVIDERS},
	{"UID", SPELLED_USER, LIBPQ_PROVIDERS},
	{"password", SPELLED_PASSWORD, ALL_PROVIDERS},
	{"PWD", SPELLED_PASSWORD, LIBPQ_PROVIDERS},
	{"sslmode", SPELLED_SSLMODE, LIBPQ_PROVIDERS},
	{"options", SPELLED_OPTIONS, LIBPQ_PROVIDERS},
	{"database", SPELLED_DATABASE, ONLY(PROVIDER_SQLSERVER) | ONLY(PROVIDER_CLICKHOUSE)},
	{"databaseName", SPELLED_DATABASE, ONLY(PROVIDER_SQLSERVER)},
	{"userName", SPELLED_USER, ONLY(PROVIDER_SQLSERVER)},
};

/*
 * Parameters of other programs without a counterpart in a model, separated by
 * blanks.  They are refused like any other word, but their names may always be
 * shown; an unknown word after a password may be part of it.
 */
static const char foreign_parameters[] =
	" allowEncodingChanges allowPublicKeyRetrieval applicationName autosave"
	" binaryTransfer channelBinding characterEncoding charset command_timeout"
	" connection_limit currentSchema defaultRowFetchSize driver gssEncMode"
	" integratedSecurity kerberosServerName loadBalanceHosts pgbouncer"
	" pool_timeout preferQueryMode prepareThreshold prepared_statement_cache_size"
	" readOnly reWriteBatchedInserts schema search_path server_settings"
	" serverTimezone sessionVariables socketFactory socketTimeout sslfactory"
	" sslhostnameverifier statement_cache_size stringtype targetServerType"
	" useUnicode zeroDateTimeBehavior ";

/* ---- refusals ------------------------------------------------------------------------------ */

#define MAX_SHOWN_NAME 60

/*
 * Report that this parameter has no counterpart in a model; hint may be NULL.
 * Always returns false.
 */
bool
spelling_refuse(const Spelling *spelling, const char *parameter, const char *hint)
{
	failure_set(spelling->failure, DQDS_INVALID_CONNECTION,
				hint != NULL ? hint : "Leave it out, or write the connection as a JSON object.",
				"the parameter \"%s\" cannot be carried over into a connection model", parameter);
	return false;
}

static bool
refuse_unnamed(const Spelling *spelling, int number)
{
	failure_set(spelling->failure, DQDS_INVALID_CONNECTION,
				"Its name is not shown because it may be part of a password: in the password of a "
				"URL, write & as %26 and = as %3D.",
				"parameter %d of the connection string is not known", number);
	return false;
}

/* Report that the text cannot be parsed, and why.  Always returns false. */
bool
spelling_unreadable(const Spelling *spelling, const char *reason)
{
	failure_set(spelling->failure, DQDS_INVALID_CONNECTION,
				"In a URL, write special characters as %XX, such as @ in a password as %40; in a "
				"conninfo string, enclose a value with blanks in single quotes.",
				"the connection string cannot be read: %s", reason);
	return false;
}

/* ---- conninfo strings ------------------------------------------------------------------------- */

/* Is this a conninfo string without a password? */
static bool
has_no_password(const char *text)
{
	ConninfoFault ignored;
	List *options;
	ListCell *cell;

	if (!conninfo_read(text, &options, &ignored))
		return false;
	foreach (cell, options)
		if (((const ConninfoOption *) lfirst(cell))->is_secret)
			return false;
	return true;
}

/* The first place where a word is a keyword of a conninfo string, or NULL. */
static const char *
find_keyword(const char *text, const char *word)
{
	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
	{
		const char *behind = at + strlen(word);

		if ((at == text || isspace((unsigned char) at[-1])) &&
			behind[strspn(behind, " \t\n\v\f\r")] == '=')
			return at;
	}
	return NULL;
}

/* libpq stops at the first unknown keyword, which is shown only if no password precedes it. */
static bool
refuse_unknown_keyword(const Spelling *spelling, const char *text, const char *word)
{
	const char *at = *word == '\0' ? NULL : find_keyword(text, word);

	if (at == NULL || strlen(word) > MAX_SHOWN_NAME || !has_no_password(pnstrdup(text, at - text)))
		return spelling_unreadable(spelling, "a word before \"=\" is not a parameter of libpq");
	return spelling_refuse(spelling, visible_text(word), NULL);
}

/* ---- from parameters to members ------------------------------------------------------------------ */

static void
set_property(Spelling *spelling, const char *name, const char *value)
{
	SpelledProperty *property = NULL;
	ListCell *cell;

	foreach (cell, spelling->properties)
		if (strcmp(((SpelledProperty *) lfirst(cell))->name, name) == 0)
			property = lfirst(cell);
	if (property == NULL)
	{
		property = palloc(sizeof(SpelledProperty));
		property->name = name;
		spelling->properties = lappend(spelling->properties, property);
	}
	property->value = value;
}

/* In URLs of asyncpg, ssl may have a value of sslmode. */
static bool
is_sslmode(const Spelling *spelling, const char *name, const char *value)
{
	bool ignored;

	return provider_is_in(spelling->provider, LIBPQ_PROVIDERS) && strcmp(name, "ssl") == 0 &&
		   !parse_bool(value, &ignored);
}

/*
 * Does ssl demand verification, as in JDBC?  JDBC drivers verify certificates
 * unless sslmode, anywhere in the URL, overrides that.
 */
static bool
is_verifying_ssl(const Spelling *spelling, const char *name, const char *value)
{
	bool on;

	return spelling->ssl_verifies && strcmp(name, "ssl") == 0 && parse_bool(value, &on) && on;
}

/* Store a parameter that is a key of a section; the last of several counts, as in libpq. */
static bool
set_key(Spelling *spelling, ProviderSet providers, const char *name, const char *value)
{
	for (int i = 0; i < lengthof(key_parameters); i++)
		if (strcmp(key_parameters[i].name, name) == 0 &&
			(key_parameters[i].providers & providers) != 0)
		{
			spelling->values[key_parameters[i].key] = pstrdup(value);
			return true;
		}
	return false;
}

/*
 * Store a parameter; returns false if it has no counterpart in a model.  providers are those
 * of whose sections it may be a key.
 */
static bool
set_parameter(Spelling *spelling, ProviderSet providers, const char *name, const char *value)
{
	const Property *property = property_find(spelling->provider, name);

	if (set_key(spelling, providers, name, value))
		return true;
	if (property == NULL)
		return false;
	if (is_sslmode(spelling, name, value))
		spelling->values[SPELLED_SSLMODE] = pstrdup(value);
	else if (is_verifying_ssl(spelling, name, value))
	{
		if (spelling->values[SPELLED_SSLMODE] == NULL)
			spelling->values[SPELLED_SSLMODE] = "verify-full";
	}
	else
		set_property(spelling, property->name, pstrdup(value));
	return true;
}

static bool
is_text(const Spelling *spelling, const char *value)
{
	return pg_verifymbstr(value, strlen(value), true) ||
		   spelling_unreadable(spelling, "a value is not valid text");
}

/* Read a conninfo string, or a URI that begins with postgresql://. */
bool
spelling_read_libpq(Spelling *spelling, const char *text)
{
	ConninfoFault fault;
	List *options;
	ListCell *cell;

	if (!conninfo_read(text, &options, &fault))
		return fault.unknown_keyword != NULL
				   ? refuse_unknown_keyword(spelling, text, fault.unknown_keyword)
				   : spelling_unreadable(spelling, fault.reason);
	foreach (cell, options)
	{
		const ConninfoOption *option = lfirst(cell);

		if (!is_text(spelling, option->value))
			return false;
		if (!set_parameter(spelling, LIBPQ_PROVIDERS, option->keyword, option->value))
			return spelling_refuse(spelling, option->keyword, NULL);
	}
	return true;
}

/* ---- the parameters of a URL ----------------------------------------------------------------------- */

static int
hexadecimal_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = pg_ascii_tolower((unsigned char) c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte for an escape, or -1 if it is not valid. */
static int
escaped_byte(const char *escape)
{
	int high = hexadecimal_digit(escape[1]);
	int low = high < 0 ? -1 : hexadecimal_digit(escape[2]);

	return low < 0 ? -1 : high * 16 + low;
}

/* Decode the escapes in a value; returns NULL, and sets the failure, if one is not valid. */
static char *
decode(const Spelling *spelling, const char *value)
{
	char *decoded = palloc(strlen(value) + 1);
	char *out = decoded;

	for (const char *c = value; *c != '\0'; c++)
	{
		int byte = (unsigned char) *c;

		if (byte == '%')
		{
			byte = escaped_byte(c);
			c += 2;
		}
		else if (byte == '+' && spelling->plus_is_blank)
			byte = ' ';
		if (byte <= 0)
		{
			(void) spelling_unreadable(spelling,
									   byte == 0 ? "%00 is not a character"
												 : "a % is not followed by two hexadecimal digits");
			return NULL;
		}
		*out++ = (char) byte;
	}
	*out = '\0';
	return is_text(spelling, decoded) ? decoded : NULL;
}

/* May the name of a refused parameter be shown wherever it is? */
static bool
is_known_word(const char *name)
{
	return strstr(foreign_parameters, psprintf(" %s ", name)) != NULL || conninfo_is_keyword(name);
}

/*
 * May the name of a parameter be part of a password with an unescaped & or ??
 * It may if it follows a password, or precedes what may be the end of one.
 */
static bool
may_be_secret(const char *name, const char *behind, bool after_password)
{
	if (strlen(name) <= MAX_SHOWN_NAME && is_known_word(name))
		return false;
	return after_password || strlen(name) > MAX_SHOWN_NAME || strchr(name, '@') != NULL ||
		   strchr(behind, '@') != NULL;
}

/*
 * Read the parameters of a URL; query is the text after the question mark, and
 * is modified.  If parameters are not permitted, the first one is refused.
 * Returns false if it cannot be converted.
 */
bool
spelling_read_query(Spelling *spelling, char *query, const char *separators, bool permitted)
{
	const char *first_password = spelling->values[SPELLED_PASSWORD];
	int number = 0;

	while (*query != '\0')
	{
		char *name = query;
		char *equals;
		char *value;

		query += strcspn(query, separators);
		if (*query != '\0')
			*query++ = '\0';
		if (*name == '\0')
			continue;
		number++;
		equals = strchr(name, '=');
		if (equals == NULL)
			return spelling_unreadable(spelling, "a parameter has no \"=\"");
		*equals = '\0';
		value = decode(spelling, equals + 1);
		if (value == NULL)
			return false;
		/* An empty value means the default, but for JDBC an empty ssl is true. */
		if (*value == '\0' && spelling->ssl_verifies && strcmp(name, "ssl") == 0)
			value = pstrdup("true");
		if (*value == '\0' ||
			(permitted && set_parameter(spelling, ONLY(spelling->provider), name, value)))
			continue;
		if (may_be_secret(name, psprintf("%s%s", equals + 1, query),
						  spelling->values[SPELLED_PASSWORD] != first_password))
			return refuse_unnamed(spelling, number);
		return spelling_refuse(spelling, visible_text(name), NULL);
	}
	return true;
}
