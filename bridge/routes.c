/*
 * routes.c
 *		THE table: what the REST interface offers, and the SQL behind it.
 *
 * Each route that the published API description has is named as there.  The
 * parameters become $1, $2, … in their order.  statements.c describes how
 * names in the SQL must be written.
 *
 * The SQL of a route calls one function, which the extension has in pg_catalog and
 * which returns SETOF text, or void for ANSWER_EMPTY: AnswerForm says what a row holds.
 * A row of dqds_level_objects() in the install script says which level may call it;
 * call.c reads its name from here when a call is refused.  A route without SQL has an
 * AnswerForm of its own, and a branch in serve.c.
 *
 * A new route also needs its rows in doc/rest.md, doc/sql-access.md and the list of
 * routes in fuzz/http_request.c (t/extension/116_documents.pl compares them), and in the
 * tables of t/bridge/050_tokens.pl and 107_what_is_missing.pl.  The diagnosis of a
 * connection has no route of its own: it is testConnection with details=true.
 */
#include "routes.h"

#include "control_connection.h"
#include "statements.h"

/* clang-format off */
const Route route_table[] = {
	{"POST", "/api/datasource/testconnection",
	 {"testConnection", "SELECT pg_catalog.dqds_test_connection_json($1::pg_catalog.text, $2::pg_catalog.bool, $3::pg_catalog.bool)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_SOME,
	 {{FROM_BODY, "body", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "verifyNameUniqueness", TYPE_BOOLEAN, "true", false},
	  {FROM_QUERY, "details", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/datasource/connections/{}/schemas",
	 {"getRemoteDataSourceSchemas", "SELECT pg_catalog.dqds_list_schemas_json($1::pg_catalog.text, $2::pg_catalog.bool)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "includeSystem", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/datasource/connections/{}/schemas/{}/tables",
	 {"getRemoteDataSourceTables",
	  "SELECT pg_catalog.dqds_list_tables_json($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text, $4::pg_catalog.int4, $5::pg_catalog.bool, "
	  "$6::pg_catalog.bool, $7::pg_catalog.bool, $8::pg_catalog.text, $9::pg_catalog.bool)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "schemaName", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "tableNameContains", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "limit", TYPE_INTEGER, NULL, false},
	  {FROM_QUERY, "details", TYPE_BOOLEAN, "false", false},
	  {FROM_QUERY, "includePartitions", TYPE_BOOLEAN, "true", false},
	  {FROM_QUERY, "caseInsensitive", TYPE_BOOLEAN, "false", false},
	  {FROM_QUERY, "tableNameExcludes", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "includeSizes", TYPE_BOOLEAN, "false", false}}},

	{"GET", "/api/datasource/connections/{}/schemas/{}/tables/{}/columns",
	 {"getRemoteDataSourceColumns",
	  "SELECT pg_catalog.dqds_list_columns_json($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "schemaName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "tableName", TYPE_TEXT, NULL, false}}},

	{"GET", "/api/datasource/connections/{}/schemas/{}/tables/{}/constraints",
	 {"getRemoteDataSourceConstraints",
	  "SELECT pg_catalog.dqds_list_constraints_json($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "schemaName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "tableName", TYPE_TEXT, NULL, false}}},

	{"GET", "/api/datasource/connections/{}/schemas/{}/tables/{}/indexes",
	 {"getRemoteDataSourceIndexes",
	  "SELECT pg_catalog.dqds_list_indexes_json($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NAMED,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "schemaName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "tableName", TYPE_TEXT, NULL, false}}},

	{"GET", "/api/connections",
	 {"getAllConnections", "SELECT model FROM pg_catalog.dqds_connections_json() AS model"},
	 ANSWER_ARRAY, 200, 400, WAITS_FOR_NOTHING, {{0}}},

	{"GET", "/api/connections/{}/basic",
	 {"getConnectionBasic", "SELECT pg_catalog.dqds_connection_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	{"POST", "/api/connections/{}/basic",
	 {"createConnectionBasic", "SELECT pg_catalog.dqds_create_connection_json($1::pg_catalog.text, $2::pg_catalog.text)"},
	 ANSWER_EMPTY, 201, 406, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_BODY, "body", TYPE_TEXT, NULL, false}}},

	{"PUT", "/api/connections/{}/basic",
	 {"updateConnectionBasic", "SELECT pg_catalog.dqds_update_connection_json($1::pg_catalog.text, $2::pg_catalog.text)"},
	 ANSWER_EMPTY, 204, 406, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_BODY, "body", TYPE_TEXT, NULL, false}}},

	{"GET", "/api/connections/{}",
	 {"getConnection", "SELECT pg_catalog.dqds_connection_spec_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	{"DELETE", "/api/connections/{}",
	 {"deleteConnection", "SELECT pg_catalog.dqds_drop_connection_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	{"GET", "/api/connections/{}/schemas",
	 {"getSchemas", "SELECT pg_catalog.dqds_imported_schemas_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false}}},

	{"GET", "/api/connections/{}/schemas/{}/tables",
	 {"getTables",
	  "SELECT pg_catalog.dqds_imported_tables_json($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text, $4::pg_catalog.int4, $5::pg_catalog.int4)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "connectionName", TYPE_TEXT, NULL, false},
	  {FROM_PATH, "schemaName", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "filter", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "page", TYPE_INTEGER, NULL, false},
	  {FROM_QUERY, "limit", TYPE_INTEGER, NULL, false}}},

	/* The import is done when the answer is there, so there is nothing to wait for. */
	{"POST", "/api/jobs/importtables",
	 {"importTables", "SELECT pg_catalog.dqds_import_tables_json($1::pg_catalog.text, $2::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_SOME,
	 {{FROM_BODY, "body", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "jobBusinessKey", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "wait", TYPE_BOOLEAN, NULL, true},
	  {FROM_QUERY, "waitTimeout", TYPE_INTEGER, NULL, true}}},

	{"GET", "/api/jobs/jobs/{}",
	 {"getJob", "SELECT pg_catalog.dqds_job_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "jobId", TYPE_TEXT, NULL, false}}},

	{"GET", "/api/jobs/jobs/{}/wait",
	 {"waitForJob", "SELECT pg_catalog.dqds_job_json($1::pg_catalog.text)"},
	 ANSWER_PIECES, 200, 400, WAITS_FOR_NOTHING,
	 {{FROM_PATH, "jobId", TYPE_TEXT, NULL, false},
	  {FROM_QUERY, "waitTimeout", TYPE_INTEGER, NULL, true}}},

	{"GET", "/api/ishealthy", {"isHealthy", NULL}, ANSWER_HEALTH, 200, 503, WAITS_FOR_NOTHING, {{0}}},
};
/* clang-format on */

#define ROUTE_COUNT (sizeof(route_table) / sizeof(route_table[0]))

const size_t route_count = ROUTE_COUNT;

_Static_assert(ROUTE_COUNT + BRIDGE_STATEMENTS <= MAX_PREPARED,
			   "a connection has room for every prepared statement");
