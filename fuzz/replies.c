/*
 * replies.c
 *		Fuzz target: answers of a hostile server.
 *
 * The input is three bytes of choice (where its bytes begin and how they are
 * sent; the kind of server; the question), followed by the bytes that the
 * server sends (hostile_server.c).  What is asked, and which conditions must
 * hold, is questions.c's; besides, an error must be one of those that the
 * contract has for remote failures.
 */
#include "backend.h"

#include "base/settings.h"
#include "engine/session_cache.h"
#include "event/background.h"

#include "hostile_server.h"
#include "messages.h"
#include "questions.h"

/* ---- at which kind of server -------------------------------------------------------- */

/* Connections that start() registers. */
static const FuzzConnection connections[] = {
	{"postgresql",
	 "{\"provider_type\": \"postgresql\", \"postgresql\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"database\": \"d\", \"password\": \"" PASSWORD
	 "\", \"sslmode\": \"disable\"}}"},
	{"prefer",
	 "{\"provider_type\": \"postgresql\", \"postgresql\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"database\": \"d\", \"password\": \"" PASSWORD "\", \"properties\":"
	 " {\"target_session_attrs\": \"read-write\"}}}"},
	{"redshift",
	 "{\"provider_type\": \"redshift\", \"redshift\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"password\": \"" PASSWORD "\", \"sslmode\": \"require\"}}"},
	{"questdb",
	 "{\"provider_type\": \"questdb\", \"questdb\": {\"host\": \"127.0.0.1\", \"port\": %d,"
	 " \"user\": \"u\", \"password\": \"" PASSWORD "\", \"sslmode\": \"allow\", \"properties\":"
	 " {\"allow_cleartext_password\": true}}}"},
};

static void
start(const Caller *caller)
{
	int port = hostile_start(background_thread);

	fuzz_require(port > 0, "the hostile server does not start");
	questions_start(caller, connections, lengthof(connections), port);
}

/* ---- an input ----------------------------------------------------------------------------------------- */

static HostileScript script;

/* By the first byte; what takes time is rare. */
static const HostileDelivery deliveries[] = {
	DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,
	DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,   DELIVER_IN_TURN,
	DELIVER_AT_ONCE,   DELIVER_AT_ONCE,   DELIVER_AT_ONCE,   DELIVER_AT_ONCE,
	DELIVER_IN_PIECES, DELIVER_IN_PIECES, DELIVER_IN_PIECES, DELIVER_AND_HOLD};

static void
run(const FuzzInput *input)
{
	const uint8 *choice = input->data;
	const char *connection;

	if (input->size < MESSAGES_OFFSET)
		return;
	script = (HostileScript){.begin = choice[0] % NUM_BEGINS,
							 .delivery = deliveries[choice[0] / NUM_BEGINS % lengthof(deliveries)],
							 .bytes = input->data + MESSAGES_OFFSET,
							 .size = input->size - MESSAGES_OFFSET};
	connection = connections[choice[1] % lengthof(connections)].name;
	dqds_connect_timeout_ms = dqds_query_timeout_ms =
		script.delivery == DELIVER_AND_HOLD ? HOLD_TIMEOUT_MS : TIMEOUT_MS;

	hostile_play(&script);
	for (int i = 0; i < MAX_QUESTIONS && (i == 0 || hostile_has_more()); i++)
		questions_ask(choice[2], connection);
}

static void
clean(void)
{
	(void) session_cache_close_all();
	hostile_end();
}

static size_t
mutate(uint8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return mutate_messages(&postgres_messages, data, size, max_size, seed);
}

/*
 * libpq 15 leaks a result if a ParameterDescription or the start of a COPY
 * arrives unexpectedly: it replaces the result by a new one.
 */
static size_t
forgotten(const FuzzInput *input)
{
	size_t count = 0;

	for (size_t i = MESSAGES_OFFSET; i + 2 < input->size; i++)
		count += memchr("tGHW", input->data[i], 4) != NULL && input->data[i + 1] == 0 &&
				 input->data[i + 2] == 0;
	return count * (8192 + 8 * input->size);
}

/* Contract, 4: the codes of failures that a server can cause. */
static const char *const sqlstates[] = {"QD004", "QD005", "QD006", "QD007", "QD008", "QD009",
										"QD010", "QD011", "QD012", "QD013", "QD014", "QD015",
										"QD016", "QD017", "QD020", "QD023", NULL};

const FuzzTarget fuzz_replies = {.name = "replies",
								 .start = start,
								 .run = run,
								 .clean = clean,
								 .mutate = mutate,
								 .forgotten = forgotten,
								 .check_error = questions_check_error,
								 .sqlstates = sqlstates};
