/*
 * fake_wire.c
 *		A wire for tests: servers that exist in this process only, and answer from memory.
 *
 * It stands for any wire but libpq's: t/extension/110_second_wire.pl compiles it into a copy
 * of the extension.  A link is a socket pair, of which it holds both ends; a byte at the far
 * end is what a real server would send.  The user of a model says how the login ends, the
 * database what becomes of questions.  What the "servers" see is written to a file, which
 * FAKE_WIRE_LOG names.
 */
#include "postgres.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/error_codes.h"
#include "base/failure.h"
#include "base/settings.h"
#include "event/reactor.h"
#include "fake/fake_wire.h"
#include "model/target.h"
#include "wire/failure_common.h"
#include "wire/failure_explain.h"

#define WIDE_TABLES  1000 /* of schema wide, besides those in memory */
#define ROWS_AT_ONCE 100

typedef struct FakeLink
{
	WireLink common;
	bool open;
	int fd;  /* our end, which is watched, */
	int far; /* and the server's */
	RemoteQuery query;
	int next;  /* row of the memory */
	int asked; /* questions, so far */
} FakeLink;

/* ---- what the servers have in memory, in the order of its names ------------------------------ */

static const char *const schemas[] = {"information_schema", "inventory", "sales", "wide"};

static const struct
{
	const char *schema;
	const char *table;
	const char *kind;
	const char *rows;
	const char *comment;
} tables[] = {
	{"information_schema", "memory", "TABLE", NULL, NULL},
	{"inventory", "Part", "TABLE", "12", NULL},
	{"inventory", "part", "TABLE", "1200", "all parts"},
	{"inventory", "stock", "VIEW", NULL, NULL},
	{"sales", "order", "TABLE", "7", "with \"quotes\""},
};

static bool
is_system(const char *schema)
{
	return strcmp(schema, "information_schema") == 0;
}

static bool
is_true(const char *value)
{
	return value != NULL && *value == 't';
}

/* Fill in the values of the row at link->next; false: there is none at this place. */
static bool
table_row(const FakeLink *link, const char **values)
{
	const RemoteQuery *query = &link->query;
	bool all = query->question == QUESTION_ALL_TABLES;
	bool columns =
		query->question >= QUESTION_COLUMNS && query->question <= QUESTION_COLUMN_DETAILS_OF;
	bool wide = link->next >= lengthof(tables);
	const char *schema = wide ? "wide" : tables[link->next].schema;
	const char **value = all ? values + 1 : values;

	if (all ? is_system(schema) && !is_true(query->values[0])
			: strcmp(schema, query->values[0]) != 0)
		return false;
	values[0] = schema;
	value[0] =
		wide ? psprintf("t%04d", link->next - (int) lengthof(tables)) : tables[link->next].table;
	if (columns)
	{
		value[1] = "1";
		value[2] = "id";
		value[3] = "NUMBER";
		value[5] = "10";
		value[7] = "false";
		value[8] = "true";
	}
	else if (query->question != QUESTION_TABLE_NAMES)
	{
		value[1] = wide ? "TABLE" : tables[link->next].kind;
		value[2] = wide ? NULL : tables[link->next].rows;
		value[3] = wide ? NULL : tables[link->next].comment;
	}
	return true;
}

/* The same for all questions.  *last: there is nothing behind it. */
static bool
make_row(const FakeLink *link, const char **values, bool *last)
{
	static const char *const overview[] = {"1", NULL, "3", "3", "1004", "1004"};

	switch (link->query.question)
	{
		case QUESTION_PROBE:
		case QUESTION_OVERVIEW:
			*last = true;
			memcpy(values, overview,
				   sizeof(char *) * question_answer(link->query.question)->ncolumns);
			return true;
		case QUESTION_CONSTRAINTS:
			*last = true;
			return false; /* there are none */
		case QUESTION_SCHEMAS:
		case QUESTION_SCHEMA_DETAILS:
			*last = link->next == lengthof(schemas) - 1;
			values[0] = schemas[link->next];
			return !is_system(values[0]) || is_true(link->query.values[0]);
		default:
			*last = link->next == lengthof(tables) + WIDE_TABLES - 1;
			return table_row(link, values);
	}
}

/* ---- the servers ------------------------------------------------------------------------- */

/* For any thread. */
static void
note(const WireLink *link, const char *what)
{
	const char *name = getenv("FAKE_WIRE_LOG");
	int fd = name == NULL ? -1 : open(name, O_WRONLY | O_APPEND | O_CREAT, 0600);
	char line[64];
	int length = snprintf(line, sizeof(line), "%d.%d %s\n", (int) getpid(), (int) link->id, what);

	if (fd >= 0 && write(fd, line, length) == length)
		close(fd);
}

static bool
user_is(const WireLink *link, const char *name)
{
	return strcmp(link->target->user, name) == 0;
}

static bool
database_is(const WireLink *link, const char *name)
{
	return strcmp(link->target->database, name) == 0;
}

/* The server says something. */
static void
speak(FakeLink *link)
{
	if (write(link->far, "x", 1) < 0)
		elog(ERROR, "the fake server cannot speak: %m");
}

/* Has it said something?  Then take it. */
static bool
hear(FakeLink *link)
{
	char bytes[16];

	return read(link->fd, bytes, sizeof(bytes)) > 0;
}

/* ---- the wire --------------------------------------------------------------------------------- */

static bool
can_answer(Provider provider, Question question)
{
	return question != QUESTION_INDEXES && question != QUESTION_VIEW_DEFINITION;
}

static bool
start(WireLink *common, Failure *failure)
{
	FakeLink *link = (FakeLink *) common;
	int ends[2];

	note(common, "connect");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
	{
		failure_common(common->target, FAILED_NO_CAPACITY, NULL, failure);
		return false;
	}
	link->open = true;
	link->fd = ends[0];
	link->far = ends[1];
	reactor_watch(link->fd, EPOLLIN, common->id);
	speak(link);
	return true;
}

static LoginStatus
end_login(FakeLink *link, Failure *failure)
{
	static const Explanation wrong = {DQDS_AUTHENTICATION_FAILED,
									  "the memory of %h:%p does not let user \"%u\" in: %m",
									  "Check the user and the password of the connection.%w"};
	const Target *target = link->common.target;

	if (user_is(&link->common, "shy"))
	{
		failure_common(target, FAILED_CONNECTION_LOST, NULL, failure);
		return LOGIN_HUNG_UP;
	}
	link->common.spoken = true;
	link->common.used_password = !user_is(&link->common, "trusted");
	if (link->common.used_password && target->password == NULL)
		failure_common(target, FAILED_PASSWORD_MISSING, NULL, failure);
	else if (link->common.used_password && strcmp(target->password, "wonderland") != 0)
		/* A server that is not discreet. */
		explain(&wrong, target, psprintf("\"%s\" is wrong", target->password), NULL, failure);
	else
	{
		link->common.encoding = REMOTE_CONVERTS;
		note(&link->common, "login");
		return LOGIN_COMPLETE;
	}
	return LOGIN_REFUSED;
}

static LoginStatus
advance(WireLink *common, uint32 events, Failure *failure)
{
	FakeLink *link = (FakeLink *) common;

	if (!hear(link))
		return LOGIN_UNDER_WAY;
	if (common->stage == STAGE_STARTUP)
		return end_login(link, failure);
	common->stage = STAGE_STARTUP;
	if (common->trace != NULL)
		common->trace->connected_us = common->trace->encrypted_us = dqds_now_us();
	if (!user_is(common, "mute"))
		speak(link);
	return LOGIN_UNDER_WAY;
}

static bool
ask(WireLink *common, const RemoteQuery *query, Failure *failure)
{
	FakeLink *link = (FakeLink *) common;

	link->query = *query;
	link->next = 0;
	link->asked++;
	note(common, "ask");
	if (!database_is(common, "slow") || query->question == QUESTION_PROBE)
		speak(link);
	return true;
}

static QueryStatus
collect(WireLink *common, RowSink on_row, void *sink, Failure *failure)
{
	FakeLink *link = (FakeLink *) common;
	bool last = false;

	(void) hear(link);
	if (database_is(common, "forgetful") && link->asked > 1)
	{
		failure_common(common->target, FAILED_CONNECTION_LOST, NULL, failure);
		return QUERY_BROKEN;
	}
	for (int i = 0; i < ROWS_AT_ONCE && !last; i++)
	{
		const char *values[MAX_ANSWER_COLUMNS] = {NULL};

		if (make_row(link, values, &last))
		{
			common->answered = true;
			if (on_row != NULL)
				on_row(sink, values, question_answer(link->query.question)->ncolumns);
		}
		link->next++;
	}
	if (last)
		return QUERY_ENDED;
	speak(link);
	return QUERY_UNDER_WAY;
}

static bool
cancel(WireLink *common)
{
	note(common, "cancel");
	speak((FakeLink *) common);
	return true;
}

static bool
cancelled(WireLink *common)
{
	return hear((FakeLink *) common);
}

static void
await_cancel(WireLink *common, int64 deadline_us)
{
	struct pollfd ready = {.fd = ((FakeLink *) common)->fd, .events = POLLIN};

	(void) poll(&ready, 1, Max(deadline_us - dqds_now_us(), 0) / 1000);
}

static bool
reusable(const WireLink *common)
{
	return true;
}

static void
facts(const WireLink *common, WireFacts *facts)
{
	facts->server_version = "0.1 of memory";
}

static void
leave(WireLink *common)
{
	FakeLink *link = (FakeLink *) common;

	if (!link->open)
		return;
	note(common, "leave");
	close(link->fd);
	close(link->far);
	link->open = false;
}

static void
release(WireLink *common)
{
	FakeLink *link = (FakeLink *) common;

	if (link->open)
		reactor_forget(link->fd);
	leave(common);
}

const Wire fake_wire = {
	.name = "fake",
	.link_size = sizeof(FakeLink),
	.can_answer = can_answer,
	.start = start,
	.advance = advance,
	.ask = ask,
	.collect = collect,
	.cancel = cancel,
	.cancelled = cancelled,
	.await_cancel = await_cancel,
	.reusable = reusable,
	.facts = facts,
	.leave = leave,
	.release = release,
};
