/*
 * routes.c
 *		THE table: what the REST interface offers, and the SQL behind it.
 *
 * Each route is named as in the published API description.  The parameters
 * become $1, $2, … in their order.  @extschema@ stands for the schema that the
 * extension lives in.  A new operation is a new row, and nothing else.
 */
#include "routes.h"

/* clang-format off */
const Route route_table[] = {
	{"POST", "/api/datasource/testconnection",
	 {"testConnection", "SELECT @extschema@.dqds_test_connection_json($1::text, $2::boolean, $3::boolean)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_SOME,
	 {{FROM_BODY, "body", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "verifyNameUniqueness", TYPE_BOOLEAN, "true", false},
	  {FROM_QUERY, "details", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/datasource/connections/{}/schemas",
	 {"getRemoteDataSourceSchemas", "SELECT @extschema@.dqds_list_schemas_json($1::text, $2::boolean)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "includeSystem", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/datasource/connections/{}/schemas/{}/tables",
	 {"getRemoteDataSourceTables",
	  "SELECT @extschema@.dqds_list_tables_json($1::text, $2::text, $3::text, $4::integer, $5::boolean)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "schemaName", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "tableNameContains", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "limit", TYPE_INTEGER, NULL, false},
	  {FROM_QUERY, "details", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/connections",
	 {"getAllConnections", "SELECT model FROM @extschema@.dqds_connections ORDER BY connection_name"},
	 ANSWER_ARRAY, 200, 400, WAITS_FOR_NOTHING, {{0}}},

	{"GET", "/api/connections/{}/basic",
	 {"getConnectionBasic", "SELECT @extschema@.dqds_connection_json($1::text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	{"POST", "/api/connections/{}/basic",
	 {"createConnectionBasic", "SELECT @extschema@.dqds_create_connection($1::text, $2::text)"},
	 ANSWER_EMPTY, 201, 406, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_BODY, "body", TYPE_TEXT, NULL, false}}},

	{"PUT", "/api/connections/{}/basic",
	 {"updateConnectionBasic", "SELECT @extschema@.dqds_update_connection($1::text, $2::text)"},
	 ANSWER_EMPTY, 204, 406, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_BODY, "body", TYPE_TEXT, NULL, false}}},

	{"DELETE", "/api/connections/{}",
	 {"deleteConnection", "SELECT @extschema@.dqds_drop_connection_json($1::text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	/* The import is done when the answer is there, so there is nothing to wait for. */
	{"POST", "/api/jobs/importtables",
	 {"importTables", "SELECT @extschema@.dqds_import_tables_json($1::text, $2::text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_SOME,
	 {{FROM_BODY, "body", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "jobBusinessKey", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "wait", TYPE_BOOLEAN, NULL, true},
	  {FROM_QUERY, "waitTimeout", TYPE_INTEGER, NULL, true}}},

	{"GET", "/api/ishealthy", {"isHealthy", NULL}, ANSWER_HEALTH, 200, 503, WAITS_FOR_NOTHING, {{0}}},
};
/* clang-format on */

const size_t route_count = sizeof(route_table) / sizeof(route_table[0]);
