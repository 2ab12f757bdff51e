/*
 * connection_functions.c
 *		SQL functions that create, change, drop and rename connections.
 *
 * Each checks the caller's privileges and the arguments, and then calls an
 * internal function that changes the registry (owner_call.c).
 *
 * Owns: the rules for who may change a connection, and how.  It must not
 * connect.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "arguments/connection_argument.h"
#include "arguments/spelling.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/compat.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "functions/jobs.h"
#include "listing/json_out.h"
#include "model/model.h"
#include "model/model_check.h"
#include "model/model_form.h"
#include "registry/environment.h"
#include "registry/owner_call.h"
#include "registry/registry.h"
#include "registry/roles.h"

PG_FUNCTION_INFO_V1(dqds_create_connection_1_1);
PG_FUNCTION_INFO_V1(dqds_create_connection_json);
PG_FUNCTION_INFO_V1(dqds_update_connection_1_1);
PG_FUNCTION_INFO_V1(dqds_update_connection_json);
PG_FUNCTION_INFO_V1(dqds_patch_connection);
PG_FUNCTION_INFO_V1(dqds_drop_connection_1_1);
PG_FUNCTION_INFO_V1(dqds_drop_connection_json);
PG_FUNCTION_INFO_V1(dqds_rename_connection_1_1);

static void
check_new_name(const char *name)
{
	Failure failure;

	if (!new_name_usable(name, &failure))
		failure_raise(&failure);
}

/* Reads the second argument: model_argument or spelled_model_argument. */
typedef Jsonb *(*ModelReader)(const Caller *caller, FunctionCallInfo fcinfo, int n,
							  Failure *failure);

static Jsonb *
get_model(const Caller *caller, FunctionCallInfo fcinfo, ModelReader read)
{
	Failure failure;
	Jsonb *model = read(caller, fcinfo, 1, &failure);

	if (model == NULL)
		failure_raise(&failure);
	return model;
}

static void
refuse_existing_name(const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
					errmsg("connection \"%s\" already exists", visible_text(name))));
}

/* Only for a better message: the unique index of the table prevents duplicate names. */
static void
check_name_is_free(const Caller *caller, const char *name, int64 id)
{
	RegistryEntry entry;

	if (registry_find(caller, name, &entry) && entry.id != id)
		refuse_existing_name(name);
}

/* Only superusers may let others use the trust that remote servers have in this server. */
static void
check_password_rule(const Caller *caller, Jsonb *model)
{
	if (model_password_required(model) || superuser_arg(caller->role))
		return;
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("only a superuser may set \"password_required\" to false"),
					errhint("Give a password, or ask a superuser to register the connection.")));
}

/*
 * Get a connection that the caller may edit.  Errors: 42704 if the caller may
 * not use it, 42501 if the caller may only use it.
 */
static void
get_to_edit(const Caller *caller, const char *name, RegistryEntry *entry)
{
	registry_get(caller, name, entry);
	if (!registry_may_edit(caller, entry))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of connection \"%s\"", visible_text(name)),
						errhint("Admins may change it, too, and give it another owner with "
								"dqds_set_connection_owner.")));
}

/*
 * The same, and lock it against changes by other sessions until the end of the
 * transaction: the masks of a new model must not keep secrets that have just
 * been replaced, and a caller that has just lost the connection must not change
 * it.
 */
static void
get_to_change(const Caller *caller, const char *name, RegistryEntry *entry)
{
	OwnerCall call = {0};
	int64 locked;

	get_to_edit(caller, name, entry);
	locked = entry->id;
	owner_call_add(&call, INT8OID, Int64GetDatum(locked), false);
	(void) owner_call(caller, "dqds_lock_connection", &call, NULL);
	/* The transaction that held the lock may have changed it, or renamed another one. */
	get_to_edit(caller, name, entry);
	if (entry->id != locked)
		owner_call_found_nothing("connection");
}

/*
 * Call an internal function that changes a connection; it may have been dropped
 * since it was found.
 */
static void
change_connection(const Caller *caller, const char *function, OwnerCall *call)
{
	bool dropped;

	(void) owner_call(caller, function, call, &dropped);
	if (dropped)
		owner_call_found_nothing("connection");
}

/* Bring a model into its stored form, or raise an error if it cannot be registered. */
static void
normalize_or_raise(const Caller *caller, Jsonb *model, const RegistryEntry *stored,
				   NormalModel *normal)
{
	Failure failure = {.code = DQDS_OK};

	if (!model_normalize(model, stored == NULL ? NULL : stored->model,
						 stored == NULL ? NULL : stored->secrets, normal, &failure) ||
		!model_validate(normal, &failure))
		failure_raise(&failure);
	check_password_rule(caller, normal->model);
}

/* Report the warnings about a model that has been stored. */
static void
warn_of_model(const NormalModel *normal)
{
	ListCell *cell;

	foreach (cell, model_warnings(normal->model))
		ereport(WARNING, (errcode(ERRCODE_WARNING), errmsg_internal("%s", (char *) lfirst(cell))));
}

/*
 * Add the paths of the members whose references to the environment may be
 * resolved, for a model that replaces stored (NULL for a new connection).
 * Errors: QD021 if the caller may not write a reference.
 */
static void
add_environment_members(const Caller *caller, const NormalModel *normal,
						const RegistryEntry *stored, OwnerCall *call)
{
	Failure failure;
	List *paths;
	Datum *elements;
	ListCell *cell;
	int count = 0;

	if (!environment_members(caller, normal, stored, &paths, &failure))
		failure_raise(&failure);
	elements = palloc(sizeof(Datum) * Max(list_length(paths), 1));
	foreach (cell, paths)
		elements[count++] = CStringGetTextDatum(lfirst(cell));
	owner_call_add(
		call, TEXTARRAYOID,
		PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false, TYPALIGN_INT)), false);
}

static void
create_connection(FunctionCallInfo fcinfo, ModelReader read)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {0};
	NormalModel normal;
	char *name;
	bool exists;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	PreventCommandIfReadOnly("dqds_create_connection");
	name = name_argument(fcinfo, 0, "the name of a connection");
	check_new_name(name);
	normalize_or_raise(&caller, get_model(&caller, fcinfo, read), NULL, &normal);

	role_enrol(&caller, caller.role);
	owner_call_add_text(&call, name);
	owner_call_add(&call, REGROLEOID, ObjectIdGetDatum(caller.role), false);
	owner_call_add_jsonb(&call, normal.model);
	owner_call_add_jsonb(&call, normal.secrets);
	add_environment_members(&caller, &normal, NULL, &call);
	(void) owner_call(&caller, "dqds_store_connection", &call, &exists);
	if (exists)
		refuse_existing_name(name);
	warn_of_model(&normal);
	statement_show(&scope);
}

/* dqds_create_connection(name, model): this name overrides the model's connection_name */
Datum
dqds_create_connection_1_1(PG_FUNCTION_ARGS)
{
	create_connection(fcinfo, spelled_model_argument);
	PG_RETURN_VOID();
}

/* dqds_create_connection_json(name, model): for the bridge, whose requests have JSON bodies */
Datum
dqds_create_connection_json(PG_FUNCTION_ARGS)
{
	create_connection(fcinfo, model_argument);
	PG_RETURN_VOID();
}

/* The connection_name in the model of a connection must not be that of another one. */
static void
check_own_name(Jsonb *model, const char *name)
{
	char *own_name = model_connection_name(model);
	Failure failure;

	if (own_name == NULL || strcmp(own_name, name) == 0)
		return;
	failure_set(&failure, DQDS_INVALID_CONNECTION,
				"Use dqds_rename_connection to give a connection another name.",
				"the model is of connection \"%s\", not of \"%s\"", own_name, name);
	failure_raise(&failure);
}

/*
 * Replace the model of a connection.  If patch is set, the argument is a merge
 * patch, which is applied to the stored model with its masks; the masks keep
 * the secrets by the same rules as in any other model.
 */
static void
update_connection(FunctionCallInfo fcinfo, const char *command, ModelReader read, bool patch)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {0};
	RegistryEntry entry;
	NormalModel normal;
	Jsonb *model;
	char *name;

	caller_init(&caller, fcinfo);
	statement_hide(&scope);
	PreventCommandIfReadOnly(command);
	name = name_argument(fcinfo, 0, "the name of a connection");
	model = get_model(&caller, fcinfo, read);
	get_to_change(&caller, name, &entry);
	check_own_name(model, name);
	if (patch)
		model = model_patch(entry.model, model);
	normalize_or_raise(&caller, model, &entry, &normal);

	owner_call_add(&call, INT8OID, Int64GetDatum(entry.id), false);
	owner_call_add_jsonb(&call, normal.model);
	owner_call_add_jsonb(&call, normal.secrets);
	add_environment_members(&caller, &normal, &entry, &call);
	change_connection(&caller, "dqds_replace_connection", &call);
	warn_of_model(&normal);
	statement_show(&scope);
}

/* dqds_update_connection(name, model): a mask keeps the stored secret */
Datum
dqds_update_connection_1_1(PG_FUNCTION_ARGS)
{
	update_connection(fcinfo, "dqds_update_connection", spelled_model_argument, false);
	PG_RETURN_VOID();
}

/* dqds_update_connection_json(name, model): for the bridge, whose requests have JSON bodies */
Datum
dqds_update_connection_json(PG_FUNCTION_ARGS)
{
	update_connection(fcinfo, "dqds_update_connection", model_argument, false);
	PG_RETURN_VOID();
}

/* dqds_patch_connection(name, patch): members that are not in the patch stay, secrets included */
Datum
dqds_patch_connection(PG_FUNCTION_ARGS)
{
	update_connection(fcinfo, "dqds_patch_connection", model_argument, true);
	PG_RETURN_VOID();
}

static void
drop_connection(const Caller *caller, FunctionCallInfo fcinfo)
{
	StatementScope scope;
	OwnerCall call = {0};
	RegistryEntry entry;

	statement_hide_names(&scope, fcinfo);
	PreventCommandIfReadOnly("dqds_drop_connection");
	get_to_change(caller, name_argument(fcinfo, 0, "the name of a connection"), &entry);
	owner_call_add(&call, INT8OID, Int64GetDatum(entry.id), false);
	change_connection(caller, "dqds_remove_connection", &call);
	if (registry_connection_left(caller, entry.id))
		owner_call_found_nothing("connection");
	statement_show(&scope);
}

/* dqds_drop_connection(name): also drops its imports and grants */
Datum
dqds_drop_connection_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;

	caller_init(&caller, fcinfo);
	drop_connection(&caller, fcinfo);
	PG_RETURN_VOID();
}

/*
 * dqds_drop_connection_json(connection_name): the same for the bridge.  The
 * answer describes a job, for clients that expect the removal to be queued.
 */
Datum
dqds_drop_connection_json(PG_FUNCTION_ARGS)
{
	Caller caller;
	JsonOut out;

	caller_init(&caller, fcinfo);
	drop_connection(&caller, fcinfo);
	json_out_open(fcinfo, &out);
	job_append(&out.text, &caller, JOB_DELETE_CONNECTION, NULL);
	json_out_close(&out);
	return (Datum) 0;
}

/* dqds_rename_connection(name, new_name): keeps imports and grants */
Datum
dqds_rename_connection_1_1(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {0};
	RegistryEntry entry;
	char *new_name;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	PreventCommandIfReadOnly("dqds_rename_connection");
	get_to_change(&caller, name_argument(fcinfo, 0, "the name of a connection"), &entry);
	new_name = name_argument(fcinfo, 1, "the new name of a connection");
	check_new_name(new_name);
	check_name_is_free(&caller, new_name, entry.id);
	owner_call_add(&call, INT8OID, Int64GetDatum(entry.id), false);
	owner_call_add_text(&call, new_name);
	change_connection(&caller, "dqds_store_connection_name", &call);
	statement_show(&scope);
	PG_RETURN_VOID();
}
