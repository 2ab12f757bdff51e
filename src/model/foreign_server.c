/*
 * foreign_server.c
 *		Makes a target of a foreign server of postgres_fdw or dblink_fdw and the caller's user mapping.
 *
 * The login is always that of the calling role, by PostgreSQL's own rules: the
 * role needs USAGE on the server, and its user mapping is used, or else that of
 * PUBLIC.  The owner of a registered connection must not be able to send the
 * caller's password elsewhere or with less protection, or to make the caller
 * log in with other options.  So a model that names a foreign server may set
 * only sslmode besides, which must not be weaker than that of the server.
 *
 * Owns: which options of a server and of a mapping are used, ignored or
 * refused.  References to secrets are not expanded in them, since any role may
 * write its own mapping.  A mapping's password_required is ignored: a password
 * must be given, and be used.
 */
#include "postgres.h"

#include "access/htup.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/failure.h"
#include "model/model_internal.h"
#include "model/properties.h"
#include "model/provider.h"
#include "model/target.h"

/*
 * Foreign-data wrappers whose options are those of libpq, identified by their
 * validator function.
 */
static const struct
{
	const char *library;
	const char *validator;
} wrappers[] = {
	{"$libdir/postgres_fdw", "postgres_fdw_validator"},
	{"$libdir/dblink", "dblink_fdw_validator"},
};

/* What server and mapping say about the place and the login, as text; NULL if nothing. */
typedef struct Login
{
	char *host;
	char *port;
	char *database;
	char *user;
	char *password;
	char *sslmode;
	char *options;
	char *connect_timeout;
} Login;

static const struct
{
	const char *option;
	size_t offset;
} login_options[] = {
	{"host", offsetof(Login, host)},         {"port", offsetof(Login, port)},
	{"dbname", offsetof(Login, database)},   {"user", offsetof(Login, user)},
	{"password", offsetof(Login, password)}, {"sslmode", offsetof(Login, sslmode)},
	{"options", offsetof(Login, options)},   {"connect_timeout", offsetof(Login, connect_timeout)},
};

/* Options about how the wrapper uses a connection, or that are always the same here. */
static const char *const ignored_options[] = {
	"analyze_sampling",
	"async_capable",
	"batch_size",
	"client_encoding",
	"extensions",
	"fallback_application_name",
	"fdw_startup_cost",
	"fdw_tuple_cost",
	"fetch_size",
	"keep_connections",
	"parallel_abort",
	"parallel_commit",
	"password_required",
	"truncatable",
	"updatable",
	"use_remote_estimate",
	"use_scram_passthrough",
};

/* Keys that a model with a foreign server must not have. */
static const char *const excluded_keys[] = {"host",     "port",    "database",  "user",
											"password", "options", "properties"};

/* An SQL identifier, always quoted; palloc'd. */
static char *
quoted(const char *name)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendStringInfoChar(&out, '"');
		appendStringInfoChar(&out, *name);
	}
	appendStringInfoChar(&out, '"');
	return out.data;
}

/* ---- failures ----------------------------------------------------------------------- */

static bool
option_invalid(const char *option, const char *server, const char *wanted, Failure *failure)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, psprintf("It must be %s.", wanted),
				"the option \"%s\" of foreign server \"%s\" is not valid", option, server);
	return false;
}

static bool
option_missing(const char *option, const char *server, Failure *failure)
{
	failure_set(failure, DQDS_INVALID_CONNECTION, "Add it with ALTER SERVER or ALTER USER MAPPING.",
				"the option \"%s\" of foreign server \"%s\" is missing", option, server);
	return false;
}

static bool
mapping_missing(const char *server, const char *role, Failure *failure)
{
	failure_set(failure, DQDS_INVALID_CONNECTION,
				psprintf("Run: CREATE USER MAPPING FOR %s SERVER %s OPTIONS (user '...', "
						 "password '...');",
						 quoted(role), quoted(server)),
				"there is no user mapping for \"%s\" and foreign server \"%s\"", role, server);
	return false;
}

/* ---- the catalog -------------------------------------------------------------------- */

/*
 * Is this the validator function of one of the wrappers?  Only a superuser can
 * create such a function.
 */
static bool
is_known_validator(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool no_library;
	bool no_source;
	Datum library;
	Datum source;
	bool known = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	library = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_probin, &no_library);
	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &no_source);
	for (int i = 0; i < lengthof(wrappers) && !no_library && !no_source; i++)
		known |= strcmp(TextDatumGetCString(library), wrappers[i].library) == 0 &&
				 strcmp(TextDatumGetCString(source), wrappers[i].validator) == 0;
	ReleaseSysCache(tuple);
	return known;
}

/* The server, if the role may use it; else NULL, and *failure says why. */
static ForeignServer *
find_server(const char *name, Oid role, Failure *failure)
{
	/* A longer name would be truncated to one that may exist. */
	ForeignServer *server = strlen(name) < NAMEDATALEN ? GetForeignServerByName(name, true) : NULL;

	if (server == NULL)
		failure_set(failure, DQDS_INVALID_CONNECTION,
					"Foreign servers of this database are listed in pg_foreign_server.",
					"foreign server \"%s\" does not exist", name);
	else if (!is_known_validator(GetForeignDataWrapper(server->fdwid)->fdwvalidator))
		failure_set(failure, DQDS_INVALID_CONNECTION,
					"Only servers of postgres_fdw and dblink_fdw can be used.",
					"foreign server \"%s\" is not a PostgreSQL server", name);
	else if (!dqds_may_use_server(server->serverid, role))
		failure_set(failure, DQDS_PERMISSION_DENIED,
					psprintf("Its owner can run: GRANT USAGE ON FOREIGN SERVER %s TO %s;",
							 quoted(name), quoted(GetUserNameFromId(role, false))),
					"permission denied for foreign server \"%s\"", name);
	else
		return server;
	return NULL;
}

/* The options of the role's user mapping, or of that of PUBLIC; false if there is neither. */
static bool
find_mapping(const ForeignServer *server, Oid role, List **options)
{
	HeapTuple tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(role),
									  ObjectIdGetDatum(server->serverid));
	bool isnull;
	Datum value;

	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid),
								ObjectIdGetDatum(server->serverid));
	if (!HeapTupleIsValid(tuple))
		return false;
	value = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	*options = isnull ? NIL : untransformRelOptions(value);
	ReleaseSysCache(tuple);
	return true;
}

/* ---- options ------------------------------------------------------------------------- */

static bool
is_ignored(const char *option)
{
	for (int i = 0; i < lengthof(ignored_options); i++)
		if (strcmp(ignored_options[i], option) == 0)
			return true;
	return false;
}

/* The member of *login for an option, or NULL if there is none. */
static char **
login_member(Login *login, const char *option)
{
	for (int i = 0; i < lengthof(login_options); i++)
		if (strcmp(login_options[i].option, option) == 0)
			return (char **) ((char *) login + login_options[i].offset);
	return NULL;
}

/* Store one option in *login or, if it is a property, in *target. */
static bool
take_option(const char *server, const char *option, char *value, Login *login, Target *target,
			Failure *failure)
{
	char **member = login_member(login, option);
	const Property *property = property_find(PROVIDER_POSTGRESQL, option);
	const char *wanted;

	if (member != NULL)
		*member = value;
	if (member != NULL || is_ignored(option))
		return true;
	if (property != NULL && property->keyword != NULL)
		return property_apply(property, value, target, &wanted) ||
			   option_invalid(option, server, wanted, failure);
	failure_set(failure, DQDS_INVALID_CONNECTION,
				"Write a connection model without that option in place of \"" FOREIGN_SERVER "\".",
				"the option \"%s\" of foreign server \"%s\" is not supported", option, server);
	return false;
}

static bool
take_options(const char *server, List *options, Login *login, Target *target, Failure *failure)
{
	ListCell *cell;

	foreach (cell, options)
	{
		DefElem *element = lfirst(cell);
		char *value = defGetString(element);

		if (*value != '\0' && !take_option(server, element->defname, value, login, target, failure))
			return false;
	}
	return true;
}

/* ---- the target ------------------------------------------------------------------------ */

static bool
set_place(const char *server, const Login *login, Target *target, Failure *failure)
{
	const char *fault;

	if (login->host == NULL)
		return option_missing("host", server, failure);
	target->host = host_without_brackets(login->host);
	fault = host_fault(target->host);
	if (fault != NULL)
		return option_invalid("host", server, fault, failure);
	if (login->port != NULL && !model_integer(login->port, 1, 65535, &target->port))
		return option_invalid("port", server, "a whole number from 1 to 65535", failure);
	target->shown_host = login->host;
	target->shown_port = psprintf("%d", target->port);
	return true;
}

/* The mapping may be that of PUBLIC, which the caller cannot read: its password is never shown. */
static bool
set_login(const char *server, const Login *login, Target *target, Failure *failure)
{
	if (login->user == NULL)
		return option_missing("user", server, failure);
	if (login->password == NULL)
	{
		failure_set(failure, DQDS_PASSWORD_REQUIRED, "Add it with ALTER USER MAPPING.",
					"the user mapping for foreign server \"%s\" has no password", server);
		return false;
	}
	if (strlen(login->password) > MAX_PASSWORD_BYTES)
		return option_invalid("password", server,
							  psprintf("at most %d bytes long", MAX_PASSWORD_BYTES), failure);
	target->user = login->user;
	target->database = login->database != NULL ? login->database : login->user;
	target->shown_user = target->user;
	target->shown_database = target->database;
	target->options = login->options;
	target->password = login->password;
	target->secret_values = lappend(target->secret_values, target->password);
	target->stored_secret = true;
	/* The remote server may repeat these. */
	target->own_words = lappend(target->own_words, target->user);
	target->own_words = lappend(target->own_words, target->database);
	if (target->options != NULL)
		target->own_words = lappend(target->own_words, target->options);
	return true;
}

/* Use the model's sslmode, which must not be weaker than the server's, or else the server's. */
static bool
set_sslmode(const char *server, const char *of_server, const char *of_model, Target *target,
			Failure *failure)
{
	const ProviderRules *rules = provider_rules(PROVIDER_POSTGRESQL);
	const char *mode = of_server != NULL ? of_server : rules->default_sslmode;

	if (provider_sslmode_rank(PROVIDER_POSTGRESQL, mode) < 0)
		return option_invalid("sslmode", server, one_of_words(rules->sslmodes), failure);
	if (of_model != NULL && provider_sslmode_rank(PROVIDER_POSTGRESQL, of_model) <
								provider_sslmode_rank(PROVIDER_POSTGRESQL, mode))
		return model_invalid(
			failure, "postgresql", "sslmode",
			psprintf("at least %s, which foreign server \"%s\" has", mode, server));
	target->sslmode = pstrdup(of_model != NULL ? of_model : mode);
	return true;
}

/* The connect_timeout of the server applies if it is shorter than the caller's. */
static void
set_timeout(const char *seconds, Target *target)
{
	int number;

	if (seconds != NULL && model_integer(seconds, 1, 3600, &number))
		target->connect_timeout_ms = Min(number * 1000, target->connect_timeout_ms);
}

/* Fill in placeholders for a model that is only checked. */
static bool
set_anything(const char *sslmode, Target *target)
{
	target->host = target->shown_host = pstrdup("1");
	target->shown_port = pstrdup("1");
	target->user = target->shown_user = target->host;
	target->database = target->shown_database = target->host;
	target->sslmode =
		pstrdup(sslmode != NULL ? sslmode : provider_rules(PROVIDER_POSTGRESQL)->default_sslmode);
	return true;
}

/* Does the model leave out everything that only the server and the mapping may say? */
static bool
stands_alone(JsonbContainer *section, const char *name, const Target *target, Failure *failure)
{
	for (int i = 0; i < lengthof(excluded_keys); i++)
		if (model_has_value(section, excluded_keys[i]))
		{
			failure_set(failure, DQDS_INVALID_CONNECTION,
						"Leave it out: it comes from the foreign server and the user mapping of "
						"the caller.",
						"\"%s.%s\" cannot be combined with \"" FOREIGN_SERVER "\"", name,
						excluded_keys[i]);
			return false;
		}
	if (target->password_required)
		return true;
	failure_set(failure, DQDS_INVALID_CONNECTION,
				"Leave it out: the password of the user mapping must be used.",
				"\"password_required\" cannot be false together with \"" FOREIGN_SERVER "\"");
	return false;
}

/*
 * Read a section that names a foreign server into *target, whose port must be
 * set to its default.  If target->scope is NULL, only the model is checked, and
 * nothing is looked up.  Otherwise returns false if *failure was set: to
 * DQDS_INVALID_CONNECTION, to DQDS_PERMISSION_DENIED for a role without USAGE,
 * or to DQDS_PASSWORD_REQUIRED for a mapping without a password.
 */
bool
model_read_foreign_server(JsonbContainer *section, const char *name, Target *target,
						  Failure *failure)
{
	char *server_name = model_string(section, name, FOREIGN_SERVER);
	char *sslmode = model_string(section, name, "sslmode");
	ForeignServer *server;
	List *mapping;
	Login login = {0};
	Oid role;

	if (!stands_alone(section, name, target, failure))
		return false;
	if (target->scope == NULL)
		return set_anything(sslmode, target);
	role = target->scope->caller->role;
	server = find_server(server_name, role, failure);
	if (server == NULL)
		return false;
	if (!find_mapping(server, role, &mapping))
		return mapping_missing(server_name, GetUserNameFromId(role, false), failure);
	if (!take_options(server_name, server->options, &login, target, failure) ||
		!take_options(server_name, mapping, &login, target, failure) ||
		!set_place(server_name, &login, target, failure) ||
		!set_login(server_name, &login, target, failure) ||
		!set_sslmode(server_name, login.sslmode, sslmode, target, failure))
		return false;
	set_timeout(login.connect_timeout, target);
	return true;
}
