/*
 * agent_process.c
 *		This backend's fork server, and what is asked of it.
 *
 * The agent is started when its first session is wanted, and lives as long as the backend:
 * at the end of its control socket it ends.  One that has died is replaced.  It is the one
 * child of the backend, and its children are not the backend's: they are told to end by their
 * sockets, and killed by the fork server, which alone knows that a process id is still that
 * of its child.
 *
 * It inherits no descriptor but its control socket, no environment, no signal that is
 * blocked or ignored, and none of the backend's process group.
 *
 * Owns: where the program is, its process, and the control socket.  It must not know what a
 * session says.
 */
#include "postgres.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/fd.h"

#include "agent/agent_login.h"
#include "agent/agent_process.h"
#include "agent/failure_agent.h"
#include "agent/protocol.h"
#include "base/settings.h"
#include "model/provider.h"
#include "model/target.h"
#include "wire/failure_common.h"

#define PROGRAM "dqds-agent"

/* How long a fork server may take nothing. */
#define CONTROL_PATIENCE_MS 1000

/*
 * Nothing of the server's.  Files that libraries look for in the home directory or the system
 * are not there.  In builds for tests the sanitizers are told where to report.
 */
static const char *const environment[] = {"HOME=/nonexistent", "LC_ALL=C.UTF-8",
										  "ODBCSYSINI=/nonexistent", NULL};
#ifdef __SANITIZE_ADDRESS__
#define ENVIRONMENT environ
#else
#define ENVIRONMENT ((char *const *) environment)
#endif

static pid_t agent_pid = 0; /* 0: none has been started */

/* The control socket; -1: none.  The thread of session_cache.c uses it as well, so it changes under the mutex. */
static int control = -1;
static pthread_mutex_t control_mutex = PTHREAD_MUTEX_INITIALIZER;

static void
set_control(int fd)
{
	pthread_mutex_lock(&control_mutex);
	if (control >= 0)
		close(control);
	control = fd;
	pthread_mutex_unlock(&control_mutex);
}

/* ---- where it is -------------------------------------------------------------------------- */

/* The program's file, palloc'd: that of the setting, or the one beside this library. */
static char *
program_path(void)
{
	Dl_info info;
	const char *slash;

	if (*dqds_agent != '\0')
		return pstrdup(dqds_agent);
	if (dladdr(program_path, &info) == 0 || (slash = strrchr(info.dli_fname, '/')) == NULL)
		return pstrdup(PROGRAM);
	return psprintf("%.*s/%s", (int) (slash - info.dli_fname), info.dli_fname, PROGRAM);
}

/* ---- its process ----------------------------------------------------------------------------- */

/*
 * Forget a fork server that has died, takes nothing any more, or makes no processes; the next
 * session has another one.  Its sessions go on.
 */
void
agent_forget(void)
{
	set_control(-1);
	if (agent_pid != 0)
	{
		/* It was not waited for, so the number is still its own. */
		(void) kill(agent_pid, SIGKILL);
		while (waitpid(agent_pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	agent_pid = 0;
}

/* Start the program with its end of the control socket.  Returns an errno. */
static int
spawn(const char *path, int its_end)
{
	const char *const arguments[] = {PROGRAM, "--serve", dqds_ssl_root_certs, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigset_t all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	/* What libraries write there could hold a secret, and would go into the server's log. */
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, its_end, AGENT_CONTROL_FD);
	posix_spawn_file_actions_addclosefrom_np(&actions, AGENT_CONTROL_FD + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
											  POSIX_SPAWN_SETPGROUP);
	error = posix_spawn(&agent_pid, path, &actions, &attributes, (char *const *) arguments,
						ENVIRONMENT);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error != 0)
		agent_pid = 0;
	return error;
}

/* Start the fork server, if there is none; false, and *failure says why. */
static bool
ensure_agent(const Target *target, Failure *failure)
{
	char *path;
	int ends[2];
	int error;

	if (control >= 0)
		return true;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
	{
		failure_common(target, FAILED_NO_CAPACITY, NULL, failure);
		return false;
	}
	path = program_path();
	error = spawn(path, ends[1]);
	close(ends[1]);
	if (error == 0)
	{
		set_control(ends[0]);
		return true;
	}
	close(ends[0]);
	failure_no_agent(target, path, error, failure);
	return false;
}

/* ---- what is asked of it ----------------------------------------------------------------------- */

/* Send a control message, with a descriptor if it is not -1.  Returns an errno. */
static int
send_control(const void *message, size_t length, int fd)
{
	union
	{
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} ancillary = {0};
	struct iovec part = {.iov_base = unconstify(void *, message), .iov_len = length};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0)
	{
		struct cmsghdr *rights;

		header.msg_control = ancillary.space;
		header.msg_controllen = sizeof(ancillary.space);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(int));
	}
	return sendmsg(control, &header, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* The same, but wait for room: the fork server takes some thousand messages in a second. */
static int
send_patiently(const void *message, size_t length, int fd)
{
	int error = send_control(message, length, fd);

	if (error == EAGAIN)
	{
		struct pollfd room = {.fd = control, .events = POLLOUT};

		(void) poll(&room, 1, CONTROL_PATIENCE_MS);
		error = send_control(message, length, fd);
	}
	return error;
}

/* Hand the agent its end of a session's socket. */
static bool
hand_over(const Target *target, int its_end, Failure *failure)
{
	char message[CONTROL_BYTES];
	char type = agent_checks_certificates(target) ? CONTROL_START_CHECKED : CONTROL_START;
	int length = snprintf(message, sizeof(message), "%c%s", type, provider_name(target->provider));
	int error = EPIPE;

	/* A fork server that has died, or hangs, is noticed here, and replaced once. */
	for (int attempt = 0; attempt < 2 && error != 0; attempt++)
	{
		if (!ensure_agent(target, failure))
			return false;
		error = send_patiently(message, length, its_end);
		if (error != 0)
			agent_forget();
	}
	if (error != 0)
		failure_common(target, FAILED_NO_CAPACITY, NULL, failure);
	return error == 0;
}

/*
 * Have a process made for a session of the target's provider.  Returns our end of its
 * socket, which does not block and is the caller's to close; -1: *failure says why.
 */
int
agent_start_session(const Target *target, Failure *failure)
{
	int ends[2];
	bool done;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
	{
		failure_common(target, FAILED_NO_CAPACITY, NULL, failure);
		return -1;
	}
	done = hand_over(target, ends[1], failure);
	close(ends[1]);
	if (done && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

/*
 * A session's socket was closed: its process is killed unless it ends soon.  May be called
 * in any thread; raises nothing.
 */
void
agent_end_session(int pid)
{
	ControlEnd message = {.type = CONTROL_END, .pid = pid};

	pthread_mutex_lock(&control_mutex);
	if (control >= 0)
		(void) send_control(&message, sizeof(message), -1);
	pthread_mutex_unlock(&control_mutex);
}
