/*
 * model.c
 *		Fuzz target: connection arguments.
 *
 * The input is the text of a connection argument: a model, another spelling of
 * one, or a name.  As a caller that is not an admin would, the target passes it
 * to everything that reads models: as an ad-hoc model, as a new connection, and
 * as an update of a stored one.  Nothing is connected to.  These conditions
 * must hold, which are checked without the code of src/:
 *
 *	- a returned model shows no secret, and sending it again changes nothing
 *	- a kept secret is sent only to the place for which it was stored
 *	- references reach only what the caller may have
 *	- no spelling of a denied address is allowed
 *	- a returned model can be read by strict programs
 */
#include "backend.h"

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "arguments/connection_argument.h"
#include "arguments/model_text.h"
#include "arguments/spelling.h"
#include "base/caller.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/settings.h"
#include "engine/session_cache.h"
#include "model/model_form.h"
#include "model/policy.h"
#include "model/secret.h"
#include "model/target.h"
#include "registry/registry.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/memutils.h"

/* As in setup.sql, and as packaging/fuzz sets the environment. */
#define STORED_NAME       "stored"
#define STORED_PASSWORD   "kept-aside-for-stored"
#define STORED_TOKEN      "kept-aside-token-of-stored"
#define CREDENTIAL_SECRET "kept-aside-as-credential"
#define CREDENTIAL_HOST   "db.fuzz.example"
#define CREDENTIAL_PORT   5432
#define ENVIRONMENT_VALUE "kept-aside-in-the-environment"

static const char *const secrets[] = {STORED_PASSWORD, STORED_TOKEN, CREDENTIAL_SECRET,
									  ENVIRONMENT_VALUE};

static Caller caller;
static RegistryEntry stored;
static Target stored_target;

static struct
{
	Oid test_connection_json;
	Oid list_schemas;
	Oid create_connection;
	Oid update_connection;
	Oid connection_json;
} functions;

#define TYPES(...) ((const Oid[]){__VA_ARGS__})

static void
start(const Caller *the_caller)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	static SecretScope scope;
	Failure failure = {.code = DQDS_OK};

	caller = *the_caller;
	fuzz_require(!caller_is_admin(&caller), "the caller must not be an admin");
	fuzz_require(getenv("DQDS_SECRET_FUZZ") != NULL, "DQDS_SECRET_FUZZ must be set");
	registry_get(&caller, STORED_NAME, &stored);
	scope = (SecretScope){
		.caller = &caller, .find_credential = registry_credential, .role = stored.owner};
	fuzz_require(model_to_target(stored.model, stored.secrets, &scope, &stored_target, &failure),
				 "the stored connection is of no use");
	functions.test_connection_json =
		fuzz_function(&caller, "dqds_test_connection_json", 3, TYPES(TEXTOID, BOOLOID, BOOLOID));
	functions.list_schemas =
		fuzz_function(&caller, "dqds_list_schemas", 2, TYPES(TEXTOID, BOOLOID));
	functions.create_connection =
		fuzz_function(&caller, "dqds_create_connection", 2, TYPES(TEXTOID, TEXTOID));
	functions.update_connection =
		fuzz_function(&caller, "dqds_update_connection", 2, TYPES(TEXTOID, TEXTOID));
	functions.connection_json = fuzz_function(&caller, "dqds_connection_json", 1, TYPES(TEXTOID));
	MemoryContextSwitchTo(old);
}

/* ---- secrets --------------------------------------------------------------------------- */

static void
must_not_show(const char *text, const char *what)
{
	for (int i = 0; i < lengthof(secrets); i++)
		fuzz_require(fuzz_find(text, secrets[i]) == NULL, "%s shows a secret: %s", what, text);
}

/* A caller that knows a secret may write it out. */
static bool
knows_a_secret(const char *text)
{
	for (int i = 0; i < lengthof(secrets); i++)
		if (fuzz_find(text, secrets[i]) != NULL)
			return true;
	return false;
}

/* Contract, 2: these members anywhere, and in maps of the user all names with certain words. */
static bool
names_a_secret(const char *key, bool in_map)
{
	char *lower = asc_tolower(key, strlen(key));

	if (strcmp(key, "password") == 0 || strcmp(key, "json_key_content") == 0 ||
		strcmp(key, "access_token") == 0 || strcmp(key, "client_secret") == 0)
		return true;
	return in_map && (strstr(lower, "password") || strstr(lower, "secret") ||
					  strstr(lower, "token") || strstr(lower, "key"));
}

/* Every secret in a returned model must be the mask alone. */
static void
must_be_masked(Jsonb *model)
{
	JsonbIterator *iterator = JsonbIteratorInit(&model->root);
	JsonbIteratorToken token;
	JsonbValue item;
	int depth = 0;
	int map_depth = 0; /* of the outermost map of the user that we are in; 0: of none */
	bool map_begins = false;

	while ((token = JsonbIteratorNext(&iterator, &item, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
		{
			depth++;
			if (map_begins && map_depth == 0)
				map_depth = depth;
		}
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
		{
			if (depth-- == map_depth)
				map_depth = 0;
		}
		map_begins = false;
		if (token != WJB_KEY)
			continue;
		{
			char *key = pnstrdup(item.val.string.val, item.val.string.len);

			map_begins = strcmp(key, "properties") == 0 || strcmp(key, "advanced_properties") == 0;
			if (!names_a_secret(key, map_depth != 0))
				continue;
			token = JsonbIteratorNext(&iterator, &item, true);
			fuzz_require(token == WJB_VALUE && item.type == jbvString &&
							 item.val.string.len == strlen(DQDS_MASK) &&
							 memcmp(item.val.string.val, DQDS_MASK, strlen(DQDS_MASK)) == 0,
						 "\"%s\" is not masked", key);
		}
	}
}

/* ---- bounds ------------------------------------------------------------------------------ */

/* Contract, 2.  What the server adds to a model has some kilobytes, for a short name. */
#define MAX_LEVELS 100
#define MAX_DIGITS 40
#define MAX_BYTES  (1024 * 1024)
#define ADDED      4096

/* Checks the JSON text of a returned model. */
static void
must_be_bounded(const char *json)
{
	int level = 0;
	int digits = 0; /* of the number that we are in */

	fuzz_require(strlen(json) <= MAX_BYTES + ADDED, "a model of %zu bytes", strlen(json));
	for (const char *c = json; *c != '\0'; c++)
	{
		if (*c == '"')
		{
			for (c++; *c != '"'; c++)
				if (*c == '\\')
					c++;
			continue;
		}
		level += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
		if (*c >= '0' && *c <= '9')
			digits++;
		else if (*c != '.')
			digits = 0;
		fuzz_require(level <= MAX_LEVELS, "a model has more than %d levels", MAX_LEVELS);
		fuzz_require(digits <= MAX_DIGITS, "a number has more than %d digits", MAX_DIGITS);
	}
}

/* ---- targets --------------------------------------------------------------------------------- */

/* The parameter that is a secret, in place of a password; NULL if there is none. */
static const char *
private_key_of(const Target *target)
{
	for (int i = 0; i < target->nparameters; i++)
		if (strcmp(target->parameters[i].keyword, "private_key") == 0)
			return target->parameters[i].value;
	return NULL;
}

/* The members of a target as texts, without its secrets. */
static List *
target_texts(const Target *target)
{
	List *texts = list_make4(target->host, target->database, target->user, target->sslmode);

	texts = lappend(texts, target->options);
	for (int i = 0; i < target->nparameters; i++)
		if (target->parameters[i].value != private_key_of(target))
			texts = lappend(texts, target->parameters[i].value);
	return texts;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_place(const Target *a, const Target *b)
{
	if (a->provider != b->provider || a->port != b->port || a->nparameters != b->nparameters ||
		a->allow_cleartext != b->allow_cleartext || !same_text(a->host, b->host) ||
		!same_text(a->database, b->database) || !same_text(a->user, b->user) ||
		!same_text(a->sslmode, b->sslmode))
		return false;
	for (int i = 0; i < a->nparameters; i++)
		if (!same_text(a->parameters[i].keyword, b->parameters[i].keyword) ||
			!same_text(a->parameters[i].value, b->parameters[i].value))
			return false;
	return true;
}

/* An IPv4 address, also one within IPv6 that leads there; 0 when it is none. */
static uint32
ipv4_of(const struct sockaddr *address)
{
	const unsigned char *bytes;
	uint32 v4;

	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr);
	bytes = ((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr;
	memcpy(&v4, bytes + 12, 4);
	v4 = ntohl(v4);
	/* mapped, compatible, NAT64 */
	if (memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0 ||
		memcmp(bytes, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12) == 0)
		return v4;
	return memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\0\0", 12) == 0 && v4 > 255 ? v4 : 0;
}

/*
 * The addresses of a host that is an address in any spelling.  No name is
 * looked up: each leads to an address that is never assigned (RFC 5737).
 */
static struct addrinfo *
addresses_of(const Target *target)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;

	if (getaddrinfo(target->host, NULL, &hints, &found) != 0 &&
		getaddrinfo("192.0.2.1", NULL, &hints, &found) != 0)
		fuzz_require(false, "an address cannot be read");
	return found;
}

/* Would it be connected to with these lists? */
static bool
is_allowed(const Target *target, const struct addrinfo *addresses, char *allowed, char *denied)
{
	char *saved_allowed = dqds_allowed_hosts;
	char *saved_denied = dqds_denied_hosts;
	Failure failure = {.code = DQDS_OK};
	bool result;

	dqds_allowed_hosts = allowed;
	dqds_denied_hosts = denied;
	result = policy_allows_name(target, &failure);
	for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next)
		result = result && policy_allows_address(target, a->ai_addr, &failure);
	dqds_allowed_hosts = saved_allowed;
	dqds_denied_hosts = saved_denied;
	return result;
}

static bool
in_network(const struct addrinfo *addresses, uint32 network, int bits)
{
	for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next)
		if (ipv4_of(a->ai_addr) >> (32 - bits) == network >> (32 - bits))
			return true;
	return false;
}

static bool
is_credential_host(const Target *target, const struct addrinfo *addresses)
{
	char *host = asc_tolower(target->host, strlen(target->host));

	if (strcmp(host, CREDENTIAL_HOST) == 0 || strcmp(host, CREDENTIAL_HOST ".") == 0)
		return target->port == CREDENTIAL_PORT;
	return in_network(addresses, 0x0A010000, 16);
}

/* Checks a target made by a caller that does not know the secrets. */
static void
check_target(const Target *target)
{
	struct addrinfo *addresses = addresses_of(target);
	ListCell *cell;

	foreach (cell, target_texts(target))
		must_not_show(lfirst(cell), "a member of the target");
	fuzz_require(fuzz_find(target->password, ENVIRONMENT_VALUE) == NULL &&
					 fuzz_find(private_key_of(target), ENVIRONMENT_VALUE) == NULL,
				 "the environment went into a password");
	if (fuzz_find(target->password, STORED_PASSWORD) ||
		fuzz_find(private_key_of(target), STORED_PASSWORD))
		fuzz_require(same_place(target, &stored_target), "the stored password leads elsewhere");
	if (fuzz_find(target->password, CREDENTIAL_SECRET) ||
		fuzz_find(private_key_of(target), CREDENTIAL_SECRET))
		fuzz_require(!is_allowed(target, addresses, "*", "") ||
						 is_credential_host(target, addresses),
					 "the credential is sent to \"%s\"", target->host);
	fuzz_require(
		!is_allowed(target, addresses, "*", "127.0.0.0/8, 10.0.0.0/8, 0.0.0.0/8") ||
			!(in_network(addresses, 0x7F000000, 8) || in_network(addresses, 0x0A000000, 8)),
		"the denied address \"%s\" is allowed", target->host);
	freeaddrinfo(addresses);
}

/* ---- a model, by the functions that read it ------------------------------------------------------ */

static char *
as_text(Jsonb *value)
{
	return value == NULL ? NULL : JsonbToCString(NULL, &value->root, VARSIZE(value));
}

/* The result of reading a model, as text.  Nothing is looked up, so the error may be caught. */
static char *
reading(Jsonb *model, Jsonb *apart)
{
	MemoryContext context = CurrentMemoryContext;
	Target target;
	Failure failure = {.code = DQDS_OK};
	char *volatile result = NULL;

	PG_TRY();
	{
		result = model_to_target(model, apart, NULL, &target, &failure)
					 ? session_cache_key(&target)
					 : psprintf("%s: %s", error_code_name(failure.code), failure.message);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		result = psprintf("%s: %s", unpack_sql_state(error->sqlerrcode), error->message);
	}
	PG_END_TRY();
	return result;
}

/* The stored form of a model must mean the same as the model, and be its own stored form. */
static void
check_form(Jsonb *model)
{
	NormalModel once = {0};
	NormalModel twice = {0};
	Failure failure = {.code = DQDS_OK};

	if (!model_normalize(model, NULL, NULL, &once, &failure))
		return;
	must_be_masked(once.model);
	must_be_bounded(as_text(once.model));
	fuzz_require(same_text(reading(model, NULL), reading(once.model, once.secrets)),
				 "the form that is kept means something else: %s, not %s",
				 reading(once.model, once.secrets), reading(model, NULL));
	if (once.secrets == NULL)
		return;
	fuzz_require(model_normalize(once.model, once.model, once.secrets, &twice, &failure),
				 "a model cannot be given back: %s", failure.message);
	fuzz_require(same_text(as_text(once.model), as_text(twice.model)) &&
					 same_text(as_text(once.secrets), as_text(twice.secrets)),
				 "a model changes when it is given back");
}

/* Change the stored connection: where are its secrets sent? */
static void
check_update(Jsonb *model)
{
	const SecretScope scope = {
		.find_credential = registry_credential, .caller = &caller, .role = caller.role};
	NormalModel normal = {0};
	Target target;
	Failure failure = {.code = DQDS_OK};

	if (!model_normalize(model, stored.model, stored.secrets, &normal, &failure))
		return;
	must_be_masked(normal.model);
	must_not_show(as_text(normal.model), "the model");
	if (model_to_target(normal.model, normal.secrets, &scope, &target, &failure))
		check_target(&target);
}

static void
check_use(Jsonb *model)
{
	ConnectionArgument argument;

	connection_by_model(&caller, model, &argument);
	if (argument.failure.code == DQDS_OK)
	{
		check_target(&argument.target);
		return;
	}
	must_not_show(argument.failure.message, "a message");
	must_not_show(argument.failure.hint, "a hint");
}

/* ---- a model, by the SQL functions ------------------------------------------------------------------ */

static NullableDatum
text_argument(const char *text)
{
	return (NullableDatum){.value = CStringGetTextDatum(text)};
}

static NullableDatum
boolean_argument(bool value)
{
	return (NullableDatum){.value = BoolGetDatum(value)};
}

/* The rows of a function ending in _json, joined as the bridge does. */
static char *
join(const FuzzRows *rows)
{
	StringInfoData document;

	initStringInfo(&document);
	for (int i = 0; i < rows->count; i++)
		appendStringInfoString(&document, rows->values[i]);
	return document.data;
}

static void
test(const char *text)
{
	NullableDatum arguments[] = {text_argument(text), boolean_argument(true),
								 boolean_argument(true)};
	FuzzRows rows;
	char *document;

	fuzz_call(functions.test_connection_json, lengthof(arguments), arguments, &rows);
	document = join(&rows);
	fuzz_require(fuzz_is_json(document), "the answer is no JSON: %s", document);
	fuzz_require(strstr(document, "\"connectionTestResult\":\"SUCCESS\"") == NULL,
				 "something was connected to");
	must_not_show(document, "the answer");
}

static char *
given_back(const char *name)
{
	NullableDatum argument = text_argument(name);
	FuzzRows rows;
	char *document;

	fuzz_call(functions.connection_json, 1, &argument, &rows);
	document = join(&rows);
	must_not_show(document, "a model that is given back");
	must_be_bounded(document);
	must_be_masked(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(document))));
	return document;
}

static void
store(Oid function, const char *name, const char *text)
{
	NullableDatum arguments[] = {text_argument(name), text_argument(text)};
	FuzzRows rows;

	fuzz_call(function, lengthof(arguments), arguments, &rows);
}

/* A client reads a model and writes it again, as forms do. */
static void
register_it(const char *text)
{
	char *first;

	store(functions.create_connection, "made", text);
	first = given_back("made");
	store(functions.update_connection, "made", first);
	fuzz_require(strcmp(first, given_back("made")) == 0, "a registered model changes");
}

static void
update_stored(const char *text)
{
	store(functions.update_connection, STORED_NAME, text);
	(void) given_back(STORED_NAME);
}

/* ---- names and lists of hosts --------------------------------------------------------------------------- */

static void
list_by_name(const char *text)
{
	NullableDatum arguments[] = {text_argument(text), boolean_argument(false)};
	FuzzRows rows;

	fuzz_call(functions.list_schemas, lengthof(arguments), arguments, &rows);
}

/* A valid list that is an address denies at least this address. */
static void
check_hosts(char *text)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found = NULL;
	Target target = stored_target;

	if (policy_bad_host(text) != NULL)
		return;
	(void) is_allowed(&target, NULL, "*", text);
	(void) is_allowed(&target, NULL, text, "");
	target.host = text;
	if (getaddrinfo(text, NULL, &hints, &found) != 0)
		return;
	fuzz_require(!is_allowed(&target, found, "*", text), "what is denied is allowed: %s", text);
	freeaddrinfo(found);
}

static uint32
hash(const char *text)
{
	uint32 value = 2166136261u;

	for (; *text != '\0'; text++)
		value = (value ^ (unsigned char) *text) * 16777619u;
	return value;
}

/* ---- other spellings of a model ------------------------------------------------------------------------------ */

static void
run_spelling(const char *text)
{
	Failure failure = {.code = DQDS_OK};
	Jsonb *model = model_parse_any(cstring_to_text(text), &failure);

	if (hash(text) % 16 == 0)
		register_it(text);
	else if (model != NULL)
	{
		check_form(model);
		check_use(model);
	}
}

/* ---- an input ----------------------------------------------------------------------------------------------- */

/* Writing to tables takes longer than the rest and finds less, so it is done only now and then. */
static void
run_model(const char *text)
{
	Failure failure = {.code = DQDS_OK};
	Jsonb *model = model_parse(cstring_to_text(text), &failure);

	switch (hash(text) % 16)
	{
		case 0:
			register_it(text);
			break;
		case 1:
			update_stored(text);
			break;
		default:
			test(text);
			if (model == NULL)
				break;
			check_form(model);
			check_update(model);
			check_use(model);
	}
}

static void
run(const FuzzInput *input)
{
	char *text = pnstrdup((const char *) input->data, input->size);
	size_t blank = strspn(text, " \t\n\v\f\r");

	/* The server passes on no other text. */
	if (strlen(text) != input->size || !pg_verifymbstr(text, input->size, true))
		return;
	if (knows_a_secret(text))
		return;
	if (text[blank] == '{')
	{
		run_model(text);
		return;
	}
	if (model_is_spelled(text))
		run_spelling(text);
	else
		check_hosts(text);
	list_by_name(text);
}

static void
clean(void)
{
}

static void
check_error(const FuzzInput *input, const ErrorData *error)
{
	(void) input;
	must_not_show(error->message, "a message");
	must_not_show(error->detail, "a detail");
	must_not_show(error->hint, "a hint");
}

/*
 * Contract, 2 to 4: no JSON, a wrong type, no such name, too deep, not
 * permitted; and unusable models.
 */
static const char *const sqlstates[] = {"22P02", "22P05", "42804", "42704", "54001", "42501",
										"QD018", "QD019", "QD020", "QD021", NULL};

const FuzzTarget fuzz_model = {.name = "model",
							   .start = start,
							   .run = run,
							   .clean = clean,
							   .check_error = check_error,
							   .sqlstates = sqlstates};
