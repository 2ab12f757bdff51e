/*
 * session.c
 *		One remote session: a process that runs one driver, and talks to the backend.
 *
 * The main thread logs in and asks, and writes frames; it may block in the driver's library
 * for as long as it likes.  The reader thread reads frames, so that a cancel request, or the
 * end of the backend, is noticed at any time: it has the server end what it is asked, and
 * ends the process when the backend is gone.
 *
 * Owns: the order of the driver's calls, its limits of memory, and what is told to the
 * backend.  It must not know which driver it is.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/members.h"
#include "frames.h"
#include "gate.h"
#include "gate_tls.h"
#include "session.h"

#define READER_STACK_BYTES (512 * 1024) /* a driver's cancel runs on it */
#define MAX_DESCRIPTORS    64
#define MAX_FAULT_TEXT     2000

typedef enum Phase
{
	PHASE_NEW,
	PHASE_LOGGING_IN,
	PHASE_IDLE,
	PHASE_ASKING,
	PHASE_OVER
} Phase;

struct Session
{
	const Driver *driver;
	void *state;
	int fd;
	FrameWriter writer; /* of the main thread */
	FrameWriter rows;   /* the same, for rows, and before for the facts of a login */
	uint16_t nvalues;   /* of those rows */
	bool faulted;       /* a fault was told */
	bool encrypted;     /* a handshake is complete */
	bool lost;          /* nothing more can be asked */
	char *login;        /* members; kept, since a cancel may have to log in */
	size_t login_length;
	int64_t deadline_ms; /* of the login, or the question */

	/* Of both threads. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	Phase phase;
	char *asked; /* the payload of a question that is to be asked */
	size_t asked_length;
	volatile bool cancelled;
};

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what a driver is offered ------------------------------------------------------------------ */

const char *
session_login(const Session *session, const char *name)
{
	return member_value(session->login, session->login_length, name);
}

long
session_login_number(const Session *session, const char *name)
{
	return member_number(session->login, session->login_length, name);
}

void *
session_state(const Session *session)
{
	return session->state;
}

void
session_set_state(Session *session, void *state)
{
	session->state = state;
}

int
session_time_left(const Session *session)
{
	int64_t left = session->deadline_ms - now_ms();

	return left < 1 ? 1 : (int) left;
}

bool
session_is_cancelled(const Session *session)
{
	return session->cancelled;
}

bool
session_is_encrypted(const Session *session)
{
	return session->encrypted;
}

void
session_stage(Session *session, const char *reached)
{
	writer_begin(&session->writer, FRAME_STAGE);
	writer_member(&session->writer, STAGE_REACHED, reached);
	writer_send(&session->writer);
}

void
session_fact(Session *session, const char *name, const char *value)
{
	/* READY was begun before the driver was called (log_in). */
	writer_member(&session->rows, name, value);
}

void
session_has_tls(Session *session)
{
	if (session->encrypted)
		return;
	session->encrypted = true;
	writer_begin(&session->writer, FRAME_STAGE);
	writer_member(&session->writer, STAGE_REACHED, STAGE_IS_ENCRYPTED);
	writer_member(&session->writer, FACT_TLS, "TLS");
	writer_send(&session->writer);
}

void
session_fault(Session *session, const char *kind, long number, const char *state,
			  const char *format, ...)
{
	char text[MAX_FAULT_TEXT];
	va_list arguments;

	if (session->faulted)
		return;
	session->faulted = true;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	writer_begin(&session->writer, FRAME_FAULT);
	writer_member(&session->writer, FAULT_KIND, kind);
	writer_number(&session->writer, FAULT_NUMBER, number);
	writer_member(&session->writer, FAULT_STATE, state);
	writer_member(&session->writer, FAULT_TEXT, text);
}

void
session_is_lost(Session *session)
{
	session->lost = true;
}

static void
begin_rows(Session *session)
{
	writer_begin(&session->rows, FRAME_ROWS);
	writer_add(&session->rows, &session->nvalues, sizeof(session->nvalues));
}

static void
send_rows(Session *session)
{
	if (writer_payload(&session->rows) > sizeof(session->nvalues))
		writer_send(&session->rows);
	begin_rows(session);
}

static size_t
row_bytes(const char *const *values, const unsigned long *lengths, int nvalues)
{
	size_t bytes = 0;

	for (int i = 0; i < nvalues; i++)
		if (values[i] != NULL)
			bytes += lengths == NULL ? strlen(values[i]) : lengths[i];
	return bytes;
}

/* A zero byte would end the value: it is shown as a question mark. */
static void
add_value(FrameWriter *writer, const char *value, uint32_t length)
{
	size_t start = writer->used + sizeof(length);

	writer_add(writer, &length, sizeof(length));
	writer_add(writer, value, length);
	writer_add(writer, "", 1);
	for (char *zero;
		 !writer->failed && (zero = memchr(writer->bytes + start, '\0', length)) != NULL;)
		*zero = '?';
}

bool
session_row(Session *session, const char *const *values, const unsigned long *lengths, int nvalues)
{
	static const uint32_t no_value = NO_VALUE;
	FrameWriter *rows = &session->rows;

	if (row_bytes(values, lengths, nvalues) > MAX_ROW_BYTES)
	{
		session_fault(session, FAULT_IS_BOUND, 0, NULL, "a row of more than 1 MB");
		return false;
	}
	if (nvalues != session->nvalues || writer_payload(rows) >= ROWS_FRAME_SIZE ||
		writer_payload(rows) + row_bytes(values, lengths, nvalues) > MAX_ROW_BYTES)
	{
		session->nvalues = session->nvalues == 0 ? nvalues : session->nvalues;
		send_rows(session);
		session->nvalues = nvalues;
		begin_rows(session);
	}
	for (int i = 0; i < nvalues; i++)
		if (values[i] == NULL)
			writer_add(rows, &no_value, sizeof(no_value));
		else
			add_value(rows, values[i], lengths == NULL ? strlen(values[i]) : lengths[i]);
	return !rows->failed;
}

/* ---- what is seen of connections ------------------------------------------------------------------ */

static int
time_left(void *argument)
{
	Session *session = argument;

	/* A cancel has a connection of its own, and little time. */
	return session->cancelled ? CANCEL_TIMEOUT_MS : session_time_left(session);
}

/* Called for each connection, unless the driver has its own function for that: the first is told. */
static int
tell_connected(int fd, void *argument)
{
	static bool told = false;
	Session *session = argument;

	(void) fd;
	if (!told && !session_is_cancelled(session))
		session_stage(session, STAGE_IS_CONNECTED);
	told = true;
	return 0;
}

static void
tell_certificate(FrameWriter *writer, X509 *certificate)
{
	char text[512];
	struct tm expires = {0};

	X509_NAME_oneline(X509_get_subject_name(certificate), text, sizeof(text));
	writer_member(writer, FACT_SUBJECT, text);
	X509_NAME_oneline(X509_get_issuer_name(certificate), text, sizeof(text));
	writer_member(writer, FACT_ISSUER, text);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &expires) == 1)
	{
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &expires);
		writer_member(writer, FACT_EXPIRES, text);
	}
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		writer_member(writer, FACT_EXPIRED, "1");
}

/* Called for each handshake; that of a cancel is not told, and tells nothing new. */
static void
tell_handshake(const SSL *ssl, bool done, long verified, void *argument)
{
	Session *session = argument;
	X509 *certificate;

	if (session->phase != PHASE_LOGGING_IN || session->cancelled)
		return;
	session->encrypted = done;
	certificate = SSL_get_peer_certificate(ssl);
	writer_begin(&session->writer, FRAME_STAGE);
	writer_member(&session->writer, STAGE_REACHED, STAGE_IS_ENCRYPTED);
	writer_member(&session->writer, FACT_TLS, SSL_get_version(ssl));
	writer_member(&session->writer, FACT_CIPHER, SSL_get_cipher_name(ssl));
	if (certificate != NULL)
		tell_certificate(&session->writer, certificate);
	writer_send(&session->writer);
	X509_free(certificate);
	if (!done && verified != X509_V_OK)
		session_fault(session, FAULT_IS_CERTIFICATE, verified, NULL, "%s",
					  X509_verify_cert_error_string(verified));
}

/* ---- the main thread --------------------------------------------------------------------------------- */

/* Set the phase, unless the backend is gone: then the reader ends the process. */
static void
enter(Session *session, Phase phase)
{
	pthread_mutex_lock(&session->mutex);
	while (session->phase == PHASE_OVER)
		pthread_cond_wait(&session->changed, &session->mutex);
	session->phase = phase;
	pthread_mutex_unlock(&session->mutex);
}

/* End an answer, or a login, that has failed. */
static void
send_fault(Session *session)
{
	if (!session->faulted)
		session_fault(session, FAULT_IS_SERVER, 0, NULL, "unknown error");
	if (!session->lost)
		writer_member(&session->writer, FAULT_KEEPS, "1");
	writer_send(&session->writer);
}

void
session_give_up(Session *session)
{
	session->lost = true;
	send_fault(session);
	_exit(0);
}

static void
log_in(Session *session)
{
	const char *address = session_login(session, LOGIN_ADDRESS);
	bool done;

	session->deadline_ms = now_ms() + session_login_number(session, LOGIN_TIMEOUT_MS);
	/* Without an address nothing may be connected to. */
	if (address != NULL &&
		!gate_open(address, session_login_number(session, LOGIN_PORT), time_left, session))
		_exit(1);
	gate_after_connect(tell_connected, session);
	gate_after_handshake(tell_handshake, session);
	if (address != NULL)
		gate_demand_tls(session_login_number(session, LOGIN_TLS),
						session_login(session, LOGIN_HOST));
	writer_begin(&session->rows, FRAME_READY);
	done = session->driver->login(session);
	enter(session, PHASE_IDLE);
	if (done)
		writer_send(&session->rows);
	else
	{
		session->lost = true;
		send_fault(session);
	}
}

/* Take a question apart; false: it is not well made. */
static bool
read_question(const char *payload, size_t length, Ask *ask)
{
	const char *end = payload + length;
	AskHead head;

	memset(ask, 0, sizeof(*ask));
	if (length < sizeof(head))
		return false;
	memcpy(&head, payload, sizeof(head));
	payload += sizeof(head);
	ask->question = head.question;
	ask->timeout_ms = head.timeout_ms;
	for (int i = 0; i < MAX_ASK_VALUES; i++)
	{
		uint32_t bytes;

		if ((size_t) (end - payload) < sizeof(bytes))
			return false;
		memcpy(&bytes, payload, sizeof(bytes));
		payload += sizeof(bytes);
		if (bytes == NO_VALUE)
			continue;
		if ((size_t) (end - payload) <= bytes || payload[bytes] != '\0')
			return false;
		ask->values[i] = payload;
		payload += bytes + 1;
	}
	return true;
}

static void
answer(Session *session, char *payload, size_t length)
{
	Ask ask;
	bool done;

	if (!read_question(payload, length, &ask))
		_exit(1);
	session->deadline_ms = now_ms() + ask.timeout_ms;
	session->faulted = false;
	session->nvalues = 0;
	begin_rows(session);
	done = session->driver->ask(session, &ask);
	free(payload);
	enter(session, PHASE_IDLE);
	if (!done)
	{
		send_fault(session);
		return;
	}
	send_rows(session);
	writer_begin(&session->writer, FRAME_DONE);
	writer_send(&session->writer);
}

/* Wait until something is to be asked. */
static char *
next_question(Session *session, size_t *length)
{
	char *payload;

	pthread_mutex_lock(&session->mutex);
	while (session->asked == NULL)
		pthread_cond_wait(&session->changed, &session->mutex);
	payload = session->asked;
	*length = session->asked_length;
	session->asked = NULL;
	session->phase = PHASE_ASKING;
	pthread_mutex_unlock(&session->mutex);
	return payload;
}

/* ---- the reader thread -------------------------------------------------------------------------------- */

/* Have the server end what it is asked, if it is asked anything. */
static void
cancel(Session *session)
{
	Phase phase;

	session->cancelled = true;
	pthread_mutex_lock(&session->mutex);
	phase = session->phase;
	pthread_mutex_unlock(&session->mutex);
	if (phase == PHASE_ASKING || (phase == PHASE_LOGGING_IN && session->driver->cancels_logins))
		session->driver->cancel(session);
}

/* The backend is gone. */
static void
end(Session *session)
{
	Phase phase;

	cancel(session);
	pthread_mutex_lock(&session->mutex);
	phase = session->phase;
	session->phase = PHASE_OVER;
	pthread_mutex_unlock(&session->mutex);
	if (phase == PHASE_IDLE && !session->lost)
		session->driver->leave(session);
	_exit(0);
}

static void
hand_over(Session *session, char *payload, size_t length)
{
	pthread_mutex_lock(&session->mutex);
	free(session->asked);
	session->asked = payload;
	session->asked_length = length;
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->mutex);
}

static void *
read_frames(void *argument)
{
	Session *session = argument;
	char *payload;
	size_t length;
	char type;

	while ((payload = frame_read(session->fd, &type, &length)) != NULL)
		if (type == FRAME_ASK)
			hand_over(session, payload, length);
		else
		{
			if (type == FRAME_CANCEL)
				cancel(session);
			free(payload);
		}
	end(session);
	return NULL;
}

/* ---- the process ---------------------------------------------------------------------------------------- */

static void
limit(int resource, rlim_t value)
{
	struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	(void) setrlimit(resource, &limit);
}

/* A session holds secrets, and is the first to go when the machine runs out of memory. */
static void
confine(const Driver *driver)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
	{
		(void) !write(fd, "500", 3);
		close(fd);
	}
	(void) prctl(PR_SET_DUMPABLE, 0);
	(void) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, MAX_DESCRIPTORS);
#ifndef __SANITIZE_ADDRESS__ /* it takes memory of its own */
	limit(RLIMIT_DATA, (rlim_t) driver->memory_mb * 1024 * 1024);
#endif
}

static void
say_hello(FrameWriter *writer)
{
	writer_begin(writer, FRAME_HELLO);
	writer_member(writer, HELLO_PROTOCOL, AGENT_PROTOCOL);
	writer_number(writer, HELLO_PID, getpid());
	writer_send(writer);
}

static bool
start_reader(Session *session)
{
	pthread_attr_t attributes;
	pthread_t reader;

	return pthread_attr_init(&attributes) == 0 &&
		   pthread_attr_setstacksize(&attributes, READER_STACK_BYTES) == 0 &&
		   pthread_create(&reader, &attributes, read_frames, session) == 0;
}

/* Be the session whose socket this is; ends the process. */
void
session_run(int fd, const Driver *driver)
{
	static Session session = {.mutex = PTHREAD_MUTEX_INITIALIZER,
							  .changed = PTHREAD_COND_INITIALIZER};
	char type;

	confine(driver);
	session.driver = driver;
	session.fd = session.writer.fd = session.rows.fd = fd;
	session.writer.used = session.rows.used = sizeof(FrameHead);
	say_hello(&session.writer);
	session.login = frame_read(fd, &type, &session.login_length);
	if (session.login == NULL || type != FRAME_LOGIN ||
		!members_are_valid(session.login, session.login_length))
		_exit(1);
	session.phase = PHASE_LOGGING_IN;
	if (!start_reader(&session))
	{
		session_fault(&session, FAULT_IS_CAPACITY, 0, NULL, "no thread");
		writer_send(&session.writer);
		_exit(1);
	}
	log_in(&session);
	for (;;)
	{
		size_t length;
		char *payload = next_question(&session, &length);

		answer(&session, payload, length);
	}
}

/* Say on a session's socket why there will be no session. */
void
session_refuse(int fd, const char *kind, const char *text)
{
	FrameWriter writer = {.fd = fd, .used = sizeof(FrameHead)};

	say_hello(&writer);
	writer_begin(&writer, FRAME_FAULT);
	writer_member(&writer, FAULT_KIND, kind);
	writer_member(&writer, FAULT_TEXT, text);
	writer_send(&writer);
	free(writer.bytes);
}
