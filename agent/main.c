/*
 * main.c
 *		dqds-agent: the fork server that makes a process for each remote session.
 *
 *	dqds-agent --version	says which drivers there are
 *	dqds-agent --serve ROOTS	serves the backend at descriptor 3, which starts it so
 *
 * Forking is safe because this process has one thread, no connection, and no secret: what is
 * loaded once is loaded here, and what a session is told arrives in its own process.
 *
 * It ends with the backend: at the end of the control socket the sessions have the end of
 * theirs, and those that have not ended soon are killed.  A session is killed only while it
 * is in the table of children that were not waited for, so its number is still its own.
 *
 * Owns: that table.  It must not know what sessions do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/protocol.h"
#include "gate_roots.h"
#include "modules.h"
#include "session.h"

typedef struct Child
{
	pid_t pid;
	int64_t kill_ms; /* when it is killed; 0: not at all */
} Child;

static Child *children;
static size_t nchildren;
static size_t size_of_children;

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the children ---------------------------------------------------------------------------- */

static bool
make_room(void)
{
	Child *larger;

	if (nchildren < size_of_children)
		return true;
	larger = realloc(children, (size_of_children + 64) * sizeof(Child));
	if (larger == NULL)
		return false;
	children = larger;
	size_of_children += 64;
	return true;
}

static void
reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < nchildren; i++)
			if (children[i].pid == pid)
			{
				children[i] = children[--nchildren];
				break;
			}
}

/* Kill those whose time has come; returns how long to wait for the next, -1 for none. */
static int
kill_late(void)
{
	int64_t now = now_ms();
	int64_t next = 0;

	for (size_t i = 0; i < nchildren; i++)
		if (children[i].kill_ms != 0 && children[i].kill_ms <= now)
		{
			(void) kill(children[i].pid, SIGKILL);
			children[i].kill_ms = 0;
		}
		else if (children[i].kill_ms != 0 && (next == 0 || children[i].kill_ms < next))
			next = children[i].kill_ms;
	return next == 0 ? -1 : (int) (next - now);
}

/* Give a child, or with 0 all of them, a last moment. */
static void
end_child(pid_t pid)
{
	for (size_t i = 0; i < nchildren; i++)
		if ((pid == 0 || children[i].pid == pid) && children[i].kill_ms == 0)
			children[i].kill_ms = now_ms() + END_PATIENCE_MS;
}

/* ---- what the backend asks for ------------------------------------------------------------------ */

/* In the child: keep nothing of the fork server. */
static void
become_session(int fd, const Driver *driver)
{
	sigset_t none;

	close(AGENT_CONTROL_FD);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	session_run(fd, driver);
}

/* roots: the file that the session checks certificates with; NULL: it checks none. */
static void
start_session(const char *provider, const char *roots, int fd, int signals)
{
	const char *why;
	const Driver *driver = module_driver(provider, &why);
	pid_t pid;

	if (driver == NULL)
	{
		session_refuse(fd, FAULT_IS_DRIVER, why);
		return;
	}
	if (roots != NULL && driver->shares_roots)
		gate_load_roots(roots);
	pid = make_room() ? fork() : -1;
	if (pid == 0)
	{
		close(signals);
		become_session(fd, driver);
	}
	if (pid < 0)
		session_refuse(fd, FAULT_IS_CAPACITY, "no process");
	else
		children[nchildren++] = (Child){.pid = pid};
}

/* The descriptor that came with a message; -1: none. */
static int
passed_descriptor(struct msghdr *header)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(header);
	int fd = -1;

	if (part != NULL && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
		part->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(part), sizeof(int));
	return fd;
}

/* Take one message; false: the backend is gone. */
static bool
take_message(const char *roots, int signals)
{
	char message[CONTROL_BYTES + 1];
	union
	{
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} ancillary;
	struct iovec part = {.iov_base = message, .iov_len = CONTROL_BYTES};
	struct msghdr header = {.msg_iov = &part,
							.msg_iovlen = 1,
							.msg_control = ancillary.space,
							.msg_controllen = sizeof(ancillary.space)};
	ssize_t length = recvmsg(AGENT_CONTROL_FD, &header, MSG_CMSG_CLOEXEC);
	int fd;

	if (length < 0)
		return errno == EINTR || errno == EAGAIN;
	if (length == 0)
		return false;
	message[length] = '\0';
	fd = passed_descriptor(&header);
	if ((message[0] == CONTROL_START || message[0] == CONTROL_START_CHECKED) && fd >= 0)
		start_session(message + 1, message[0] == CONTROL_START_CHECKED ? roots : NULL, fd, signals);
	else if (message[0] == CONTROL_END && length == sizeof(ControlEnd))
	{
		ControlEnd end;

		memcpy(&end, message, sizeof(end));
		if (end.pid > 0)
			end_child(end.pid);
	}
	if (fd >= 0)
		close(fd);
	return true;
}

/* ---- the process ----------------------------------------------------------------------------------- */

static int
watch_children(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	return signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
serve(const char *roots)
{
	int signals = watch_children();
	struct pollfd ready[] = {{.fd = signals, .events = POLLIN},
							 {.fd = AGENT_CONTROL_FD, .events = POLLIN}};
	bool backend = true;

	while (backend || nchildren > 0)
	{
		struct signalfd_siginfo information;

		(void) poll(ready, backend ? 2 : 1, kill_late());
		while (read(signals, &information, sizeof(information)) > 0)
			;
		reap();
		if (backend && ready[1].revents != 0 && !take_message(roots, signals))
		{
			backend = false;
			end_child(0);
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--serve") == 0)
		return serve(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
	{
		printf("dqds-agent %s\n", DQDS_VERSION);
		modules_list();
		return 0;
	}
	fprintf(
		stderr,
		"usage: dqds-agent --version\n"
		"PostgreSQL starts it with --serve, for connections to servers other than PostgreSQL.\n");
	return 2;
}
