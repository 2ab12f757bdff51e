/*
 * spelling.c
 *		Converts connection strings, other spellings of a connection model than JSON, into models.
 *
 *	postgresql://user:password@host:port/database?sslmode=require	libpq's URIs
 *	host=... dbname=... user=... password='...'	libpq's conninfo strings
 *	jdbc:postgresql://host:port/database?user=...&password=...	JDBC
 *	postgresql+psycopg://user:password@host:port/database	SQLAlchemy
 *	mysql://..., jdbc:mysql://..., and those of other providers
 *
 * A spelling is taken literally: ${ in it is not a reference to a secret, as it
 * is not one in the programs that use the spelling.  So text that another role
 * has chosen never reveals a secret of the caller.
 *
 * Owns: the table of schemes, how a URL is split, and which text is recognized
 * as a spelling.  It must not look anything up, or judge whether the model can
 * be used: a host, a user or a password may be missing.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "arguments/spelling.h"
#include "arguments/spelling_internal.h"
#include "base/compat.h"
#include "base/failure.h"
#include "model/model_bounds.h"
#include "model/model_internal.h"
#include "model/provider.h"
#include "postgres/conninfo.h"

#define WHITE_SPACE " \t\n\v\f\r"

typedef enum Grammar
{
	GRAMMAR_URL, /* SCHEME[+DRIVER]://USER:PASSWORD@HOST:PORT/PATH?PARAMETERS */
	GRAMMAR_JDBC, /* SCHEME://HOST:PORT/DATABASE?PARAMETERS; libpq's also SCHEME:DATABASE?PARAMETERS */
	GRAMMAR_NONE /* recognized, but not converted */
} Grammar;

typedef struct Scheme
{
	const char *name;
	Provider provider;
	Grammar grammar;
	bool parameters;    /* it may have parameters */
	bool semicolons;    /* may replace ? and & */
	const char *path;   /* the member in the URL's path; NULL for database */
	const char *beyond; /* the member in a second part of the path; NULL if it has one part */
} Scheme;

static const Scheme schemes[] = {
	{"postgresql", PROVIDER_POSTGRESQL, GRAMMAR_URL, .parameters = true},
	{"postgres", PROVIDER_POSTGRESQL, GRAMMAR_URL, .parameters = true},
	{"redshift", PROVIDER_REDSHIFT, GRAMMAR_URL, .parameters = true},
	{"questdb", PROVIDER_QUESTDB, GRAMMAR_URL, .parameters = true},
	{"jdbc:postgresql", PROVIDER_POSTGRESQL, GRAMMAR_JDBC, .parameters = true},
	{"jdbc:redshift", PROVIDER_REDSHIFT, GRAMMAR_JDBC, .parameters = true, .semicolons = true},
	{"mysql", PROVIDER_MYSQL, GRAMMAR_URL},
	{"mariadb", PROVIDER_MARIADB, GRAMMAR_URL},
	{"clickhouse", PROVIDER_CLICKHOUSE, GRAMMAR_URL},
	{"mssql", PROVIDER_SQLSERVER, GRAMMAR_URL},
	{"sqlserver", PROVIDER_SQLSERVER, GRAMMAR_URL},
	{"trino", PROVIDER_TRINO, GRAMMAR_URL, .path = "catalog", .beyond = "schema"},
	{"presto", PROVIDER_PRESTO, GRAMMAR_URL, .beyond = "schema"},
	{"jdbc:mysql", PROVIDER_MYSQL, GRAMMAR_JDBC, .parameters = true},
	{"jdbc:mariadb", PROVIDER_MARIADB, GRAMMAR_JDBC, .parameters = true},
	{"jdbc:clickhouse", PROVIDER_CLICKHOUSE, GRAMMAR_JDBC, .parameters = true},
	{"jdbc:ch", PROVIDER_CLICKHOUSE, GRAMMAR_JDBC, .parameters = true},
	{"jdbc:sqlserver", PROVIDER_SQLSERVER, GRAMMAR_JDBC, .parameters = true, .semicolons = true},
	{"jdbc:trino", PROVIDER_TRINO, GRAMMAR_JDBC, .parameters = true, .path = "catalog",
	 .beyond = "schema"},
	{"jdbc:presto", PROVIDER_PRESTO, GRAMMAR_JDBC, .parameters = true, .beyond = "schema"},
	{"bigquery", PROVIDER_BIGQUERY, GRAMMAR_NONE},
	{"databricks", PROVIDER_DATABRICKS, GRAMMAR_NONE},
	{"db2", PROVIDER_DB2, GRAMMAR_NONE},
	{"duckdb", PROVIDER_DUCKDB, GRAMMAR_NONE},
	{"hana", PROVIDER_HANA, GRAMMAR_NONE},
	{"hive", PROVIDER_SPARK, GRAMMAR_NONE},
	{"oracle", PROVIDER_ORACLE, GRAMMAR_NONE},
	{"snowflake", PROVIDER_SNOWFLAKE, GRAMMAR_NONE},
	{"teradatasql", PROVIDER_TERADATA, GRAMMAR_NONE},
	{"jdbc:bigquery", PROVIDER_BIGQUERY, GRAMMAR_NONE},
	{"jdbc:databricks", PROVIDER_DATABRICKS, GRAMMAR_NONE},
	{"jdbc:db2", PROVIDER_DB2, GRAMMAR_NONE},
	{"jdbc:duckdb", PROVIDER_DUCKDB, GRAMMAR_NONE},
	{"jdbc:hive2", PROVIDER_SPARK, GRAMMAR_NONE},
	{"jdbc:oracle", PROVIDER_ORACLE, GRAMMAR_NONE},
	{"jdbc:sap", PROVIDER_HANA, GRAMMAR_NONE},
	{"jdbc:snowflake", PROVIDER_SNOWFLAKE, GRAMMAR_NONE},
	{"jdbc:teradata", PROVIDER_TERADATA, GRAMMAR_NONE},
};

static const Scheme conninfo_string = {NULL, PROVIDER_POSTGRESQL};

/* ---- recognition ----------------------------------------------------------------------------- */

static bool
is_jdbc(const Scheme *scheme)
{
	return strncmp(scheme->name, "jdbc:", strlen("jdbc:")) == 0;
}

/*
 * The text after a scheme, beginning with // (JDBC: after the colon); NULL if
 * it has another scheme.
 */
static const char *
behind_scheme(const char *text, const Scheme *scheme)
{
	const char *rest = text + strlen(scheme->name);

	if (pg_strncasecmp(text, scheme->name, strlen(scheme->name)) != 0)
		return NULL;
	if (is_jdbc(scheme))
		return *rest == ':' ? rest + 1 : NULL;
	if (*rest == '+')
		rest += 1 + strspn(rest + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return strncmp(rest, "://", 3) == 0 ? rest + 1 : NULL;
}

/* The scheme of a URL, and the text after it in *rest; NULL if no known scheme matches. */
static const Scheme *
find_scheme(const char *text, const char **rest)
{
	for (int i = 0; i < lengthof(schemes); i++)
	{
		*rest = behind_scheme(text, &schemes[i]);
		if (*rest != NULL)
			return &schemes[i];
	}
	return NULL;
}

/* Does the text begin with a libpq keyword and "="? */
static bool
is_conninfo(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	const char *behind = text + length + strspn(text + length, WHITE_SPACE);

	return length > 0 && *behind == '=' && conninfo_is_keyword(pnstrdup(text, length));
}

/*
 * Is this text a URL of a known scheme, or a conninfo string?  It may still
 * contain errors.  Only the scheme or the first word is examined.
 */
bool
model_is_spelled(const char *text)
{
	const char *rest;

	text += strspn(text, WHITE_SPACE);
	return find_scheme(text, &rest) != NULL || is_conninfo(text);
}

/*
 * May a new connection have this name?  It must not be a spelling of a model, either:
 * after the connection has been dropped, a query that still has the name would
 * connect to what it says.  False: *failure is DQDS_INVALID_CONNECTION, and shows
 * nothing of the name.
 */
bool
new_name_usable(const char *name, Failure *failure)
{
	if (!model_name_usable(name, failure))
		return false;
	if (!model_is_spelled(name))
		return true;
	failure_set(failure, DQDS_INVALID_CONNECTION,
				"Text of this kind stands for the connection that it describes.",
				"the name of a connection must not be a URL or a conninfo string");
	return false;
}

/* ---- URLs ------------------------------------------------------------------------------------------ */

/*
 * The text before the first @ of a URL is a user and a password, unless a / or
 * a ? comes first.  If programs differ in their reading, or a password may have
 * been written without escapes, the URL is refused: the rest of the password
 * would be taken for a host.
 */
static bool
check_at_signs(const Spelling *spelling, const Scheme *scheme, const char *authority,
			   const char *path, const char *query)
{
	const char *at = strchr(authority, '@');
	bool good = true;

	if (at != NULL && at < path)
		at = strchr(at + 1, '@');
	if (at != NULL && at < query)
		good = false;
	else if (at != NULL && path == query && scheme->grammar == GRAMMAR_URL)
		good = memchr(authority, '@', path - authority) != NULL;
	return good || spelling_unreadable(spelling, "unexpected \"@\"");
}

static bool
check_path(Spelling *spelling, const Scheme *scheme)
{
	const char *path = spelling->values[SPELLED_DATABASE];

	return path == NULL || scheme->beyond == NULL || strchr(path, '/') == NULL ||
		   spelling_refuse(spelling, scheme->beyond, NULL);
}

/* Read the rest of a URL after its scheme, beginning with //. */
static bool
read_url(Spelling *spelling, const Scheme *scheme, const char *rest)
{
	const char *authority = rest + strlen("//");
	const char *path = authority + strcspn(authority, scheme->semicolons ? "/?;" : "/?");
	const char *query = path + strcspn(path, scheme->semicolons ? "?;" : "?");

	if (!check_at_signs(spelling, scheme, authority, path, query) ||
		!spelling_read_libpq(spelling, psprintf("postgresql:%s", pnstrdup(rest, query - rest))) ||
		!check_path(spelling, scheme))
		return false;
	return *query == '\0' ||
		   spelling_read_query(spelling, pstrdup(query + 1), scheme->semicolons ? "&;" : "&",
							   scheme->parameters);
}

/* Expand the short form of PostgreSQL's JDBC driver, which has no host and means localhost. */
static const char *
long_form(const Spelling *spelling, const char *rest)
{
	const char *slashes = strstr(rest, "//");

	if (slashes == rest)
		return rest;
	if (!provider_is_in(spelling->provider, LIBPQ_PROVIDERS))
	{
		(void) spelling_unreadable(spelling, "the scheme is not followed by \"//\"");
		return NULL;
	}
	if (slashes != NULL && slashes < rest + strcspn(rest, "?"))
	{
		(void) spelling_unreadable(spelling,
								   "the scheme is followed by neither \"//\" nor a database");
		return NULL;
	}
	return psprintf("//%s%s", *rest == '/' ? "" : "/", rest);
}

static bool
read_jdbc(Spelling *spelling, const Scheme *scheme, const char *rest)
{
	rest = long_form(spelling, rest);
	if (rest == NULL || !read_url(spelling, scheme, rest))
		return false;
	if (spelling->values[SPELLED_HOST] == NULL)
		spelling->values[SPELLED_HOST] = "localhost";
	return true;
}

/* Read a URL; rest is the part of text after the scheme. */
static bool
read_scheme(Spelling *spelling, const Scheme *scheme, const char *text, const char *rest)
{
	bool has_driver = text[strlen(scheme->name)] == '+';

	spelling->provider = scheme->provider;
	/* JDBC and SQLAlchemy decode + as a blank in parameters, as in web pages; libpq does not. */
	spelling->plus_is_blank = scheme->grammar == GRAMMAR_JDBC || has_driver;
	spelling->ssl_verifies =
		scheme->grammar == GRAMMAR_JDBC && provider_is_in(scheme->provider, LIBPQ_PROVIDERS);
	switch (scheme->grammar)
	{
		case GRAMMAR_URL:
			return read_url(spelling, scheme, rest);
		case GRAMMAR_JDBC:
			return read_jdbc(spelling, scheme, rest);
		case GRAMMAR_NONE:
			break;
	}
	failure_set(spelling->failure, DQDS_INVALID_CONNECTION,
				"Write the connection as a JSON object.",
				"URLs of provider type \"%s\" are not converted into connection models",
				provider_name(scheme->provider));
	return false;
}

/* ---- the model --------------------------------------------------------------------------------------- */

static bool
check_host(const Spelling *spelling)
{
	const char *host = spelling->values[SPELLED_HOST];

	if (host != NULL && strchr(host, ',') != NULL)
		return spelling_refuse(spelling, "host",
							   "A connection has one host: register one connection for each.");
	if (host != NULL && (*host == '/' || *host == '@'))
		return spelling_refuse(spelling, "host",
							   "Unix-domain sockets are not supported: give the name or the "
							   "address of a host, such as localhost.");
	return true;
}

/* A text as the value of a member: ${, which begins a reference there, is escaped as $${. */
static char *
literal(const char *text)
{
	StringInfoData written;

	initStringInfo(&written);
	for (const char *c = text; *c != '\0'; c++)
	{
		if (c[0] == '$' && c[1] == '{')
			appendStringInfoChar(&written, '$');
		appendStringInfoChar(&written, *c);
	}
	return written.data;
}

static JsonbValue
string_value(const char *text)
{
	JsonbValue value = {.type = jbvString};

	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	return value;
}

static void
push_key(JsonbBuilder *state, const char *key)
{
	JsonbValue name = string_value(key);

	(void) dqds_push_jsonb(state, WJB_KEY, &name);
}

static void
push_member(JsonbBuilder *state, const char *key, const char *text)
{
	JsonbValue value = string_value(text);

	push_key(state, key);
	(void) dqds_push_jsonb(state, WJB_VALUE, &value);
}

static void
push_properties(JsonbBuilder *state, List *properties)
{
	ListCell *cell;

	push_key(state, "properties");
	(void) dqds_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	foreach (cell, properties)
	{
		const SpelledProperty *property = lfirst(cell);

		push_member(state, property->name, literal(property->value));
	}
	(void) dqds_push_jsonb(state, WJB_END_OBJECT, NULL);
}

static Jsonb *
make_model(const Spelling *spelling, const Scheme *scheme)
{
	static const char *const keys[NUM_SPELLED_KEYS] = {"host",     "port",    "database", "user",
													   "password", "sslmode", "options"};
	JsonbBuilder state = {0};

	(void) dqds_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_member(&state, "provider_type", provider_name(scheme->provider));
	push_key(&state, provider_name(scheme->provider));
	(void) dqds_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < NUM_SPELLED_KEYS; i++)
	{
		bool is_path = i == SPELLED_DATABASE && scheme->path != NULL;

		if (spelling->values[i] != NULL)
			push_member(&state, is_path ? scheme->path : keys[i], literal(spelling->values[i]));
	}
	if (spelling->properties != NIL)
		push_properties(&state, spelling->properties);
	(void) dqds_push_jsonb(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(dqds_push_jsonb(&state, WJB_END_OBJECT, NULL));
}

/* The text without surrounding white space, such as the newline of a pasted line. */
static char *
trimmed(const char *text)
{
	size_t length;

	text += strspn(text, WHITE_SPACE);
	length = strlen(text);
	while (length > 0 && strchr(WHITE_SPACE, text[length - 1]) != NULL)
		length--;
	return pnstrdup(text, length);
}

/*
 * Convert a spelling into a model, palloc'd.  Returns NULL if that is not
 * possible; *failure is then DQDS_INVALID_CONNECTION, and shows no value from the text.
 * model_is_spelled() must be true for text, and the caller must limit its size.
 */
Jsonb *
model_from_spelling(const char *text, Failure *failure)
{
	Spelling spelling = {.failure = failure};
	const Scheme *scheme;
	const char *rest;
	char *url = trimmed(text);
	bool good;

	scheme = find_scheme(url, &rest);
	if (scheme != NULL)
		good = read_scheme(&spelling, scheme, url, rest);
	else
	{
		scheme = &conninfo_string;
		good = spelling_read_libpq(&spelling, text);
	}
	return good && check_host(&spelling) ? make_model(&spelling, scheme) : NULL;
}
