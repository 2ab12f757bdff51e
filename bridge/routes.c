/*
 * routes.c
 *		THE table: what the REST interface offers, and the SQL behind it.
 *
 * Each route is named as in the published API description.  The parameters
 * become $1, $2, … in their order.  @extschema@ stands for the schema that the
 * extension lives in.  How names in the SQL must be written is said in
 * statements.c.
 */
#include "routes.h"

#include "control_connection.h"
#include "statements.h"

/* clang-format off */
const Route route_table[] = {
	{"POST", "/api/datasource/testconnection",
	 {"testConnection", "SELECT @extschema@.dqds_test_connection_json($1::pg_catalog.text, $2::pg_catalog.bool, $3::pg_catalog.bool)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_SOME,
	 {{FROM_BODY, "body", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "verifyNameUniqueness", TYPE_BOOLEAN, "true", false},
	  {FROM_QUERY, "details", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/datasource/connections/{}/schemas",
	 {"getRemoteDataSourceSchemas", "SELECT @extschema@.dqds_list_schemas_json($1::pg_catalog.text, $2::pg_catalog.bool)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "includeSystem", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/datasource/connections/{}/schemas/{}/tables",
	 {"getRemoteDataSourceTables",
	  "SELECT @extschema@.dqds_list_tables_json($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text, $4::pg_catalog.int4, $5::pg_catalog.bool)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "schemaName", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "tableNameContains", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "limit", TYPE_INTEGER, NULL, false},
	  {FROM_QUERY, "details", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/connections",
	 {"getAllConnections", "SELECT c.model FROM @extschema@.dqds_connections c ORDER BY c.connection_name USING OPERATOR(pg_catalog.<)"},
	 ANSWER_ARRAY, 200, 400, WAITS_FOR_NOTHING, {{0}}},

	{"GET", "/api/connections/{}/basic",
	 {"getConnectionBasic", "SELECT @extschema@.dqds_connection_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	{"POST", "/api/connections/{}/basic",
	 {"createConnectionBasic", "SELECT @extschema@.dqds_create_connection($1::pg_catalog.text, $2::pg_catalog.text)"},
	 ANSWER_EMPTY, 201, 406, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_BODY, "body", TYPE_TEXT, NULL, false}}},

	{"PUT", "/api/connections/{}/basic",
	 {"updateConnectionBasic", "SELECT @extschema@.dqds_update_connection($1::pg_catalog.text, $2::pg_catalog.text)"},
	 ANSWER_EMPTY, 204, 406, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_BODY, "body", TYPE_TEXT, NULL, false}}},

	{"DELETE", "/api/connections/{}",
	 {"deleteConnection", "SELECT @extschema@.dqds_drop_connection_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	/* The import is done when the answer is there, so there is nothing to wait for. */
	{"POST", "/api/jobs/importtables",
	 {"importTables", "SELECT @extschema@.dqds_import_tables_json($1::pg_catalog.text, $2::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_SOME,
	 {{FROM_BODY, "body", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "jobBusinessKey", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "wait", TYPE_BOOLEAN, NULL, true},
	  {FROM_QUERY, "waitTimeout", TYPE_INTEGER, NULL, true}}},

	{"GET", "/api/ishealthy", {"isHealthy", NULL}, ANSWER_HEALTH, 200, 503, WAITS_FOR_NOTHING, {{0}}},
};
/* clang-format on */

#define ROUTE_COUNT (sizeof(route_table) / sizeof(route_table[0]))

const size_t route_count = ROUTE_COUNT;

_Static_assert(ROUTE_COUNT + BRIDGE_STATEMENTS <= MAX_PREPARED,
			   "a connection has room for every prepared statement");
