/*
 * hostile_agent.c
 *		Sessions of an agent that send whatever a fuzz input contains.
 *
 * They run in a thread of the backend that talks to them, and so must not call
 * PostgreSQL.  A session says something whenever it has been told to log in,
 * asked a question, or told to cancel one.
 */
#include "hostile_agent.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/protocol.h"

#define MAX_SESSIONS 16

/* Between the pieces of an answer. */
#define PIECE_US 200

/* The other end of a session's socket. */
typedef struct Session
{
	int fd;
	FrameHead head;   /* of the frame that is being read */
	size_t head_read; /* bytes of it */
	size_t to_skip;   /* of its payload */
	bool endless;     /* it says everything over and over, */
	size_t next;      /* from here on */
} Session;

static struct
{
	pthread_mutex_t lock; /* held while the thread works on the sessions */
	const AgentScript *script;
	size_t said;
	Session sessions[MAX_SESSIONS];
	int count;
	int wakeup; /* readable: the sessions have changed */
} agent = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- what a session says ------------------------------------------------------------ */

static bool
ends_a_turn(char type)
{
	return type == FRAME_READY || type == FRAME_DONE || type == FRAME_FAULT;
}

/* How many bytes are sent before it is the backend's turn. */
static size_t
turn_size(const uint8_t *bytes, size_t size)
{
	size_t at = 0;
	FrameHead head;

	while (size - at >= sizeof(head))
	{
		memcpy(&head, bytes + at, sizeof(head));
		at += sizeof(head);
		if (head.length > size - at)
			break;
		at += head.length;
		if (ends_a_turn(head.type))
			return at;
	}
	return size;
}

static size_t
piece_size(AgentDelivery delivery, const uint8_t *bytes, size_t size)
{
	switch (delivery)
	{
		case AGENT_IN_TURN:
		case AGENT_AND_HOLD:
			return turn_size(bytes, size);
		case AGENT_IN_PIECES:
			return size / 4 + 1;
		default:
			return size;
	}
}

/* False: the backend is gone.  What the socket has no room for is lost: the thread must not wait. */
static bool
say(int fd, const uint8_t *bytes, size_t size)
{
	return send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t) size;
}

/* Say what is next, and end the session when nothing is left. */
static void
take_turn(Session *session)
{
	const AgentScript *script = agent.script;

	session->endless = script->delivery == AGENT_WITHOUT_END && script->size > 0;
	if (session->endless)
		return;
	while (agent.said < script->size)
	{
		const uint8_t *bytes = script->bytes + agent.said;
		size_t size = piece_size(script->delivery, bytes, script->size - agent.said);

		__atomic_add_fetch(&agent.said, size, __ATOMIC_SEQ_CST);
		if (!say(session->fd, bytes, size) || script->delivery != AGENT_IN_PIECES)
			break;
		usleep(PIECE_US);
	}
	if (agent.said == script->size && script->delivery != AGENT_AND_HOLD)
		shutdown(session->fd, SHUT_WR);
}

/* Say as much as there is room for, without an end; false: the backend is gone. */
static bool
go_on(Session *session)
{
	const AgentScript *script = agent.script;
	ssize_t sent = send(session->fd, script->bytes + session->next, script->size - session->next,
						MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0)
		return errno == EAGAIN;
	session->next = (session->next + (size_t) sent) % script->size;
	return true;
}

/* ---- what a session hears ------------------------------------------------------------- */

/* Take what has come, up to the end of a frame; false: the backend has closed its end. */
static bool
hear(Session *session)
{
	char ignored[4096];
	bool in_head = session->head_read < sizeof(session->head);
	void *to = in_head ? (char *) &session->head + session->head_read : ignored;
	size_t room = in_head                              ? sizeof(session->head) - session->head_read
				  : session->to_skip < sizeof(ignored) ? session->to_skip
													   : sizeof(ignored);
	ssize_t received = recv(session->fd, to, room, MSG_DONTWAIT);

	if (received < 0 && errno == EAGAIN)
		return true;
	if (received <= 0)
		return false;
	if (in_head)
	{
		session->head_read += (size_t) received;
		session->to_skip = session->head.length;
	}
	else
		session->to_skip -= (size_t) received;
	if (session->head_read == sizeof(session->head) && session->to_skip == 0)
	{
		session->head_read = 0;
		take_turn(session);
	}
	return true;
}

static void
serve_all(const struct pollfd *ready, int count)
{
	for (int i = count - 1; i >= 0; i--)
		if ((ready[i].revents & ~POLLOUT && !hear(&agent.sessions[i])) ||
			(ready[i].revents & POLLOUT && agent.sessions[i].endless && !go_on(&agent.sessions[i])))
		{
			close(agent.sessions[i].fd);
			agent.sessions[i] = agent.sessions[--agent.count];
		}
}

/* ---- the thread ------------------------------------------------------------------------- */

static void *
thread_main(void *unused)
{
	(void) unused;
	for (;;)
	{
		struct pollfd ready[MAX_SESSIONS + 1];
		uint64_t ignored;
		int count;

		pthread_mutex_lock(&agent.lock);
		count = agent.count;
		for (int i = 0; i < count; i++)
			ready[i] =
				(struct pollfd){.fd = agent.sessions[i].fd,
								.events = agent.sessions[i].endless ? POLLIN | POLLOUT : POLLIN};
		pthread_mutex_unlock(&agent.lock);
		ready[count] = (struct pollfd){.fd = agent.wakeup, .events = POLLIN};
		(void) poll(ready, count + 1, -1);
		if (ready[count].revents != 0)
		{
			/* The sessions may be others by now. */
			(void) !read(agent.wakeup, &ignored, sizeof(ignored));
			continue;
		}
		pthread_mutex_lock(&agent.lock);
		if (agent.script != NULL)
			serve_all(ready, count < agent.count ? count : agent.count);
		pthread_mutex_unlock(&agent.lock);
	}
	return NULL;
}

static void
wake(void)
{
	uint64_t one = 1;

	(void) !write(agent.wakeup, &one, sizeof(one));
}

/* ---- for the target ----------------------------------------------------------------------- */

bool
hostile_agent_start(bool (*start_thread)(void *(*thread_main)(void *), void *argument))
{
	agent.wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return agent.wakeup >= 0 && start_thread(thread_main, NULL);
}

void
hostile_agent_play(const AgentScript *script)
{
	pthread_mutex_lock(&agent.lock);
	agent.script = script;
	agent.said = 0;
	pthread_mutex_unlock(&agent.lock);
}

bool
hostile_agent_has_more(void)
{
	return __atomic_load_n(&agent.said, __ATOMIC_SEQ_CST) < agent.script->size;
}

bool
hostile_agent_serve(int fd)
{
	bool served = false;

	pthread_mutex_lock(&agent.lock);
	if (agent.script != NULL && agent.count < MAX_SESSIONS)
	{
		agent.sessions[agent.count++] = (Session){.fd = fd};
		served = true;
	}
	pthread_mutex_unlock(&agent.lock);
	wake();
	return served;
}

void
hostile_agent_end(void)
{
	pthread_mutex_lock(&agent.lock);
	for (int i = 0; i < agent.count; i++)
		close(agent.sessions[i].fd);
	agent.count = 0;
	agent.script = NULL;
	pthread_mutex_unlock(&agent.lock);
	wake();
}
