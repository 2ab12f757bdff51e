/*
 * backend.c
 *		Runs libFuzzer inside a backend of a throw-away server.
 *
 * PostgreSQL's memory, errors, JSON and locks are the real ones.  Each input
 * runs in its own transaction, which is always rolled back.  Besides the
 * sanitizers' findings, it detects:
 *
 *	- an error with an SQLSTATE that the contract does not allow
 *	- memory or sockets that every run of an input keeps
 *	- an input that takes longer than any deadline
 *	- a condition of the target itself that does not hold (fuzz_require)
 *
 * libFuzzer ends the process: the client sees its connection lost, and the
 * server's log has libFuzzer's report.  For throw-away servers only.
 */
#include "backend.h"

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/tuplestore.h"

#include "base/caller.h"
#include "base/settings.h"
#include "event/background.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dqds_fuzz);

/* Longer than all deadlines of a call together, on a busy machine. */
#define PATIENCE_S 30

/*
 * An input that keeps memory once may have filled a cache; one that does so
 * repeatedly has a leak.
 */
#define REPEATS 4

/* More than a backend without leaks ever has. */
#define MAX_DESCRIPTORS 256

extern int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*test)(const uint8 *, size_t));
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned int seed);

static const FuzzTarget *const targets[] = {&fuzz_agent, &fuzz_model, &fuzz_replies};

/*
 * Features that libFuzzer must not use here: signals and the timer belong to
 * PostgreSQL; a thread that watches the memory could receive a signal; and
 * LeakSanitizer checks a process when it ends.
 */
static const char *const fixed_options[] = {
	"dqds_fuzz",      "-handle_int=0", "-handle_term=0",  "-handle_usr1=0",     "-handle_usr2=0",
	"-handle_xfsz=0", "-timeout=0",    "-rss_limit_mb=0", "-malloc_limit_mb=0", "-detect_leaks=0"};

static const FuzzTarget *target;
static MemoryContext input_context;

/* ---- errors ------------------------------------------------------------------------- */

static bool
is_allowed(const char *sqlstate)
{
	for (const char *const *prefix = target->sqlstates; *prefix != NULL; prefix++)
		if (strncmp(sqlstate, *prefix, strlen(*prefix)) == 0)
			return true;
	return false;
}

static bool
is_readable(const char *text)
{
	return text == NULL || pg_verifymbstr(text, strlen(text), true);
}

static void
check_error(const FuzzInput *input, const ErrorData *error)
{
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);

	fuzz_require(is_allowed(sqlstate), "the error %s: %s", sqlstate, error->message);
	fuzz_require(is_readable(error->message) && is_readable(error->detail) &&
					 is_readable(error->hint),
				 "the error %s has a text that is not valid", sqlstate);
	target->check_error(input, error);
}

/* ---- one run ----------------------------------------------------------------------------- */

static void
run_once(const FuzzInput *input)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData *error = NULL;

	BeginInternalSubTransaction(NULL);
	/* As for a function that is called by a statement. */
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(input_context);
	PG_TRY();
	{
		target->run(input);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(input_context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	/* This releases first what an error has left. */
	RollbackAndReleaseCurrentSubTransaction();
	SPI_rollback();
	MemoryContextSwitchTo(input_context);
	if (error != NULL)
		check_error(input, error);
	target->clean();
	MemoryContextSwitchTo(context);
	MemoryContextReset(input_context);
}

/* ---- leaks ----------------------------------------------------------------------------- */

static int
count_sockets(void)
{
	struct stat status;
	int count = 0;

	for (int fd = 0; fd < MAX_DESCRIPTORS; fd++)
		count += fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
	return count;
}

/* The kernel hands out the lowest descriptor that is free. */
static int
lowest_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	fuzz_require(fd >= 0, "no descriptor is left");
	close(fd);
	return fd;
}

/* Files of the server's own may stay open, sockets may not. */
static void
check_sockets(void)
{
	static int highest = -1;
	static int sockets;
	int lowest_free = lowest_free_descriptor();

	if (highest < 0)
		sockets = count_sockets();
	else if (lowest_free > highest)
		fuzz_require(count_sockets() <= sockets, "a socket was left open");
	highest = Max(highest, lowest_free);
}

static void
check_memory(const FuzzInput *input, size_t before)
{
	size_t after = __sanitizer_get_current_allocated_bytes();
	size_t forgotten = target->forgotten == NULL ? 0 : target->forgotten(input);

	for (int i = 0; after > before + forgotten; i++)
	{
		fuzz_require(i < REPEATS, "each run of this input keeps memory: %zu bytes in the last",
					 after - before);
		before = after;
		run_once(input);
		after = __sanitizer_get_current_allocated_bytes();
	}
}

/* ---- inputs that do not end ------------------------------------------------------------------ */

static pg_atomic_uint64 started_us; /* of the input that is being run; 0: none */

static void *
watch(void *unused)
{
	(void) unused;
	for (;;)
	{
		uint64 started = pg_atomic_read_u64(&started_us);

		fuzz_require(started == 0 ||
						 dqds_now_us() - (int64) started < PATIENCE_S * INT64CONST(1000000),
					 "the input has not ended after %d s", PATIENCE_S);
		usleep(500000);
	}
	return NULL;
}

/* ---- libFuzzer's calls --------------------------------------------------------------------------- */

static int
test_one_input(const uint8 *data, size_t size)
{
	FuzzInput input = {.data = data, .size = size};
	size_t before = __sanitizer_get_current_allocated_bytes();

	pg_atomic_write_u64(&started_us, dqds_now_us());
	run_once(&input);
	check_memory(&input, before);
	check_sockets();
	pg_atomic_write_u64(&started_us, 0);
	return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned int seed)
{
	if (target->mutate == NULL)
		return LLVMFuzzerMutate(data, size, max_size);
	return target->mutate(data, size, max_size, seed);
}

/* ---- for the targets --------------------------------------------------------------------------------- */

Oid
fuzz_function(const Caller *caller, const char *name, int nargs, const Oid *types)
{
	/* functions that the bridge calls are in pg_catalog */
	Oid schema = strstr(name, "_json") != NULL ? PG_CATALOG_NAMESPACE : caller->schema;
	Oid function =
		GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						PointerGetDatum(buildoidvector(types, nargs)), ObjectIdGetDatum(schema));

	fuzz_require(OidIsValid(function), "the function %s is missing", name);
	return function;
}

static TupleDesc
result_descriptor(Oid function)
{
	TupleDesc desc;
	Oid type;

	if (get_func_result_type(function, &type, &desc) == TYPEFUNC_COMPOSITE)
		return desc;
	desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(desc, 1, "value", type, -1, 0);
	return desc;
}

static char *
value_as_text(Oid type, Datum value)
{
	Oid output;
	bool is_varlena;

	getTypeOutputInfo(type, &output, &is_varlena);
	return OidOutputFunctionCall(output, value);
}

static void
take_rows(Tuplestorestate *store, TupleDesc desc, FuzzRows *rows)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	int room = 64;

	rows->ncolumns = desc->natts;
	rows->values = palloc(sizeof(char *) * room * desc->natts);
	for (; tuplestore_gettupleslot(store, true, false, slot); rows->count++)
	{
		if (rows->count == room)
			rows->values = repalloc(rows->values, sizeof(char *) * (room *= 2) * desc->natts);
		slot_getallattrs(slot);
		for (int i = 0; i < desc->natts; i++)
			rows->values[rows->count * desc->natts + i] =
				slot->tts_isnull[i]
					? NULL
					: value_as_text(TupleDescAttr(desc, i)->atttypid, slot->tts_values[i]);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(store);
}

void
fuzz_call(Oid function, int nargs, const NullableDatum *args, FuzzRows *rows)
{
	LOCAL_FCINFO(fcinfo, FUNC_MAX_ARGS);
	FmgrInfo flinfo;
	ReturnSetInfo result = {.type = T_ReturnSetInfo};

	fmgr_info(function, &flinfo);
	result.econtext = CreateStandaloneExprContext();
	result.econtext->ecxt_per_query_memory = CurrentMemoryContext;
	result.allowedModes = SFRM_ValuePerCall | SFRM_Materialize;
	result.returnMode = SFRM_ValuePerCall;
	result.expectedDesc = result_descriptor(function);
	InitFunctionCallInfoData(*fcinfo, &flinfo, nargs, DEFAULT_COLLATION_OID, NULL,
							 (Node *) &result);
	memcpy(fcinfo->args, args, sizeof(NullableDatum) * nargs);
	memset(rows, 0, sizeof(*rows));
	/* Each statement sees the changes of the previous one. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	(void) FunctionCallInvoke(fcinfo);
	PopActiveSnapshot();
	if (result.returnMode == SFRM_Materialize)
		take_rows(result.setResult, result.setDesc, rows);
	FreeExprContext(result.econtext, true);
}

bool
fuzz_is_json(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool good = true;

	PG_TRY();
	{
		(void) DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
		good = false;
	}
	PG_END_TRY();
	return good;
}

/* Not with a comparison that libFuzzer can see: it would try the secrets. */
const char *
fuzz_find(const char *text, const char *secret)
{
	return text == NULL ? NULL : memmem(text, strlen(text), secret, strlen(secret));
}

/* ---- the SQL procedure --------------------------------------------------------------------------------- */

static char **
make_arguments(ArrayType *options, int *argc)
{
	Datum *elements;
	int count;
	char **argv;

	deconstruct_array(options, TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	*argc = lengthof(fixed_options) + count;
	argv = palloc0(sizeof(char *) * (*argc + 1));
	for (int i = 0; i < lengthof(fixed_options); i++)
		argv[i] = pstrdup(fixed_options[i]);
	for (int i = 0; i < count; i++)
		argv[lengthof(fixed_options) + i] = TextDatumGetCString(elements[i]);
	return argv;
}

/* CALL dqds_fuzz(target, options of libFuzzer): never returns */
Datum
dqds_fuzz(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Caller caller;
	int argc;
	char **argv = make_arguments(PG_GETARG_ARRAYTYPE_P(1), &argc);

	for (int i = 0; i < lengthof(targets); i++)
		if (strcmp(targets[i]->name, name) == 0)
			target = targets[i];
	if (target == NULL)
		elog(ERROR, "there is no fuzz target \"%s\"", name);
	caller_init(&caller, fcinfo);
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	input_context = AllocSetContextCreate(TopMemoryContext, "fuzz input", ALLOCSET_DEFAULT_SIZES);
	pg_atomic_init_u64(&started_us, 0);
	target->start(&caller);
	SPI_commit();
	if (!background_thread(watch, NULL))
		elog(ERROR, "no thread to watch the inputs with");
	exit(LLVMFuzzerRunDriver(&argc, &argv, test_one_input));
}
