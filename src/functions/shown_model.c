/*
 * shown_model.c
 *		Returns a connection's model to clients of the bridge, alone or as a member.
 *
 * The members that are computed for each caller are the same as in the view
 * dqds_connections: both take them from dqds_shown_model() in the install
 * script.  It must not show a secret.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "listing/json_out.h"
#include "registry/owner_call.h"
#include "registry/registry.h"

PG_FUNCTION_INFO_V1(dqds_connection_json);
PG_FUNCTION_INFO_V1(dqds_connection_spec_json);

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

/* dqds_connection_json(connection_name): one document, with masked secrets */
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
	json_out_jsonb(&out.text, model);
	json_out_close(&out);
	statement_show(&scope);
	return (Datum) 0;
}

/* Append a member of the model under its own name. */
static void
append_member(StringInfo text, Jsonb *model, const char *name)
{
	JsonbValue value;

	if (getKeyJsonValueFromContainer(&model->root, name, strlen(name), &value) == NULL)
		return;
	json_out_name(text, name);
	json_out_jsonb(text, JsonbValueToJsonb(&value));
}

/*
 * dqds_connection_spec_json(connection_name): one document; spec is the stored
 * model, with masked secrets and without the computed members.
 */
Datum
dqds_connection_spec_json(PG_FUNCTION_ARGS)
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
	appendStringInfoChar(&out.text, '{');
	append_member(&out.text, model, "connection_name");
	append_member(&out.text, model, "connection_hash");
	json_out_name(&out.text, "spec");
	json_out_jsonb(&out.text, entry.model);
	append_member(&out.text, model, "can_edit");
	appendStringInfoChar(&out.text, '}');
	json_out_close(&out);
	statement_show(&scope);
	return (Datum) 0;
}
