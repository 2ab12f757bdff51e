/*
 * statements.c
 *		The SQL that the bridge runs besides that of the routes.
 *
 * A session of the bridge can become any role that requests run as, so what it
 * runs must not depend on what anyone may create, rename or set: in all SQL, here
 * and in routes.c, each function, type, operator and relation is named with its
 * schema, which is pg_catalog, and each parameter has a cast.  What is prepared is
 * parsed again when a schema is renamed; so no other schema is named, not even that
 * of the extension.  t/bridge/055_names_bound.pl reads both files.
 */
#include "statements.h"

/*
 * Only a superuser has UPDATE on a table of the system catalog, whatever was
 * granted (pg_class_aclmask); 1260 is pg_authid.  To ask for that privilege reads
 * no table, and shows what is true now, unlike the session's own is_superuser.  No role has the empty name: taking it on is an error, which ends the
 * transaction.
 */

/* clang-format off */
const Statement statement_take_token_role = {
	"dqds_bridge_token_role",
	"SELECT pg_catalog.set_config('role'::pg_catalog.text, CASE WHEN $3::pg_catalog.bool OR NOT "
	"pg_catalog.has_table_privilege(session_user, 1260::pg_catalog.oid, 'UPDATE'::pg_catalog.text) "
	"THEN pg_catalog.dqds_token_role($1::pg_catalog.bytea)::pg_catalog.text ELSE ''::pg_catalog.text END, true), "
	"pg_catalog.set_config('statement_timeout'::pg_catalog.text, $2::pg_catalog.text, true)"};

/* The role is taken on, and then asked about: only CASE keeps to an order. */
const Statement statement_take_role = {
	"dqds_bridge_role",
	"SELECT CASE WHEN $3::pg_catalog.bool "
	"THEN pg_catalog.set_config('role'::pg_catalog.text, $1::pg_catalog.text, true) "
	"WHEN pg_catalog.has_table_privilege(session_user, 1260::pg_catalog.oid, 'UPDATE'::pg_catalog.text) "
	"THEN pg_catalog.set_config('role'::pg_catalog.text, ''::pg_catalog.text, true) "
	"WHEN pg_catalog.set_config('role'::pg_catalog.text, $1::pg_catalog.text, true) IS NULL THEN NULL "
	"WHEN pg_catalog.has_table_privilege(1260::pg_catalog.oid, 'UPDATE'::pg_catalog.text) "
	"THEN pg_catalog.set_config('role'::pg_catalog.text, ''::pg_catalog.text, true) "
	"ELSE $1::pg_catalog.text END, "
	"pg_catalog.set_config('statement_timeout'::pg_catalog.text, $2::pg_catalog.text, true)"};

const Statement statement_nothing = {"dqds_bridge_nothing", "SELECT 1"};

const Statement statement_missing_level = {
	"dqds_bridge_missing_level",
	"SELECT pg_catalog.dqds_missing_level($1::pg_catalog.text, $2::pg_catalog.bool)"};

/*
 * SET names no function and no operator, and wins over what ALTER DATABASE,
 * ALTER ROLE and the connection string say.  Parameters hold passwords, which an
 * error must not put into the server's log.  Names come without quotation
 * marks where they need none, that of search_path included, and an error does not
 * end the session.
 */
const char sql_bind_names[] =
	"SET quote_all_identifiers = off; SET exit_on_error = off; "
	"SET search_path = pg_catalog, pg_temp; SET log_parameter_max_length_on_error = 0";

const char search_path_wanted[] = "pg_catalog, pg_temp";

const char sql_set_up[] =
	"SELECT r.rolsuper, r.rolinherit, EXISTS (SELECT FROM pg_catalog.pg_roles a "
	"WHERE a.rolname OPERATOR(pg_catalog.=) $2::pg_catalog.text::pg_catalog.name AND a.rolsuper), "
	"(SELECT x.extversion FROM pg_catalog.pg_extension x "
	"WHERE x.extname OPERATOR(pg_catalog.=) 'dqds'::pg_catalog.name), "
	"pg_catalog.current_setting('search_path'::pg_catalog.text), "
	"pg_catalog.set_config('statement_timeout'::pg_catalog.text, $1::pg_catalog.text, false) "
	"FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) session_user";
/* clang-format on */
