/*
 * agent_wire.c
 *		The wire of servers that are reached by a driver of the agent: a session is a process.
 *
 * A link is our end of the socket of such a process.  All that comes from there is foreign:
 * a process may hang, end, or send what is no frame.  Deadlines are kept by the session, and
 * the process ends with its socket, or is killed.
 *
 * It must not know what a driver does, or how the process is made (agent_process.c).
 */
#include "postgres.h"

#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mb/pg_wchar.h"

#include "agent/agent_frames.h"
#include "agent/agent_login.h"
#include "agent/agent_process.h"
#include "agent/agent_wire.h"
#include "agent/failure_agent.h"
#include "agent/members.h"
#include "agent/protocol.h"
#include "base/address.h"
#include "base/encoding.h"
#include "base/remote_text.h"
#include "base/settings.h"
#include "event/reactor.h"
#include "model/secret.h"
#include "model/target.h"
#include "wire/failure_common.h"
#include "wire/wire.h"

/* Of the names of tables, or of a piece of one, that a server is asked for. */
#define MAX_FILTER_BYTES (128 * 1024)

/* A fork server that has made no process in this time hangs. */
#define PROCESS_PATIENCE_US (1000 * 1000)

typedef struct AgentLink
{
	WireLink common; /* first, so that either is the other */
	int fd;          /* our end; valid while open */
	bool open;
	bool logged_in;
	bool busy;   /* a question has no DONE or FAULT yet */
	bool broken; /* nothing more can be asked */
	int pid;     /* of the session's process; 0: not known yet */
	int64 started_us;
	int ncolumns;
	FrameBuffer out;
	FrameBuffer in;
	char version[128];
	char tls[32];
} AgentLink;

/* ---- telling the agent ------------------------------------------------------------------------- */

/* Send what waits, and be woken when more can be sent.  False: the other end is gone. */
static bool
flush(AgentLink *link)
{
	FrameStatus status = frame_send(&link->out, link->fd);

	reactor_watch(link->fd, status == FRAME_NOT_YET ? EPOLLIN | EPOLLOUT : EPOLLIN,
				  link->common.id);
	return status != FRAME_NO_MORE;
}

/* ---- hearing of it ------------------------------------------------------------------------------- */

static void
copy_member(char *to, size_t size, const Frame *frame, const char *name)
{
	const char *value = member_value(frame->payload, frame->length, name);

	strlcpy(to, value == NULL ? "" : remote_decode(value, PG_UTF8), size);
}

/* The same, fit to be shown: a word of the TLS library, which is shown as it is. */
static void
copy_word(char *to, size_t size, const Frame *frame, const char *name, const Target *target)
{
	const char *value = member_value(frame->payload, frame->length, name);
	const char *word =
		value == NULL ? "" : remote_line(secret_hide(target, remote_decode(value, PG_UTF8)));
	int length = strlen(word);

	if (length >= size)
		length = pg_mbcliplen(word, length, size - 1);
	memcpy(to, word, length);
	to[length] = '\0';
}

/* What the server showed of itself in the handshake. */
static void
trace_tls(LoginTrace *trace, const Frame *frame, const Target *target)
{
	trace->encrypted_us = dqds_now_us();
	trace->tls = member_value(frame->payload, frame->length, FACT_TLS) != NULL;
	copy_word(trace->tls_protocol, sizeof(trace->tls_protocol), frame, FACT_TLS, target);
	copy_word(trace->tls_cipher, sizeof(trace->tls_cipher), frame, FACT_CIPHER, target);
	copy_member(trace->certificate_subject, sizeof(trace->certificate_subject), frame,
				FACT_SUBJECT);
	copy_member(trace->certificate_names, sizeof(trace->certificate_names), frame, FACT_NAMES);
	copy_member(trace->certificate_issuer, sizeof(trace->certificate_issuer), frame, FACT_ISSUER);
	copy_word(trace->certificate_expires, sizeof(trace->certificate_expires), frame, FACT_EXPIRES,
			  target);
	trace->certificate_expired = member_value(frame->payload, frame->length, FACT_EXPIRED) != NULL;
}

static void
take_stage(AgentLink *link, const Frame *frame)
{
	const char *reached = member_value(frame->payload, frame->length, STAGE_REACHED);
	LoginTrace *trace = link->common.trace;

	if (reached == NULL)
		return;
	if (strcmp(reached, STAGE_IS_CONNECTED) == 0)
	{
		link->common.stage = STAGE_TLS;
		if (trace != NULL)
			trace->connected_us = dqds_now_us();
	}
	else if (strcmp(reached, STAGE_IS_ENCRYPTED) == 0)
	{
		link->common.stage = STAGE_STARTUP;
		copy_word(link->tls, sizeof(link->tls), frame, FACT_TLS, link->common.target);
		if (trace != NULL)
			trace_tls(trace, frame, link->common.target);
	}
	else if (strcmp(reached, STAGE_IS_SPOKEN) == 0)
	{
		link->common.spoken = true;
		link->common.stage = STAGE_STARTUP;
		/* If it was to be encrypted at all, that is over. */
		if (trace != NULL && trace->encrypted_us == 0)
			trace->encrypted_us = dqds_now_us();
	}
}

static void
take_ready(AgentLink *link, const Frame *frame)
{
	copy_member(link->version, sizeof(link->version), frame, FACT_VERSION);
	link->common.used_password =
		member_value(frame->payload, frame->length, FACT_PASSWORD_USED) != NULL;
	/* The agent's text is UTF-8. */
	link->common.encoding =
		GetDatabaseEncoding() == PG_UTF8 || GetDatabaseEncoding() == PG_SQL_ASCII ? REMOTE_CONVERTS
																				  : PG_UTF8;
	link->logged_in = true;
}

static bool
is_our_protocol(const Frame *frame)
{
	const char *protocol = member_value(frame->payload, frame->length, HELLO_PROTOCOL);

	return protocol != NULL && strcmp(protocol, AGENT_PROTOCOL) == 0;
}

/* ---- logging in ------------------------------------------------------------------------------------ */

static bool
can_answer(Provider provider, Question question)
{
	return question != QUESTION_CONSTRAINTS && question != QUESTION_INDEXES &&
		   question != QUESTION_VIEW_DEFINITION;
}

static bool
start(WireLink *common, Failure *failure)
{
	AgentLink *link = (AgentLink *) common;
	bool has_server = common->peer.ss_family != AF_UNSPEC;
	char address[NI_MAXHOST];

	if (has_server &&
		address_text((const struct sockaddr *) &common->peer, address, sizeof(address)) == NULL)
		return false;
	link->fd = agent_start_session(common->target, failure);
	if (link->fd < 0)
		return false;
	link->open = true;
	link->logged_in = link->busy = link->broken = false;
	link->pid = 0;
	link->started_us = dqds_now_us();
	link->tls[0] = link->version[0] = '\0';
	if (agent_login(&link->out, common->target, has_server ? address : NULL) && flush(link))
		return true;
	failure_common(common->target, FAILED_NO_CAPACITY, NULL, failure);
	return false;
}

/* The process has ended, or sent what is no frame. */
static LoginStatus
end_by_agent(const AgentLink *link, Failure *failure)
{
	failure_agent_ended(link->common.target, failure);
	return LOGIN_REFUSED;
}

/* One frame during a login. */
static LoginStatus
take_login_frame(AgentLink *link, const Frame *frame, Failure *failure)
{
	if (!members_are_valid(frame->payload, frame->length))
		return end_by_agent(link, failure);
	switch (frame->type)
	{
		case FRAME_HELLO:
			if (!is_our_protocol(frame))
			{
				failure_other_agent(link->common.target, failure);
				return LOGIN_REFUSED;
			}
			link->pid = member_number(frame->payload, frame->length, HELLO_PID);
			return LOGIN_UNDER_WAY;
		case FRAME_STAGE:
			take_stage(link, frame);
			return LOGIN_UNDER_WAY;
		case FRAME_READY:
			take_ready(link, frame);
			return LOGIN_COMPLETE;
		case FRAME_FAULT:
			return failure_of_fault(link->common.target, false, frame->payload, frame->length,
									failure);
		default:
			return end_by_agent(link, failure);
	}
}

/* One read's worth of frames: a process that does not stop must not keep others, or the deadline, waiting. */
static LoginStatus
advance(WireLink *common, uint32 events, Failure *failure)
{
	AgentLink *link = (AgentLink *) common;
	LoginStatus status = LOGIN_UNDER_WAY;
	FrameStatus came;
	Frame frame;

	/* A process that is gone may have said why before. */
	(void) flush(link);
	came = frame_receive(&link->in, link->fd);
	while (status == LOGIN_UNDER_WAY && came == FRAME_TAKEN &&
		   (came = frame_take(&link->in, &frame)) == FRAME_TAKEN)
		status = take_login_frame(link, &frame, failure);
	return came == FRAME_TAKEN || came == FRAME_NOT_YET ? status : end_by_agent(link, failure);
}

/* ---- asking ------------------------------------------------------------------------------------------ */

/*
 * Leave out filters that are too long for a frame, or for a query of some servers: the listing
 * applies them again.
 */
static RemoteQuery
without_long_filters(const RemoteQuery *query)
{
	RemoteQuery asked = *query;

	for (int i = 1; i < MAX_QUERY_PARAMETERS; i++)
		if (asked.values[i] != NULL && strlen(asked.values[i]) > MAX_FILTER_BYTES)
		{
			asked.values[i] = NULL;
			if (asked.question == QUESTION_COLUMNS_OF)
				asked.question = QUESTION_COLUMNS;
			else if (asked.question == QUESTION_COLUMN_DETAILS_OF)
				asked.question = QUESTION_COLUMN_DETAILS;
			else
				asked.values[2] = NULL; /* the limit counts what passes */
		}
	return asked;
}

static bool
fill_question(FrameBuffer *buffer, const RemoteQuery *query)
{
	RemoteQuery asked = without_long_filters(query);
	AskHead head = {.question = asked.question, .timeout_ms = dqds_query_timeout_ms};
	bool done = frame_begin(buffer, FRAME_ASK) && frame_add(buffer, &head, sizeof(head));

	StaticAssertStmt(MAX_ASK_VALUES == MAX_QUERY_PARAMETERS, "the values of a query");
	for (int i = 0; done && i < MAX_QUERY_PARAMETERS; i++)
		done = frame_add_value(buffer, asked.values[i]);
	return done;
}

static bool
ask(WireLink *common, const RemoteQuery *query, Failure *failure)
{
	AgentLink *link = (AgentLink *) common;

	link->ncolumns = question_answer(query->question)->ncolumns;
	link->busy = true;
	if (fill_question(&link->out, query) && flush(link))
		return true;
	link->broken = true;
	failure_common(common->target, FAILED_CONNECTION_LOST, NULL, failure);
	return false;
}

/* The values of one row, which point into the frame; returns what is behind it, NULL: this is no row. */
static const char *
read_row(const char *at, const char *end, int nvalues, const char **values)
{
	for (int i = 0; i < nvalues; i++)
	{
		uint32 length;

		if (end - at < sizeof(length))
			return NULL;
		memcpy(&length, at, sizeof(length));
		at += sizeof(length);
		values[i] = length == NO_VALUE ? NULL : at;
		if (length == NO_VALUE)
			continue;
		if (end - at <= length || at[length] != '\0' || memchr(at, '\0', length) != NULL)
			return NULL;
		at += length + 1;
	}
	return at;
}

/* Hand on the rows of a frame; false: it is not well made. */
static bool
take_rows(AgentLink *link, const Frame *frame, RowSink on_row, void *sink)
{
	const char *at = frame->payload;
	const char *end = at + frame->length;
	uint16 nvalues;

	if (frame->length < sizeof(nvalues))
		return false;
	memcpy(&nvalues, at, sizeof(nvalues));
	at += sizeof(nvalues);
	if (nvalues == 0 || nvalues > link->ncolumns)
		return false;
	while (at < end)
	{
		const char *values[MAX_ANSWER_COLUMNS] = {NULL};

		at = read_row(at, end, nvalues, values);
		if (at == NULL)
			return false;
		link->common.answered = true;
		if (on_row != NULL)
			on_row(sink, values, link->ncolumns);
	}
	return true;
}

static QueryStatus
end_answer(AgentLink *link, bool keeps)
{
	link->busy = false;
	link->broken = !keeps;
	return keeps ? QUERY_ENDED : QUERY_BROKEN;
}

static QueryStatus
take_answer_frame(AgentLink *link, const Frame *frame, RowSink on_row, void *sink, Failure *failure)
{
	if (frame->type == FRAME_ROWS && take_rows(link, frame, on_row, sink))
		return QUERY_UNDER_WAY;
	if (frame->type == FRAME_DONE)
		return end_answer(link, true);
	if (frame->type == FRAME_FAULT && members_are_valid(frame->payload, frame->length))
	{
		(void) failure_of_fault(link->common.target, true, frame->payload, frame->length, failure);
		return end_answer(link, member_value(frame->payload, frame->length, FAULT_KEEPS) != NULL);
	}
	failure_agent_ended(link->common.target, failure);
	return end_answer(link, false);
}

/* One read's worth of frames, so that others have their turn. */
static QueryStatus
collect(WireLink *common, RowSink on_row, void *sink, Failure *failure)
{
	AgentLink *link = (AgentLink *) common;
	QueryStatus status = QUERY_UNDER_WAY;
	FrameStatus came;
	Frame frame;

	(void) flush(link);
	came = frame_receive(&link->in, link->fd);
	if (came == FRAME_NOT_YET)
		return QUERY_UNDER_WAY;
	if (came == FRAME_NO_MORE)
	{
		/* Before anything came, it may have ended while it was idle. */
		if (common->answered)
			failure_agent_ended(common->target, failure);
		else
			failure_common(common->target, FAILED_CONNECTION_LOST, NULL, failure);
		return end_answer(link, false);
	}
	while (status == QUERY_UNDER_WAY && came != FRAME_BROKEN &&
		   (came = frame_take(&link->in, &frame)) == FRAME_TAKEN)
		status = take_answer_frame(link, &frame, on_row, sink, failure);
	if (came == FRAME_BROKEN)
	{
		failure_agent_ended(common->target, failure);
		return end_answer(link, false);
	}
	return status;
}

/* ---- cancelling ----------------------------------------------------------------------------------------- */

static bool
cancel(WireLink *common)
{
	AgentLink *link = (AgentLink *) common;

	link->broken = true;
	/* A question that is not sent whole has not begun. */
	return link->out.start == link->out.end && frame_begin(&link->out, FRAME_CANCEL) && flush(link);
}

/* The answer has an end, whichever it is, or the process is gone. */
static bool
cancelled(WireLink *common)
{
	AgentLink *link = (AgentLink *) common;
	FrameStatus came = frame_receive(&link->in, link->fd);
	Frame frame;

	if (came == FRAME_NO_MORE || came == FRAME_BROKEN)
		return true;
	while ((came = frame_take(&link->in, &frame)) == FRAME_TAKEN)
		if (frame.type == FRAME_DONE || frame.type == FRAME_FAULT)
			return true;
	return came == FRAME_BROKEN;
}

static void
await_cancel(WireLink *common, int64 deadline_us)
{
	struct pollfd ready = {.fd = ((AgentLink *) common)->fd, .events = POLLIN};

	while (!cancelled(common))
	{
		int64 left = deadline_us - dqds_now_us();

		if (left <= 0)
			return;
		(void) poll(&ready, 1, left / 1000 + 1);
	}
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

static bool
reusable(const WireLink *common)
{
	const AgentLink *link = (const AgentLink *) common;

	return link->open && link->logged_in && !link->busy && !link->broken &&
		   link->in.start == link->in.end;
}

static void
tell_facts(const WireLink *common, WireFacts *facts)
{
	const AgentLink *link = (const AgentLink *) common;

	facts->server_version = link->version[0] == '\0' ? NULL : link->version;
	facts->tls = link->tls[0] == '\0' ? NULL : link->tls;
}

static void
leave(WireLink *common)
{
	AgentLink *link = (AgentLink *) common;

	if (!link->open)
		return;
	close(link->fd);
	link->open = false;
	if (link->pid > 0)
		agent_end_session(link->pid);
	frame_free(&link->in);
	frame_free(&link->out);
}

static void
release(WireLink *common)
{
	AgentLink *link = (AgentLink *) common;

	if (link->open)
		reactor_forget(link->fd);
	if (link->open && link->pid == 0 && dqds_now_us() - link->started_us > PROCESS_PATIENCE_US)
		agent_forget();
	leave(common);
	frame_free(&link->in);
	frame_free(&link->out);
}

const Wire agent_wire = {
	.name = "agent",
	.link_size = sizeof(AgentLink),
	.can_answer = can_answer,
	.start = start,
	.advance = advance,
	.ask = ask,
	.collect = collect,
	.cancel = cancel,
	.cancelled = cancelled,
	.await_cancel = await_cancel,
	.reusable = reusable,
	.facts = tell_facts,
	.leave = leave,
	.release = release,
};
