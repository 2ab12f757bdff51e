/*
 * driver.h
 *		The seam between a session of the agent and the library that talks to the server.
 *
 * A driver is a table of functions in a module: a shared library beside the program, called
 * dqds-agent-NAME.so, which is linked with the client library and exports dqds_drivers.  The
 * session calls it in the process of one remote session, so a driver may block, keep static
 * state, and be killed at any time.  It must not write to descriptors that are not its own,
 * read files or the environment, or connect anywhere: gate.c lets it have one address.
 *
 * What a driver reports is UTF-8.
 */
#ifndef DQDS_DRIVER_H
#define DQDS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/protocol.h"
#include "wire/question.h"

typedef struct Session Session;

typedef struct Ask
{
	Question question;
	const char *values[MAX_ASK_VALUES]; /* as in RemoteQuery */
	int timeout_ms;
} Ask;

typedef struct Driver
{
	const char *provider; /* the provider type; NULL ends dqds_drivers */
	int memory_mb;        /* that a session may take */
	bool cancels_logins;  /* cancel is called during a login, too, at any point of it */
	bool shares_roots;    /* the library loads roots by SSL_CTX_load_verify_locations() */

	/*
	 * In the fork server, before its first session: what is worth doing once.  It must start no
	 * thread and connect nowhere.  False: *why says what is missing, static memory.  May be NULL.
	 */
	bool (*prepare)(const char **why);

	/*
	 * Log in as the members of the login say (session_login).  False: session_fault was called.
	 * session_fact tells what is known of the server.
	 */
	bool (*login)(Session *session);

	/*
	 * Ask, and put the rows (session_row), in the order of the bytes of their names.  False:
	 * session_fault was called.
	 */
	bool (*ask)(Session *session, const Ask *ask);

	/*
	 * Have the server end what it is asked, in another thread; ask then returns.  It should not
	 * take longer than CANCEL_TIMEOUT_MS.
	 */
	void (*cancel)(Session *session);

	/* Take leave of the server.  Nothing is being asked. */
	void (*leave)(Session *session);
} Driver;

#define CANCEL_TIMEOUT_MS 1000

extern const Driver dqds_drivers[];

/* ---- what a session offers to its driver (session.c) --------------------------------------------- */

/* A member of the login; NULL: there is none. */
extern const char *session_login(const Session *session, const char *name);
extern long session_login_number(const Session *session, const char *name);

/* The driver's own state. */
extern void *session_state(const Session *session);
extern void session_set_state(Session *session, void *state);

/* How many milliseconds are left for the login, or the question; at least 1. */
extern int session_time_left(const Session *session);

/* Has the backend cancelled, or gone?  For any thread. */
extern bool session_is_cancelled(const Session *session);

/* The login has come to a stage, with facts that belong to it; a NULL value is none. */
extern void session_stage(Session *session, const char *reached);
extern void session_fact(Session *session, const char *name, const char *value);

/* Has a handshake of TLS been completed? */
extern bool session_is_encrypted(const Session *session);

/* The login is encrypted, which the library sees to with a handshake that gate_tls.c has not seen. */
extern void session_has_tls(Session *session);

/* Report what went wrong, once; see protocol.h for kinds.  state may be NULL. */
extern void session_fault(Session *session, const char *kind, long number, const char *state,
						  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Tell the fault that was reported, and end the process: the library would not return soon. */
extern void session_give_up(Session *session) __attribute__((noreturn));

/* After this, nothing more can be asked over the link. */
extern void session_is_lost(Session *session);

/*
 * Hand on one row; lengths may be NULL for texts that end in a zero byte.  False: it is beyond
 * a bound, and session_fault was called.
 */
extern bool session_row(Session *session, const char *const *values, const unsigned long *lengths,
						int nvalues);

#endif /* DQDS_DRIVER_H */
