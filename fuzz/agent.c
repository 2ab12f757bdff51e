/*
 * agent.c
 *		Fuzz target: frames of a hostile agent.
 *
 * The input is three bytes of choice (how its bytes are sent; the connection;
 * the question), followed by what a session of the agent sends
 * (hostile_agent.c).  No agent is started: the function that starts a session
 * is replaced when the target is linked (fuzz.mk).
 *
 * What is asked, and which conditions must hold, is questions.c's; besides:
 *
 *	- an error is one of those that the contract has for remote failures
 *	- an answer takes no more memory than its bound
 */
#include "backend.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent_process.h"
#include "base/settings.h"
#include "engine/session_cache.h"
#include "event/background.h"

#include "hostile_agent.h"
#include "messages.h"
#include "questions.h"

/* More than a question needs for any answer that is no longer than an input. */
#define MAX_BYTES (32 * 1024 * 1024)

#define MODEL(provider, more)                                                                      \
	"{\"provider_type\": \"" provider "\", \"" provider                                            \
	"\": {\"host\": \"127.0.0.1\", \"port\": %d, \"user\": \"u\", \"password\": \"" PASSWORD       \
	"\"" more "}}"

/* Connections that start() registers; the agent's frames decide about TLS. */
static const FuzzConnection connections[] = {
	{"mariadb", MODEL("mariadb", ", \"database\": \"d\"")},
	{"mysql", MODEL("mysql", "")},
	{"verified", MODEL("mysql", ", \"sslmode\": \"VERIFY_IDENTITY\"")},
	{"plain", MODEL("mariadb", ", \"sslmode\": \"DISABLED\"")},
};

extern int __wrap_agent_start_session(const Target *target, Failure *failure);

int
__wrap_agent_start_session(const Target *target, Failure *failure)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && hostile_agent_serve(ends[1]))
		return ends[0];
	close(ends[0]);
	close(ends[1]);
	return -1;
}

static void
start(const Caller *caller)
{
	fuzz_require(hostile_agent_start(background_thread), "the hostile agent does not start");
	questions_start(caller, connections, lengthof(connections), 3306);
}

/* ---- an input ----------------------------------------------------------------------------- */

static AgentScript script;

/* By the first byte; what takes time is rare. */
static const AgentDelivery deliveries[] = {
	AGENT_IN_TURN,     AGENT_IN_TURN, AGENT_IN_TURN, AGENT_IN_TURN,  AGENT_IN_TURN,
	AGENT_IN_TURN,     AGENT_IN_TURN, AGENT_IN_TURN, AGENT_AND_HOLD, AGENT_IN_PIECES,
	AGENT_WITHOUT_END, AGENT_AT_ONCE, AGENT_AT_ONCE};

static bool
lasts(AgentDelivery delivery)
{
	return delivery == AGENT_AND_HOLD || delivery == AGENT_WITHOUT_END;
}

static void
run(const FuzzInput *input)
{
	const uint8 *choice = input->data;
	size_t before = __sanitizer_get_current_allocated_bytes();
	const char *connection;

	if (input->size < MESSAGES_OFFSET)
		return;
	script = (AgentScript){.delivery = deliveries[choice[0] % lengthof(deliveries)],
						   .bytes = input->data + MESSAGES_OFFSET,
						   .size = input->size - MESSAGES_OFFSET};
	connection = connections[choice[1] % lengthof(connections)].name;
	dqds_connect_timeout_ms = dqds_query_timeout_ms =
		lasts(script.delivery) ? HOLD_TIMEOUT_MS : TIMEOUT_MS;

	hostile_agent_play(&script);
	for (int i = 0; i < MAX_QUESTIONS && (i == 0 || hostile_agent_has_more()); i++)
	{
		questions_ask(choice[2], connection);
		fuzz_require(__sanitizer_get_current_allocated_bytes() < before + MAX_BYTES,
					 "an answer has taken more memory than its bound");
	}
}

static void
clean(void)
{
	(void) session_cache_close_all();
	hostile_agent_end();
}

static size_t
mutate(uint8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return mutate_messages(&agent_messages, data, size, max_size, seed);
}

/*
 * Contract, 4: the codes of failures that a server can cause; and those of one that cannot be
 * reached, of a driver that is missing and of capacity that is out, which the agent reports.
 */
static const char *const sqlstates[] = {"QD002", "QD003", "QD004", "QD006", "QD007", "QD008",
										"QD009", "QD010", "QD011", "QD012", "QD013", "QD014",
										"QD015", "QD016", "QD017", "QD019", "QD020", "QD022",
										"QD023", "QD024", NULL};

const FuzzTarget fuzz_agent = {.name = "agent",
							   .start = start,
							   .run = run,
							   .clean = clean,
							   .mutate = mutate,
							   .check_error = questions_check_error,
							   .sqlstates = sqlstates};
