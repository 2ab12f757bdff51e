/*
 * diagnosis_steps.c
 *		Finds out how far a connection gets, step by step.
 *
 * It uses one new login with a trace, and one overview query.  The status of
 * each step is ok, warning (it works, but should be improved), failed, or
 * skipped, because an earlier step failed or there is no server to reach.
 *
 * No version of a remote is judged: the step server names it.
 *
 * Owns: what a diagnosis says of every remote alike; the words that depend on the kind of
 * remote are those of wire/diagnosis_words.c, and what a failed step says is the failure.
 * It shows literal addresses only if the caller of diagnose_steps() asks for them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"

#include "arguments/connection_argument.h"
#include "base/caller.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "engine/engine.h"
#include "functions/diagnosis_steps.h"
#include "model/model.h"
#include "model/secret.h"
#include "model/target.h"
#include "wire/diagnosis_words.h"
#include "wire/login_trace.h"
#include "wire/question.h"

typedef enum Step
{
	STEP_MODEL,
	STEP_RESOLVE,
	STEP_CONNECT,
	STEP_TLS,
	STEP_AUTHENTICATE,
	STEP_DATABASE,
	STEP_SERVER,
	STEP_SCHEMAS,
	STEP_TABLES
} Step;

static const char *const step_names[DIAGNOSIS_STEPS] = {"model",  "resolve",      "connect",
														"tls",    "authenticate", "database",
														"server", "schemas",      "tables"};

/* The result of the overview query; a count is -1 if the server does not have it. */
typedef struct Overview
{
	bool answered;
	bool in_recovery;
	long counts[4]; /* schemas, usable schemas, tables, readable tables */
} Overview;

typedef struct Diagnosis
{
	const Target *target;
	Operation *operation;
	LoginTrace trace;
	Overview overview;
	List *warnings; /* about the model (char *) */
	bool show_addresses;
	DiagnosisStep *steps;
} Diagnosis;

static void
take_overview(void *sink, const char **values, int nvalues)
{
	Overview *overview = sink;

	if (nvalues < 6)
		return;
	overview->answered = true;
	overview->in_recovery = values[1] != NULL && *values[1] == 't';
	for (int i = 0; i < lengthof(overview->counts); i++)
		overview->counts[i] = values[i + 2] == NULL ? -1 : strtol(values[i + 2], NULL, 10);
}

static void
set_step(Diagnosis *diagnosis, Step step, const char *status, char *message, const char *hint)
{
	diagnosis->steps[step].status = status;
	diagnosis->steps[step].message = message == NULL ? NULL : visible_text(message);
	diagnosis->steps[step].hint = hint == NULL ? NULL : visible_text(hint);
}

/* ---- which step failed ------------------------------------------------------------ */

/* Failures that belong to a certain step, whatever the trace says. */
static const struct
{
	DqdsErrorCode code;
	Step step;
} failed_steps[] = {
	{DQDS_INVALID_CONNECTION, STEP_MODEL},
	{DQDS_UNSUPPORTED_PROVIDER, STEP_MODEL},
	{DQDS_UNRESOLVED_SECRET, STEP_MODEL},
	{DQDS_HOST_NOT_FOUND, STEP_RESOLVE},
	{DQDS_TARGET_NOT_ALLOWED, STEP_RESOLVE},
	{DQDS_CONNECTION_REFUSED, STEP_CONNECT},
	{DQDS_UNREACHABLE, STEP_CONNECT},
	{DQDS_BUSY, STEP_CONNECT},
	{DQDS_TLS_FAILED, STEP_TLS},
	{DQDS_TLS_CERTIFICATE, STEP_TLS},
	{DQDS_AUTHENTICATION_FAILED, STEP_AUTHENTICATE},
	{DQDS_PASSWORD_REQUIRED, STEP_AUTHENTICATE},
	{DQDS_LOGIN_NOT_ALLOWED, STEP_AUTHENTICATE},
	{DQDS_DATABASE_NOT_FOUND, STEP_DATABASE},
};

/* A provider without sslmode tells by its trace alone.  MySQL's word is DISABLED. */
static bool
may_use_tls(const Target *target)
{
	return target->sslmode == NULL || pg_strncasecmp(target->sslmode, "disable", 7) != 0;
}

/* A provider that reads files of this machine has none. */
static bool
has_server(const Target *target)
{
	return *target->host != '\0';
}

static Step
failed_step(const Diagnosis *diagnosis)
{
	const LoginTrace *trace = &diagnosis->trace;
	DqdsErrorCode code = diagnosis->operation->failure.code;

	if (trace->logged_in_us != 0 && code != DQDS_PASSWORD_REQUIRED)
		return STEP_SERVER;
	/* The server found the fault in the model. */
	if (code == DQDS_INVALID_CONNECTION && trace->connected_us != 0)
		return STEP_AUTHENTICATE;
	if (code == DQDS_TARGET_NOT_ALLOWED && !has_server(diagnosis->target))
		return STEP_DATABASE;
	for (int i = 0; i < lengthof(failed_steps); i++)
		if (failed_steps[i].code == code)
			return failed_steps[i].step;
	if (code == DQDS_PERMISSION_DENIED || !has_server(diagnosis->target))
		return STEP_DATABASE;
	if (trace->resolved_us == 0)
		return STEP_RESOLVE;
	if (trace->connected_us == 0)
		return STEP_CONNECT;
	if (trace->encrypted_us == 0 && may_use_tls(diagnosis->target))
		return STEP_TLS;
	return STEP_AUTHENTICATE;
}

/* ---- the texts ------------------------------------------------------------------------ */

static void
describe_model(Diagnosis *diagnosis)
{
	StringInfoData text;
	ListCell *cell;

	if (diagnosis->warnings == NIL)
	{
		set_step(diagnosis, STEP_MODEL, "ok", pstrdup("the connection model is valid"), NULL);
		return;
	}
	initStringInfo(&text);
	foreach (cell, diagnosis->warnings)
		appendStringInfo(&text, "%s%s", text.len == 0 ? "" : "; ", (char *) lfirst(cell));
	set_step(diagnosis, STEP_MODEL, "warning", text.data,
			 "Correct the connection model, or leave out what it does not need.");
}

static char *
address_list(const Diagnosis *diagnosis)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s has %d address%s", diagnosis->target->shown_host,
					 diagnosis->trace.naddresses, diagnosis->trace.naddresses == 1 ? "" : "es");
	for (int i = 0; diagnosis->show_addresses && i < diagnosis->trace.naddresses; i++)
		appendStringInfo(&text, "%s%s", i == 0 ? ": " : ", ",
						 secret_hide(diagnosis->target, diagnosis->trace.addresses[i]));
	return text.data;
}

/* Append "; certificate for NAME …" if the server has sent one. */
static void
append_certificate(StringInfo text, const Diagnosis *diagnosis)
{
	const Target *target = diagnosis->target;
	const LoginTrace *trace = &diagnosis->trace;

	if (trace->certificate_expires[0] == '\0')
		return;
	appendStringInfo(text, "; certificate for %s (names: %s), valid until %s",
					 remote_line(secret_hide(target, trace->certificate_subject)),
					 trace->certificate_names[0] == '\0'
						 ? "none"
						 : remote_line(secret_hide(target, trace->certificate_names)),
					 trace->certificate_expires);
	if (trace->certificate_issuer[0] != '\0')
		appendStringInfo(text, ", issued by %s",
						 remote_line(secret_hide(target, trace->certificate_issuer)));
}

static void
describe_tls(Diagnosis *diagnosis)
{
	const LoginTrace *trace = &diagnosis->trace;
	StringInfoData text;

	if (!trace->tls)
	{
		set_step(diagnosis, STEP_TLS, "warning", pstrdup("the connection is not encrypted"),
				 diagnosis_words(diagnosis->target, WORDS_NOT_ENCRYPTED));
		return;
	}
	initStringInfo(&text);
	appendStringInfo(&text, "%s with %s", trace->tls_protocol, trace->tls_cipher);
	append_certificate(&text, diagnosis);
	set_step(diagnosis, STEP_TLS, trace->certificate_expired ? "warning" : "ok", text.data,
			 trace->certificate_expired ? "The certificate has expired: renew it." : NULL);
}

static void
describe_server(Diagnosis *diagnosis)
{
	const Operation *operation = diagnosis->operation;
	const char *role = diagnosis_words(
		diagnosis->target, diagnosis->overview.in_recovery ? WORDS_STANDBY : WORDS_PRIMARY);
	const char *way =
		diagnosis_words(diagnosis->target, operation->direct ? WORDS_DIRECT : WORDS_INDIRECT);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "version %s",
					 operation->server_version == NULL ? "unknown" : operation->server_version);
	if (role != NULL)
		appendStringInfo(&text, ", %s", role);
	if (way != NULL)
		appendStringInfo(&text, ", %s", way);
	set_step(diagnosis, STEP_SERVER, "ok", text.data, NULL);
}

/* Who counted, as the end of a sentence; empty if the provider has no users. */
static const char *
by_user(const Target *target)
{
	return *target->shown_user == '\0' ? "" : psprintf(" by user \"%s\"", target->shown_user);
}

/* Not every remote tells which tables can be read. */
static void
describe_tables(Diagnosis *diagnosis)
{
	const long *counts = diagnosis->overview.counts;
	const Target *target = diagnosis->target;
	bool some = counts[3] < 0 ? counts[2] > 0 : counts[3] > 0;
	char *message = psprintf("%ld tables and views visible", counts[2]);

	if (counts[2] < 0)
		return;
	if (counts[3] >= 0)
		message = psprintf("%s, %ld readable%s", message, counts[3], by_user(target));
	set_step(diagnosis, STEP_TABLES, some ? "ok" : "warning", message,
			 some ? NULL : diagnosis_words(target, WORDS_NO_TABLES));
}

static void
describe_counts(Diagnosis *diagnosis)
{
	const long *counts = diagnosis->overview.counts;
	const Target *target = diagnosis->target;
	char *message;
	bool some;

	if (counts[0] < 0)
		return;
	some = counts[1] < 0 ? counts[0] > 0 : counts[1] > 0;
	/* Nor which schemas can be used. */
	message = counts[1] < 0
				  ? psprintf("%ld schemas", counts[0])
				  : psprintf("%ld schemas, %ld usable%s", counts[0], counts[1], by_user(target));
	set_step(diagnosis, STEP_SCHEMAS, some ? "ok" : "warning", message,
			 some ? NULL : diagnosis_words(target, WORDS_NO_SCHEMAS));
	describe_tables(diagnosis);
}

static double
between(int64 from_us, int64 to_us)
{
	return from_us == 0 || to_us == 0 ? -1 : (double) (to_us - from_us) / 1000.0;
}

static void
measure(Diagnosis *diagnosis)
{
	const LoginTrace *trace = &diagnosis->trace;
	int64 encrypted = trace->encrypted_us != 0 ? trace->encrypted_us : trace->connected_us;

	diagnosis->steps[STEP_RESOLVE].elapsed_ms = between(trace->started_us, trace->resolved_us);
	diagnosis->steps[STEP_CONNECT].elapsed_ms = between(trace->resolved_us, trace->connected_us);
	diagnosis->steps[STEP_TLS].elapsed_ms = between(trace->connected_us, trace->encrypted_us);
	diagnosis->steps[STEP_AUTHENTICATE].elapsed_ms = between(encrypted, trace->logged_in_us);
	diagnosis->steps[STEP_SERVER].elapsed_ms = between(trace->logged_in_us, trace->ended_us);
}

/* The failure's message; a certificate that was not accepted is described. */
static char *
failed_message(const Diagnosis *diagnosis)
{
	const Failure *failure = &diagnosis->operation->failure;
	StringInfoData text;

	if (failure->code != DQDS_TLS_CERTIFICATE)
		return failure->message;
	initStringInfo(&text);
	appendStringInfoString(&text, failure->message);
	append_certificate(&text, diagnosis);
	return text.data;
}

/* How the server was reached; without one, these steps stay skipped. */
static void
describe_way(Diagnosis *diagnosis)
{
	const Target *target = diagnosis->target;

	if (!has_server(target))
		return;
	set_step(diagnosis, STEP_RESOLVE, "ok", address_list(diagnosis), NULL);
	set_step(diagnosis, STEP_CONNECT, "ok",
			 psprintf("port %s of %s accepts connections", target->shown_port, target->shown_host),
			 NULL);
	describe_tls(diagnosis);
}

static void
describe_steps(Diagnosis *diagnosis)
{
	const Target *target = diagnosis->target;
	const Failure *failure = &diagnosis->operation->failure;

	measure(diagnosis);
	describe_model(diagnosis);
	describe_way(diagnosis);
	set_step(diagnosis, STEP_AUTHENTICATE, "ok",
			 *target->shown_user == '\0' ? pstrdup("the login is complete")
										 : psprintf("user \"%s\" is logged in", target->shown_user),
			 NULL);
	set_step(diagnosis, STEP_DATABASE, "ok",
			 target->database == NULL
				 ? pstrdup("no database is named; all that the user may see can be listed")
				 : psprintf("database \"%s\" is open", target->shown_database),
			 NULL);
	if (diagnosis->overview.answered)
	{
		describe_server(diagnosis);
		describe_counts(diagnosis);
	}
	if (failure->code == DQDS_OK)
		return;
	for (int i = failed_step(diagnosis); i < DIAGNOSIS_STEPS; i++)
	{
		set_step(diagnosis, i, "skipped", NULL, NULL);
		diagnosis->steps[i].elapsed_ms = -1;
	}
	set_step(diagnosis, failed_step(diagnosis), "failed", failed_message(diagnosis), failure->hint);
}

/*
 * Test a connection with a new login, and fill steps, which has room for
 * DIAGNOSIS_STEPS, with how far it got.  *operation receives the test with its
 * outcome.  A connection that cannot be used at all fails in the first step.
 * Literal addresses are shown only if show_addresses is set.
 */
void
diagnose_steps(const Caller *caller, const ConnectionArgument *connection, bool show_addresses,
			   Operation *operation, DiagnosisStep *steps)
{
	Diagnosis diagnosis = {.target = &connection->target,
						   .operation = operation,
						   .show_addresses = show_addresses,
						   .steps = steps};

	memset(operation, 0, sizeof(*operation));
	for (int i = 0; i < DIAGNOSIS_STEPS; i++)
		steps[i] = (DiagnosisStep){.name = step_names[i], .status = "skipped", .elapsed_ms = -1};
	if (connection->failure.code != DQDS_OK)
	{
		operation->failure = connection->failure;
		set_step(&diagnosis, STEP_MODEL, "failed", connection->failure.message,
				 connection->failure.hint);
		return;
	}
	diagnosis.warnings = model_warnings(connection->model);
	operation->target = &connection->target;
	operation->query.question = QUESTION_OVERVIEW;
	operation->fresh = true;
	operation->on_row = take_overview;
	operation->sink = &diagnosis.overview;
	operation->trace = &diagnosis.trace;
	engine_run(operation, 1, caller->role);
	describe_steps(&diagnosis);
}
