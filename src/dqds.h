/*
 * dqds.h
 *		Types that more than one module uses, and the contract of each module.
 *
 * How a call flows through the files:
 *
 *	functions -> registry -> model -> policy -> engine -> session -> libpq
 *	                                     (limits, session_cache, session_census, resolver)
 *
 * Remote failures are returned as a Failure, not raised, so that testing 200
 * connections is the same code as testing one; the SQL functions decide whether a
 * Failure becomes a row or an error.  A remote's answer that is too large or has
 * names of absurd length is raised where it is taken (listing.c, answer_budget.c).
 * Errors of the local server (cancel, out of memory, bad arguments) are ereported
 * as usual.
 */
#ifndef DQDS_H
#define DQDS_H

#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "error_codes.h"

#define DQDS_MASK "********"

/* ---- settings (dqds.c) ------------------------------------------------ */

extern int dqds_connect_timeout_ms;
extern int dqds_query_timeout_ms;
extern int dqds_session_idle_timeout_ms;
extern int dqds_session_max_age_ms;
extern int dqds_max_parallel;
extern int dqds_max_cached_sessions;
extern int dqds_max_answer_size_kb;
extern char *dqds_allowed_hosts;
extern char *dqds_denied_hosts;
extern char *dqds_secret_env_prefix;
extern char *dqds_ssl_root_certs;
extern const char *dqds_lost_setting; /* NULL: all settings are in force */

/* Microseconds on a clock that never goes back. */
extern int64 dqds_now_us(void);

/* ---- failures (failure.c) --------------------------------------------- */

/*
 * Why a remote operation failed.  code is DQDS_OK when it did not; the other
 * members then mean nothing.  The strings are palloc'd in the context that was
 * current when the failure was noted.
 */
typedef struct Failure
{
	DqdsErrorCode code;
	char *message;    /* which thing, what is wrong */
	char *hint;       /* what to do next, or NULL */
	char sqlstate[6]; /* the remote's own, or "" */
	bool
		untranslatable; /* one side cannot convert what it sends or takes into the other's encoding */
} Failure;

extern const char *error_code_name(DqdsErrorCode code);
extern void failure_clear(Failure *failure);
extern void failure_set(Failure *failure, DqdsErrorCode code, const char *hint, const char *fmt,
						...) pg_attribute_printf(4, 5);
__attribute__((noreturn)) extern void failure_raise(const Failure *failure);

typedef struct Target Target;
typedef struct LoginTrace LoginTrace;

/* ---- why OpenSSL does not trust a certificate (certificate_check.c) ---- */

/* What was seen of the certificates of one server; zeros are a new one. */
typedef struct CertificateCheck
{
	int error;         /* X509_V_ERR_... of OpenSSL's; 0: none */
	int depth;         /* of the certificate that it is about; 0: the server's own */
	char issuer[256];  /* of that certificate */
	LoginTrace *trace; /* where the server's certificate is noted, or NULL */
} CertificateCheck;

extern void certificate_watch(CertificateCheck *check);

/* ---- from words to causes (diagnosis*.c) ------------------------------- */

/* How far a login had come when it failed. */
typedef enum ConnectStage
{
	STAGE_TCP,
	STAGE_TLS,
	STAGE_STARTUP /* from the startup packet to the first ReadyForQuery */
} ConnectStage;

/* What a failed login means for the other addresses of the name. */
typedef enum LoginOutlook
{
	LOGIN_REFUSED,   /* the server has decided */
	LOGIN_HUNG_UP,   /* there was no connection, or it ended without a reason */
	LOGIN_WRONG_KIND /* the server is not of the kind that target_session_attrs asks for */
} LoginOutlook;

/* What we saw ourselves of a login that failed. */
typedef struct LoginEvidence
{
	ConnectStage stage;
	bool asked_password; /* the server asked for the password, in whatever way */
	const CertificateCheck *certificate;
} LoginEvidence;

extern LoginOutlook diagnose_connect(const Target *target, const LoginEvidence *evidence,
									 const char *message, Failure *failure);
extern void diagnose_no_answer(const Target *target, ConnectStage stage, int elapsed_ms,
							   Failure *failure);
extern void diagnose_wrong_kind(const Target *target, int asked, int naddresses, Failure *failure);
extern void diagnose_query(const Target *target, const char *sqlstate, const char *message,
						   Failure *failure);
extern void diagnose_lost(const Target *target, const char *words, Failure *failure);
extern void diagnose_tls_error(const Target *target, const char *reason, Failure *failure);
extern void diagnose_answer(const Target *target, const char *what, Failure *failure);
extern void diagnose_known(const Target *target, DqdsErrorCode code, Failure *failure);

/* ---- targets (model.c, model_form.c, model_target.c) ------------------------------------------------ */

typedef struct Caller Caller;

/* Whose references to secrets a model may use. */
typedef struct SecretScope
{
	const Caller *caller;
	Oid role;                  /* must have been granted a credential */
	Oid writer;                /* must, too: who wrote what a mask keeps; InvalidOid: role did */
	List *environment_members; /* paths (char *) of members that may refer to the environment */
} SecretScope;

typedef enum Provider
{
	PROVIDER_POSTGRESQL,
	PROVIDER_REDSHIFT,
	PROVIDER_QUESTDB
} Provider;

/* One libpq keyword with its value, taken from the model's properties. */
typedef struct TargetParameter
{
	const char *keyword; /* static */
	char *value;
} TargetParameter;

#define MAX_TARGET_PARAMETERS 16

/* A validated place to connect to.  Everything is in one memory context, the caller's. */
struct Target
{
	int64 connection_id;   /* of the registry; 0 for an ad-hoc model */
	char *connection_name; /* NULL for an ad-hoc model without one */
	Provider provider;
	char *host;
	int port;
	char *database;
	char *user;
	char *shown_host; /* for messages: these four as the model says them, with references */
	char *shown_port; /* in place of what they stand for */
	char *shown_database;
	char *shown_user;
	char *password; /* NULL when none is stored */
	char *sslmode;
	char *options; /* NULL when not given */
	TargetParameter parameters[MAX_TARGET_PARAMETERS];
	int nparameters;
	bool password_required;
	bool allow_cleartext;
	int connect_timeout_ms;
	int parallel_limit;       /* 0: none */
	const SecretScope *scope; /* while the model is read; NULL: it is only checked */
	List *secret_hosts; /* of credentials: lists of hosts (char *), each of which must allow it */
	List
		*secret_values; /* the password and what references stood for (char *), never to be shown */
	bool has_reference; /* in another member than the password */
	bool stored_secret; /* a secret in it is stored, and not written out by the caller */
	List *own_words;    /* what the model says in members that a remote may repeat (char *) */
};

/* A model as it is kept: secrets replaced by the mask, and apart from it what was masked. */
typedef struct NormalModel
{
	Jsonb *model;
	Jsonb *secrets;   /* NULL when there are none */
	bool kept_secret; /* a mask was sent, and a stored secret put in its place */
} NormalModel;

extern bool model_to_target(Jsonb *model, Jsonb *secrets, const SecretScope *scope, Target *target,
							Failure *failure);
extern bool model_normalize(Jsonb *input, Jsonb *stored_model, Jsonb *stored_secrets,
							NormalModel *result, Failure *failure);
extern bool model_same_database(Jsonb *model, Jsonb *stored_model);
extern bool model_same_options(Jsonb *model, Jsonb *stored_model);
extern bool model_secret_missing(Failure *failure, const char *key);
extern bool model_validate(const NormalModel *normal, Failure *failure);
extern int model_parallel_limit(Jsonb *model);
extern char *model_connection_name(Jsonb *model);
extern bool model_password_required(Jsonb *model);

/* ---- what has no effect in a model (model_warnings.c, model_values.c) ---------- */

extern List *model_warnings(Jsonb *model);
extern bool text_has_blank_ends(const char *text);

/* ---- models as text, and how large they may be (model_text.c) ----------- */

extern Jsonb *json_parse(const char *json, const char *what);
extern Jsonb *model_parse(text *input, Failure *failure);
extern Jsonb *model_parse_any(text *input, Failure *failure);
extern bool model_within_bounds(Jsonb *model, Failure *failure);
extern bool model_looks_like_one(const char *text, size_t length);
extern bool model_name_usable(const char *name, Failure *failure);

/* ---- models in other spellings than JSON (model_spellings.c) ------------ */

extern bool model_is_spelled(const char *text);
extern Jsonb *model_from_spelling(const char *text, Failure *failure);

/* ---- a model with changes (model_patch.c) -------------------------------- */

extern Jsonb *model_patch(Jsonb *model, Jsonb *patch);

/* ---- secrets (secret.c) ------------------------------------------------ */

extern bool secret_resolve(Target *target, const char *path, char **value, Failure *failure);
extern size_t secret_literal_length(const char *value);
extern bool secret_uses_environment(const char *value);
extern bool secret_has_reference(const char *value);
extern char *secret_shown(char *value);
extern char *secret_hide(const Target *target, const char *text);

/* ---- properties (properties.c) ------------------------------------------- */

/* How a property of a model reaches libpq. */
typedef enum PropertyUse
{
	PROPERTY_TEXT,            /* handed on as it is */
	PROPERTY_INTEGER,         /* the same, a number that is not negative */
	PROPERTY_BOOLEAN,         /* true or false, handed on as 1 or 0 */
	PROPERTY_WORD,            /* one of the property's words */
	PROPERTY_CONNECT_TIMEOUT, /* our own deadline, in seconds */
	PROPERTY_CLEARTEXT,       /* allow_cleartext_password */
	PROPERTY_SSL              /* JDBC's ssl=true */
} PropertyUse;

typedef struct Property
{
	const char *name;    /* as users write it */
	const char *keyword; /* libpq's; NULL: libpq is not told */
	PropertyUse use;
	const char *const *words; /* of PROPERTY_WORD, with NULL at the end */
	const char *reason;       /* why there are no other words; may be NULL */
	bool protects;            /* what is sent, from others: it is about TLS */
} Property;

extern const Property *property_at(int position);
extern const Property *property_find(const char *name);
extern char *property_names(void);
extern bool property_apply(const Property *property, char *value, Target *target,
						   const char **wanted);

/* ---- policy (policy.c) ------------------------------------------------- */

struct sockaddr;

extern void policy_limit_timeout(const Caller *caller, Oid owner, Target *target);
extern bool policy_allows_name(const Target *target, Failure *failure);
extern bool policy_allows_address(const Target *target, const struct sockaddr *address,
								  Failure *failure);
extern char *policy_bad_host(const char *list);
extern bool policy_check_hosts(char **newval, void **extra, GucSource source);

/* ---- questions (dialect.c) --------------------------------------------- */

/*
 * What is asked of a remote.  $n are the values of the query.  Of tables: $1 schema,
 * $2 substring, $3 limit, $4 partitions as well, $5 substring that excludes.
 */
typedef enum Question
{
	QUESTION_PROBE,             /* server version and backend pid */
	QUESTION_SCHEMAS,           /* $1 include system schemas */
	QUESTION_SCHEMA_DETAILS,    /* the same, with their extensions */
	QUESTION_TABLE_NAMES,       /* of tables */
	QUESTION_TABLES,            /* the same, with kind, estimate and comment */
	QUESTION_TABLE_DETAILS,     /* the same, with what else is known; $6 sizes as well */
	QUESTION_ALL_TABLES,        /* the same of all schemas; $1 include system schemas */
	QUESTION_COLUMNS,           /* $1 schema */
	QUESTION_COLUMNS_OF,        /* $1 schema, $2 name[] of tables */
	QUESTION_COLUMN_DETAILS,    /* $1 schema, $2 NULL, $3 a DefinitionEffort */
	QUESTION_COLUMN_DETAILS_OF, /* $1 schema, $2 name[] of tables, $3 a DefinitionEffort */
	QUESTION_CONSTRAINTS,       /* $1 schema, $2 text[] of tables or NULL, $3 a DefinitionEffort */
	QUESTION_INDEXES,           /* the same */
	QUESTION_VIEW_DEFINITION,   /* $1 schema, $2 view */
	QUESTION_OVERVIEW,          /* standby; schemas visible, usable; tables visible, readable */
	NUM_QUESTIONS
} Question;

/* Which definitions a remote is asked to write; what is left out is NULL. */
typedef enum DefinitionEffort
{
	DEFINITIONS_NONE,
	DEFINITIONS_WITHOUT_LOCKS, /* none for which it waits for a lock on a table */
	DEFINITIONS_ALL
} DefinitionEffort;

typedef enum Family
{
	FAMILY_POSTGRES,           /* real PostgreSQL: pg_depend finds the tables of a schema */
	FAMILY_POSTGRES_REENCODED, /* the same, where names must be sorted as UTF-8 */
	FAMILY_POSTGRES_PINNED,    /* schemas of real PostgreSQL that pg_depend does not know */
	FAMILY_SCAN,               /* anything else with a usable pg_class */
	FAMILY_REDSHIFT,
	FAMILY_QUESTDB,
	FAMILY_QUESTDB_OLD, /* without the functions that know kinds and types */
	NUM_FAMILIES
} Family;

#define MAX_QUERY_PARAMETERS 6
#define MAX_ANSWER_COLUMNS   19

/* What a value of an answer is. */
typedef enum AnswerValue
{
	ANSWER_TEXT,
	ANSWER_INTEGER,
	ANSWER_BIGINT,
	ANSWER_BOOLEAN,
	ANSWER_TEXT_ARRAY, /* as PostgreSQL writes it: {a,"b c"} */
	ANSWER_NAME,       /* text that a row is of no use without */
	ANSWER_POSITION    /* an integer that a row is of no use without */
} AnswerValue;

typedef struct AnswerShape
{
	int ncolumns;
	AnswerValue values[MAX_ANSWER_COLUMNS];
} AnswerShape;

typedef struct RemoteQuery
{
	Question question;
	const char *values[MAX_QUERY_PARAMETERS]; /* text; NULL is SQL's NULL */
	bool of_old_version; /* the server has not understood the query of its newer versions */
} RemoteQuery;

extern Family dialect_family(Provider provider, const char *server_encoding, bool lookalike);
extern const AnswerShape *dialect_answer(Question question);
extern bool dialect_has_query(Provider provider, Question question);
extern const char *dialect_sql(Family family, const RemoteQuery *query, Family *used, int *nvalues);

/* ---- the event loop's floor (reactor.c) --------------------------------- */

#define REACTOR_BACKGROUND 0 /* the owner of the event that a thread has ended */

typedef struct ReactorEvent
{
	uint64 owner;  /* as given to reactor_watch */
	uint32 events; /* EPOLLIN, EPOLLOUT, ... */
} ReactorEvent;

extern void reactor_start(void);
extern void reactor_watch(int fd, uint32 events, uint64 owner);
extern void reactor_forget(int fd);
extern int reactor_wait(int64 deadline_us, ReactorEvent *events, int max_events);

/* ---- blocking calls in a thread (background.c) --------------------------- */

typedef struct BackgroundJob BackgroundJob;

/* What a call is for; each kind has a budget of its own of calls that hang. */
typedef enum BackgroundKind
{
	BACKGROUND_RESOLVE,
	BACKGROUND_CANCEL
} BackgroundKind;

#define NUM_BACKGROUND_KINDS (BACKGROUND_CANCEL + 1)

extern void background_start_module(void);
extern bool background_thread(void *(*thread_main)(void *), void *argument);
extern BackgroundJob *background_run(BackgroundKind kind, void (*run)(void *),
									 void (*dispose)(void *), void *argument);
extern bool background_done(BackgroundJob *job);
extern bool background_wait(BackgroundJob *job, int64 deadline_us);
extern void background_release(BackgroundJob *job);
extern void background_acknowledge(void);

/* ---- names to addresses (resolver.c) -------------------------------------- */

typedef struct Resolution Resolution;

extern bool resolver_is_literal(const char *host);
extern Resolution *resolver_start(const char *host, int port);
extern bool resolver_done(Resolution *resolution);
extern int resolver_addresses(Resolution *resolution, const struct sockaddr **addresses, int max);
extern const char *resolver_error(Resolution *resolution);
extern void resolver_release(Resolution *resolution);

/* ---- what a login went through (login_trace.c) ------------------------------- */

#define MAX_TRACE_ADDRESSES 16

/* Filled by a session where it is wanted.  Times are of dqds_now_us; 0: not reached. */
struct LoginTrace
{
	int64 started_us;
	int64 resolved_us;
	int64 connected_us; /* TCP */
	int64 encrypted_us; /* TLS handshake, or its refusal where sslmode permits that */
	int64 logged_in_us;
	int64 ended_us; /* the whole operation */
	int naddresses;
	char addresses[MAX_TRACE_ADDRESSES][64];
	bool tls;
	char tls_protocol[16];
	char tls_cipher[64];
	char certificate_subject[256];
	char certificate_names[256]; /* DNS names and addresses, comma-separated */
	char certificate_issuer[256];
	char certificate_expires[32];
	bool certificate_expired;
};

extern void trace_address(LoginTrace *trace, const char *address);
extern void trace_certificate(LoginTrace *trace, void *certificate);
extern void trace_peer_certificate(LoginTrace *trace, void *openssl);
extern void certificate_name(void *name, char *text, size_t size);

/* ---- before libpq answers a request of the authentication (password_guard.c, auth_messages.c) ------ */

/* libpq itself takes no longer authentication request. */
#define MAX_AUTH_REQUEST 2000

/*
 * So many iterations of SCRAM take a tenth of a second, in which libpq serves no
 * signal.  PostgreSQL's own default is 4,096, CockroachDB's was 119,680 once.
 * Each hashes four blocks, and all blocks of a long password.
 */
#define MAX_SCRAM_ITERATIONS   150000
#define SCRAM_ITERATION_BLOCKS 4
#define SHA256_BLOCK_BYTES     64

typedef enum GuardVerdict
{
	GUARD_PASS,        /* libpq may read it */
	GUARD_WAIT,        /* more must arrive first */
	GUARD_CLEARTEXT,   /* it asks for the password in the clear where that is not safe */
	GUARD_UNSUPPORTED, /* it asks for something that we must not or cannot do */
	GUARD_EXPENSIVE,   /* it asks for more iterations of SCRAM than the guard's limit */
	GUARD_TLS_ERROR,   /* the server has ended TLS, or broken it */
	GUARD_FORGED       /* it is no answer that a server would send */
} GuardVerdict;

/*
 * What a server sent in one attempt to log in.  Plain data; guard_reset makes it ready
 * for the next attempt and keeps the first three, which the caller sets to zero.
 */
typedef struct AuthGuard
{
	bool spoken;            /* the server has said something that was looked at */
	bool asked_password;    /* in whatever way */
	int64 scram_iterations; /* that were asked for and permitted */
	bool cleartext_allowed; /* whatever protects the connection */
	bool tls_is_verified;   /* TLS, if any, comes with a certificate that libpq checks */
	int max_iterations;
	const char *tls_error; /* static text of OpenSSL's */
	bool done;             /* the requests are over */
	bool logged_in;        /* with AuthenticationOk */
	int length;            /* of what was seen and may go on */
	int whole;             /* of it, whole messages */
	unsigned char bytes[2 * MAX_AUTH_REQUEST];
} AuthGuard;

extern void guard_reset(AuthGuard *guard, const Target *target);
extern GuardVerdict guard_plain(AuthGuard *guard, int fd, int *needed);
extern GuardVerdict guard_tls(AuthGuard *guard, void *ssl, int *needed);
extern GuardVerdict guard_tls_answer(AuthGuard *guard, int fd);
extern GuardVerdict auth_check_messages(AuthGuard *guard, bool tls, int *needed);

/* ---- limits over all callers (limits.c) ----------------------------------------- */

typedef struct LimitSlot
{
	bool held;
	uint16 lock_class; /* of what kind the limit is */
	uint32 target_hash;
	uint32 slot;
} LimitSlot;

extern bool limits_enter(const Target *target, LimitSlot *slot, Failure *failure);
extern bool limits_enter_address(const Target *target, const struct sockaddr *address,
								 LimitSlot *slot, Failure *failure);
extern void limits_leave(LimitSlot *slot);
extern void limits_import_tag(LOCKTAG *tag, int64 connection_id);
extern void limits_privileges_tag(LOCKTAG *tag, uint32 lock);

/* ---- how many sessions there are at a server (session_census.c) ------------------ */

/* What the census knows of one session; zeros are one that is not counted. */
typedef struct CensusEntry
{
	uint32 place;
	uint32 asked;
	bool counted;
} CensusEntry;

extern void census_arrive(CensusEntry *entry, const struct sockaddr *peer);
extern void census_enter(CensusEntry *entry);
extern void census_leave(CensusEntry *entry);
extern bool census_asked_back(const CensusEntry *entry);
extern bool census_same_place(const CensusEntry *a, const CensusEntry *b);
extern bool census_ask_back(const CensusEntry *entry);

/* ---- memory that libpq loses (lost_memory.c) ------------------------------------- */

extern int64 lost_memory_heap(void);
extern int64 lost_memory_heap_of_libpq(void);
extern void lost_memory_note(const struct sockaddr *address, int64 bytes);
extern bool lost_memory_permits(const Target *target, const struct sockaddr *address,
								Failure *failure);

/* ---- one remote session (session.c) ---------------------------------------- */

typedef struct Session Session;

typedef enum SessionState
{
	SESSION_RESOLVING,  /* a thread asks for the addresses of the host */
	SESSION_CONNECTING, /* libpq is on its way: TCP, TLS, authentication */
	SESSION_IDLE,       /* logged in, nothing asked */
	SESSION_BUSY,       /* a query was sent, its answer is not complete */
	SESSION_CANCELLING, /* a cancel request is on its way */
	SESSION_FAILED      /* no use any more; only session_close is left */
} SessionState;

/* What a caller does with one row.  May ereport. */
typedef void (*RowSink)(void *sink, const char **values, int nvalues);

extern Session *session_open(const Target *target, Oid role, const char *key, int64 deadline_us,
							 Failure *failure);
extern void session_want_raw(Session *session);
extern int session_encoding(const Session *session);
extern void session_attach(Session *session, const Target *target, void *owner);
extern void session_trace(Session *session, LoginTrace *trace);
extern void session_limit(Session *session, LimitSlot *slot);
extern const struct sockaddr *session_peer(const Session *session);
extern void session_advance(Session *session, uint32 events, Failure *failure);
extern bool session_ask(Session *session, const RemoteQuery *query, Failure *failure);
extern void session_collect(Session *session, RowSink on_row, void *sink, Failure *failure);
extern void session_timed_out(Session *session, Failure *failure);
extern void session_close(Session *session);
extern void session_close_all_busy(void);
extern SessionState session_state(const Session *session);
extern int64 session_deadline(const Session *session);
extern void *session_owner(const Session *session);
extern Session *session_find(uint64 id);
extern void session_put_off(Session *session, int64 us);
extern bool session_answered(const Session *session);
extern const char *session_tls(const Session *session);
extern bool session_is_direct(const Session *session);
extern const char *session_server_version(const Session *session);
extern bool session_matches(const Session *session, Oid role, const char *key);
extern bool session_same_key(const Session *a, const Session *b);
extern bool session_same_connection(const Session *session, Oid role, int64 connection_id);
extern bool session_still_allowed(const Session *session, const Target *target, Failure *failure);
extern bool session_reusable(const Session *session);
extern int64 session_too_old_at(const Session *session);
extern bool session_asked_back(const Session *session);
extern bool session_same_server(const Session *a, const Session *b);
extern const CensusEntry *session_census(const Session *session);
extern void session_disconnect(Session *session);

/* ---- idle sessions (session_cache.c) ----------------------------------------- */

extern char *session_cache_key(const Target *target);
extern Session *session_cache_take(const Target *target, Oid role, const char *key, int64 now_us);
extern void session_cache_put(Session *session);
extern void session_cache_drop(Session *session);
extern int session_cache_count(void);
extern bool session_cache_drop_same(const Session *session);
extern void session_cache_drop_beside(const Session *session);
extern int session_cache_close_all(void);

/* ---- many sessions at once (engine.c) ----------------------------------------------- */

/*
 * Fills in the values of a query, before it is asked, as bytes of that encoding
 * (encoding.c), in which the text of the answer will come too.
 */
typedef void (*QueryFiller)(void *sink, RemoteQuery *query, int encoding);

/* One thing to do at one remote.  The caller fills the first part, engine_run the second. */
typedef struct Operation
{
	const Target *target;
	RemoteQuery query;
	bool fresh;        /* prove the login: never reuse a session, and leave no further one */
	bool raw;          /* the remote must convert nothing; false: it may */
	QueryFiller fill;  /* may be NULL: the query is filled, or needs no values */
	RowSink on_row;    /* may be NULL */
	void *sink;        /* for both */
	LoginTrace *trace; /* wanted of a fresh login; may be NULL */

	Failure failure; /* code DQDS_OK: it worked */
	double elapsed_ms;

	/* Of a fresh login that worked. */
	char *server_version; /* palloc'd, NULL when not known */
	char *tls;            /* protocol version, NULL without TLS */
	bool direct;          /* proven: no pooler between */
} Operation;

extern void engine_run(Operation *operations, int count, Oid role);

/* ---- sets of names (name_set.c) ------------------------------------------------------------ */

typedef struct NameSet NameSet;

extern NameSet *name_set_make(void);
extern void name_set_add(NameSet *set, char *name);
extern bool name_set_has(NameSet *set, const char *name);
extern bool name_set_mark(NameSet *set, const char *name);
extern void name_set_visit_unmarked(NameSet *set, void (*visit)(void *argument, const char *name),
									void *argument);

/* ---- patterns of names (name_pattern.c) ------------------------------------------------------ */

extern bool is_name_pattern(const char *text);
extern bool name_fits_pattern(const char *name, const char *pattern);

/* ---- diagnosis step by step (diagnose_functions.c) ----------------------------------------- */

#define DIAGNOSIS_STEPS 9

typedef struct DiagnosisStep
{
	const char *name;
	const char *status; /* ok, warning, failed, skipped */
	double elapsed_ms;  /* negative: not measured */
	const char *message;
	const char *hint;
} DiagnosisStep;

/* ---- the registry (registry.c, registry_write.c) ---------------------------------------- */

/* Who calls what: looked up once at the entry of each SQL function. */
struct Caller
{
	Oid role;              /* GetUserId() at entry: decides everything */
	Oid function;          /* the SQL function */
	Oid schema;            /* the extension's schema */
	Oid owner;             /* owner of the function: owns the registry's tables too */
	Oid argument_types[3]; /* of the first arguments, InvalidOid without */
};

typedef struct RegistryEntry
{
	int64 id;
	char *name;
	Oid owner;
	List *environment_members; /* paths (char *) of members that may refer to the environment */
	Jsonb *model;              /* masked */
	Jsonb *secrets;            /* NULL when none */
} RegistryEntry;

extern Oid extension_schema(HeapTuple function); /* extension_schema.c */
extern bool caller_is_admin(const Caller *caller);
extern bool caller_is_editor(const Caller *caller);
extern bool caller_is_operator(const Caller *caller);
extern void caller_init(Caller *caller, FunctionCallInfo fcinfo);
extern bool registry_find(const Caller *caller, const char *name, RegistryEntry *entry);
extern bool registry_may_use(const Caller *caller, const RegistryEntry *entry);
extern bool registry_connection_left(const Caller *caller, int64 id);
extern bool registry_credential_left(const Caller *caller, int64 id);
extern bool registry_names_grantee(const Caller *caller, const char *table, const char *index,
								   int64 id, Oid role);
extern bool registry_may_edit(const Caller *caller, const RegistryEntry *entry);
extern void registry_get(const Caller *caller, const char *name, RegistryEntry *entry);

/* A stored credential. */
typedef struct Credential
{
	int64 id;
	char *secret;
	char *allowed_hosts;
} Credential;

extern bool registry_find_credential(const Caller *caller, const char *name,
									 Credential *credential);
extern bool registry_credential(const Caller *caller, const char *name, Oid role,
								Credential *credential);
extern Oid registry_token_role(const Caller *caller, Datum token_hash);
extern List *registry_usable(const Caller *caller);
extern void registry_visit(const Caller *caller,
						   void (*visit)(const RegistryEntry *entry, void *argument),
						   void *argument);
extern bool name_may_hold_secret(const char *name);
__attribute__((noreturn)) extern void registry_unknown(const char *name);

extern void imported_tables_visit(const Caller *caller, int64 connection_id,
								  const char *schema_name,
								  bool (*visit)(const char *name, void *argument), void *argument);
extern NameSet *imported_tables(const Caller *caller, int64 connection_id, const char *schema_name);
extern void imported_schemas_visit(const Caller *caller, int64 connection_id,
								   void (*visit)(const char *name, void *argument), void *argument);
extern NameSet *imported_schemas(const Caller *caller, int64 connection_id);

/* ---- roles that the registry names (roles.c) ------------------------------------------- */

extern bool role_is_enrolled(Oid role);
extern void role_enrol(const Caller *caller, Oid role);
extern void role_enrol_at_once(const Caller *caller, Oid role);
extern Oid role_argument(const Caller *caller, FunctionCallInfo fcinfo, int n);
extern Oid role_argument_or_number(const Caller *caller, FunctionCallInfo fcinfo, int n);

/* ---- who wrote a reference to the environment (environment.c) ------------------------------ */

extern bool environment_members(const Caller *caller, const NormalModel *normal,
								const RegistryEntry *stored, List **paths, Failure *failure);

/* ---- internal SQL functions (owner_call.c) ---------------------------------------------- */

#define MAX_OWNER_CALL_ARGUMENTS 16 /* dqds_store_import takes them all */

typedef struct OwnerCall
{
	const char *what; /* is changed, for messages; NULL: a connection */
	int count;
	Oid types[MAX_OWNER_CALL_ARGUMENTS];
	Datum values[MAX_OWNER_CALL_ARGUMENTS];
	bool nulls[MAX_OWNER_CALL_ARGUMENTS];
} OwnerCall;

extern void owner_call_add(OwnerCall *call, Oid type, Datum value, bool isnull);
extern void owner_call_add_jsonb(OwnerCall *call, Jsonb *value);
extern void owner_call_add_text(OwnerCall *call, const char *value);
extern Datum owner_call(const Caller *caller, const char *function, OwnerCall *call, bool *isnull);
extern Datum owner_read(const Caller *caller, const char *function, OwnerCall *call, bool *isnull);
extern Datum owner_call_inside(const Caller *caller, const char *function, OwnerCall *call,
							   bool *isnull);
extern void owner_run(const Caller *caller, const char *what, void (*work)(void *argument),
					  void *argument);
extern void owner_call_found_nothing(const char *what);

/* ---- who may use a connection or a credential (grant_functions.c) ------------------------ */

/* A table of grants: what it grants (for messages), its index, and how an argument becomes an id. */
typedef struct GrantTable
{
	const char *what;
	const char *table;
	const char *index;
	int64 (*find)(const Caller *caller, FunctionCallInfo fcinfo);
} GrantTable;

extern void grant_change(FunctionCallInfo fcinfo, const GrantTable *grant, const char *command,
						 const char *function, bool names_role);

/* ---- privileges on the extension's objects (privileges.c) ------------------------------- */

typedef enum Privilege
{
	PRIVILEGE_EXECUTE, /* on functions */
	PRIVILEGE_SELECT,  /* on views */
	PRIVILEGE_USAGE    /* on schemas */
} Privilege;

typedef enum PrivilegesLock
{
	PRIVILEGES_OF_LEVELS,
	PRIVILEGES_OF_ENROLMENT
} PrivilegesLock;

extern void privileges_change(Privilege privilege, const Oid *objects, int count, Oid role,
							  bool granted);
extern bool privileges_lock(PrivilegesLock lock, bool wait);

/* ---- a function's first argument (connection_argument.c) ----------------------------------- */

/* What a connection argument, a name or a model, came to. */
typedef struct ConnectionArgument
{
	Target target; /* valid when failure.code is DQDS_OK */
	Failure failure;
	bool ad_hoc;       /* it was a model */
	char *name;        /* of the connection, or the model's own; may be NULL */
	Jsonb *model;      /* as it was sent, or is stored with masks; NULL when it is out of bounds */
	int64 registry_id; /* whose imports concern it; 0 for none */
} ConnectionArgument;

extern void connection_argument(const Caller *caller, FunctionCallInfo fcinfo,
								ConnectionArgument *result);
extern void connection_by_name(const Caller *caller, const char *name, ConnectionArgument *result);
extern void connection_model_argument(const Caller *caller, FunctionCallInfo fcinfo,
									  ConnectionArgument *result);
extern void connection_by_model(const Caller *caller, Jsonb *model, ConnectionArgument *result);
extern void connection_of_entry(const Caller *caller, const RegistryEntry *entry,
								ConnectionArgument *result);
extern void diagnose_steps(const Caller *caller, const ConnectionArgument *connection,
						   bool show_addresses, Operation *operation, DiagnosisStep *steps);
extern char *name_argument(FunctionCallInfo fcinfo, int n, const char *what);
extern Jsonb *model_argument(const Caller *caller, FunctionCallInfo fcinfo, int n,
							 Failure *failure);
extern Jsonb *spelled_model_argument(const Caller *caller, FunctionCallInfo fcinfo, int n,
									 Failure *failure);

/* While it lasts, errors are logged without their statement, which holds a password. */
typedef struct StatementScope
{
	ErrorContextCallback callback;
	bool hidden;
} StatementScope;

extern void statement_hide(StatementScope *scope);
extern void statement_hide_names(StatementScope *scope, FunctionCallInfo fcinfo);
extern void statement_hide_model(StatementScope *scope, const Caller *caller,
								 FunctionCallInfo fcinfo);
extern void statement_show(StatementScope *scope);

/* ---- text from outside (remote_text.c) ----------------------------------------------------------- */

extern const char *remote_text(const char *value);
extern const char *visible_text(const char *text);
extern char *remote_line(const char *value);

/* ---- text of a remote that converts nothing (encoding.c) ------------------------------------------ */

/* In place of an encoding's number: the remote converts, from and to ours. */
#define REMOTE_CONVERTS (-2)

extern int remote_encoding(const char *name);
extern bool remote_can_convert(const char *server_encoding);
extern const char *remote_replacement(void);
extern const char *remote_decode(const char *bytes, int encoding);
extern bool remote_encode(const char *text, int encoding, const char **bytes);

/* ---- how much of an answer is kept (answer_budget.c) ----------------------------------------------- */

/* What one call has kept of one remote's answer, in bytes; zeros are a new one. */
typedef struct AnswerBudget
{
	uint64 taken;
} AnswerBudget;

extern void answer_budget_take(AnswerBudget *budget, const Target *target, size_t bytes);

/* ---- rows (rows.c) ------------------------------------------------------------------------------ */

typedef struct RowsOut
{
	Tuplestorestate *store;
	TupleDesc desc;
	const Target *source; /* whose answer the rows are; NULL: of no remote's */
	AnswerBudget budget;  /* of that answer */
} RowsOut;

extern void rows_open(FunctionCallInfo fcinfo, RowsOut *rows);
extern void rows_put(RowsOut *rows, Datum *values, bool *nulls);
extern void rows_clear(RowsOut *rows);
extern void row_text(Datum *value, bool *isnull, const char *text);
extern void row_integer(Datum *value, bool *isnull, const char *text, bool is_bigint);
extern void row_boolean(Datum *value, bool *isnull, const char *text);
extern void row_values(Datum *values, bool *isnull, const AnswerShape *answer, const char **texts);

/* ---- arrays of text (text_array.c) ------------------------------------------------------------------- */

extern bool text_array_parse(const char *literal, List **elements);
extern void row_text_array(Datum *value, bool *isnull, const char *literal);
extern void json_out_text_array(StringInfo text, const char *name, const char *literal);

/* ---- a listing in progress (listing.c, list_arguments.c) ----------------------------------------------------------- */

typedef struct Listing Listing;
struct SortedAnswer;

struct Listing
{
	/* What is asked, set before listing_run. */
	ConnectionArgument connection;
	char *schema_name; /* NULL: of all schemas, or the schemas themselves */
	bool include_system;
	char *contains;      /* NULL or empty: no filter */
	char *excludes;      /* likewise */
	bool ignore_case;    /* in these two */
	bool partitions;     /* tables that are partitions of others as well */
	bool sizes;          /* sizes of tables, for which the remote looks at their files */
	NameSet *names;      /* NULL: all tables */
	char *names_literal; /* the same as a text[] literal */
	char *view_name;     /* whose definition is asked for */
	DefinitionEffort definitions;
	int64 max_rows; /* negative: no limit */

	/* What becomes of a row: valid values, as many as the question's answer has columns. */
	void (*emit)(Listing *listing, const char **values);
	/* All rows are emitted again, from the first one on: forget those of this listing_run. */
	void (*restart)(Listing *listing);
	void *output; /* of these two */

	/* Private to listing.c. */
	Question question;
	const char *wanted_piece; /* contains and excludes, as names are compared with them */
	const char *unwanted_piece;
	int64 count;
	MemoryContext row_context;   /* current while emit runs, emptied afterwards */
	bool old_version;            /* of a server whose newer versions know more */
	bool raw;                    /* the remote has failed to convert something */
	int encoding;                /* in which the answer comes (encoding.c) */
	struct SortedAnswer *sorted; /* what the remote has not sorted as it is shown, or NULL */
};

extern void listing_init(Listing *listing);
extern bool listing_try(Listing *listing, Question question, const Caller *caller,
						Failure *failure);

/* ---- asked again (listing_retry.c) --------------------------------------------------------------- */

extern void listing_run(Listing *listing, Question question, const Caller *caller);

/* ---- its arguments (list_arguments.c) ------------------------------------------------------------ */

extern char *optional_text_argument(FunctionCallInfo fcinfo, int n);
extern void listing_restrict(Listing *listing, Datum names);
extern void listing_restrict_to_argument(Listing *listing, const Caller *caller,
										 FunctionCallInfo fcinfo, int n);
extern void listing_read_filters(Listing *listing, FunctionCallInfo fcinfo, int first_option);

/* ---- imports (import.c, import_functions.c) ---------------------------------------------------------- */

/*
 * The receiver of what an import does; each function but not_found may be NULL.
 * values are those of the answer to QUESTION_COLUMNS.
 */
typedef struct ImportSink
{
	void (*begin)(void *argument); /* everything has arrived, and is about to be stored */
	void (*table)(void *argument, const char *name);
	void (*column)(void *argument, const Datum *values,
				   const bool *nulls); /* of the table before */
	void (*stored)(void *argument, const char *schema, const char *table, const char *status,
				   int ncolumns);
	void (*not_found)(void *argument, const char *schema,
					  const char *table); /* at last; table NULL: the schema, or any that fits */
	void *argument;
} ImportSink;

extern void import_run(Listing *listing, bool may_be_pattern, const Caller *caller,
					   const ImportSink *sink);
extern void imports_lock(const Caller *caller, int64 connection_id);

/* ---- JSON text (json_out.c) ------------------------------------------------------------------------------ */

typedef struct JsonOut
{
	RowsOut rows;
	StringInfoData text; /* the piece that is being written */
} JsonOut;

extern void json_out_open(FunctionCallInfo fcinfo, JsonOut *out);
extern void json_out_flush(JsonOut *out);
extern void json_out_element(JsonOut *out);
extern void json_out_clear(JsonOut *out);
extern void json_out_close(JsonOut *out);
extern void json_out_name(StringInfo text, const char *name);
extern void json_out_string(StringInfo text, const char *name, const char *value);
extern void json_out_boolean(StringInfo text, const char *name, bool value);
extern void json_out_jsonb(StringInfo text, Jsonb *jsonb);

/* ---- jobs that clients of the bridge are told of (jobs.c) --------------------------------------------- */

typedef enum JobType
{
	JOB_IMPORT_TABLES,
	JOB_DELETE_CONNECTION
} JobType;

extern void job_append(StringInfo text, const Caller *caller, JobType type,
					   const char *business_key);

#endif /* DQDS_H */
