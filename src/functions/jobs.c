/*
 * jobs.c
 *		The jobs that the bridge reports to its clients.
 *
 * In the published interface, imports and removals of connections are queued,
 * and clients ask later for the state of the job.  Here nothing is queued: the
 * job is done in the same transaction as the answer.  So every job that can be
 * found is finished.
 *
 * A job belongs to the role that requested it; other roles, except admins, do
 * not see it. dqds_store_job() in the install script limits how many are kept,
 * and for how long.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "arguments/connection_argument.h"
#include "arguments/statement_scope.h"
#include "base/caller.h"
#include "base/misplaced_secret.h"
#include "base/remote_text.h"
#include "functions/jobs.h"
#include "listing/json_out.h"
#include "registry/owner_call.h"

PG_FUNCTION_INFO_V1(dqds_job_json);

/* A longer key is returned, but not stored. */
#define MAX_KEY_BYTES 1000

/* Words of the published enum, in which removing a connection is a job that deletes data. */
static const char *const type_names[] = {
	[JOB_IMPORT_TABLES] = "import_tables", [JOB_DELETE_CONNECTION] = "delete_stored_data"};

/*
 * Add the role that owns jobs, by OID and name, because either alone may later
 * be that of another role.
 */
static void
add_role(OwnerCall *call, Oid role)
{
	owner_call_add(call, OIDOID, ObjectIdGetDatum(role), !OidIsValid(role));
	owner_call_add_text(call, OidIsValid(role) ? GetUserNameFromId(role, false) : NULL);
}

/*
 * Store a job of the caller, and append
 * {"jobId":…,"jobBusinessKey":…,"createdAt":…}. business_key may be NULL, and
 * its member is then left out.
 */
void
job_append(StringInfo text, const Caller *caller, JobType type, const char *business_key)
{
	TimestampTz created = GetCurrentStatementStartTimestamp();
	int64 created_us = created + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	bool key_fits = business_key != NULL && strlen(business_key) <= MAX_KEY_BYTES;
	OwnerCall call = {.what = "job"};
	int64 id;

	add_role(&call, caller->role);
	owner_call_add_text(&call, type_names[type]);
	owner_call_add_text(&call, key_fits ? business_key : NULL);
	owner_call_add(&call, TIMESTAMPTZOID, TimestampTzGetDatum(created), false);
	id = DatumGetInt64(owner_call(caller, "dqds_store_job", &call, NULL));

	appendStringInfo(text, "{\"jobId\":%lld", (long long) id);
	json_out_string(text, "jobBusinessKey", business_key);
	appendStringInfo(text, ",\"createdAt\":%lld}", (long long) created_us / 1000);
}

/* Add the text as a job's id, or NULL if it is not a valid one. */
static void
add_id(OwnerCall *call, const char *text)
{
	bool is_number =
		*text != '\0' && strlen(text) <= 18 && strspn(text, "0123456789") == strlen(text);

	owner_call_add(call, INT8OID, Int64GetDatum(is_number ? strtoll(text, NULL, 10) : 0),
				   !is_number);
}

/*
 * The message is the same for a job that never existed, one that is no longer
 * kept, and one of another role.
 */
__attribute__((noreturn)) static void
unknown_job(const char *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT), errhidestmt(true), errhidecontext(true),
			 name_may_hold_secret(id) ? errmsg("a job of this id does not exist")
									  : errmsg("job \"%s\" does not exist", visible_text(id)),
			 errhint("A role sees only its own jobs: the latest 1000, for a day.")));
	pg_unreachable();
}

/* dqds_job_json(job_id): by id or business key */
Datum
dqds_job_json(PG_FUNCTION_ARGS)
{
	Caller caller;
	StatementScope scope;
	OwnerCall call = {.what = "job"};
	char *id;
	Datum job;
	bool unknown;
	JsonOut out;

	caller_init(&caller, fcinfo);
	statement_hide_names(&scope, fcinfo);
	id = name_argument(fcinfo, 0, "job_id");
	add_id(&call, id);
	owner_call_add_text(&call, id);
	add_role(&call, caller_is_admin(&caller) ? InvalidOid : caller.role);
	job = owner_read(&caller, "dqds_find_job", &call, &unknown);
	if (unknown)
		unknown_job(id);
	json_out_open(fcinfo, &out);
	json_out_jsonb(&out.text, DatumGetJsonbP(job));
	json_out_close(&out);
	statement_show(&scope);
	return (Datum) 0;
}
