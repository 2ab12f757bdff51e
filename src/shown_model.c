/*
 * shown_model.c
 *		dqds_connection_json: the model of a connection as it is given back to clients of the bridge.
 *
 * The members that are computed for each caller are those of the view
 * dqds_connections: both take them from dqds_shown_model() of the install script.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "dqds.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dqds_connection_json);

static Jsonb *
shown_model(const Caller *caller, const RegistryEntry *entry)
{
	OwnerCall call = {0};

	owner_call_add_text(&call, entry->name);
	owner_call_add_jsonb(&call, entry->model);
	owner_call_add(&call, BOOLOID, BoolGetDatum(registry_may_edit(caller, entry)), false);
	owner_call_add(&call, BOOLOID, BoolGetDatum(caller_is_editor(caller)), false);
	owner_call_add(&call, BOOLOID, BoolGetDatum(caller_is_operator(caller)), false);
	return DatumGetJsonbP(owner_call_inside(caller, "dqds_shown_model", &call, NULL));
}

/* dqds_connection_json(connection_name): one document, secrets masked */
Datum
dqds_connection_json(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	RegistryEntry entry;
	Jsonb *model;
	JsonOut out;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	registry_get(&caller, name_argument(fcinfo, 0, "connection_name"), &entry);
	model = shown_model(&caller, &entry);
	json_out_open(fcinfo, &out);
	(void) JsonbToCString(&out.text, &model->root, VARSIZE(model));
	json_out_close(&out);
	statement_show(&scope);
	return (Datum) 0;
}
