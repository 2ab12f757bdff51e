/*
 * main.c
 *		dqds-bridge: starts, waits for a signal, drains, stops.
 *
 * Exit status: 0 after a stop or a good --check, 1 after a bad one, 2 for
 * options that cannot be used.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "health.h"
#include "http_server.h"
#include "log.h"
#include "options.h"
#include "pool.h"
#include "serve.h"
#include "statements.h"

#define CHECK_TIMEOUT_MS 5000

/* Besides one for each thread and pooled connection: listener, queue, health, cancelling, log. */
#define SPARE_DESCRIPTORS 160

static Options options;

/* Without descriptors CivetWeb would loop without a pause, so there must be enough from the start. */
static void
raise_descriptor_limit(void)
{
	rlim_t wanted = (rlim_t) (options.threads + options.pool_size + SPARE_DESCRIPTORS);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < wanted)
		log_event(LOG_WARNING, "only %lu file descriptors are allowed, %lu may be needed",
				  (unsigned long) limit.rlim_cur, (unsigned long) wanted);
}

/* Whether the database can be used, and the anonymous role be taken on, as --check asks. */
static int
check_control_db(void)
{
	int64_t deadline_ms = clock_now_ms() + CHECK_TIMEOUT_MS;
	ControlCall call = {.statement = &statement_nothing,
						.role = options.anonymous_role,
						.deadline_ms = deadline_ms};
	ControlResult result;
	OpenFailure failure;
	ControlConnection *connection = control_open(&options, deadline_ms, &failure);

	if (connection == NULL)
	{
		fprintf(stderr, "dqds-bridge: the control database cannot be used: %s\n", failure.why);
		return 1;
	}
	control_run(connection, &call, &result);
	if (result.outcome == CONTROL_OK)
		printf("dqds-bridge: options and control database are good (%s)\n",
			   control_version(connection));
	else
		fprintf(stderr, "dqds-bridge: the anonymous role cannot be taken on: %s\n",
				result.outcome == CONTROL_REFUSED ? result.message : "no answer");
	control_close(connection);
	return result.outcome == CONTROL_OK ? 0 : 1;
}

static void __attribute__((noreturn)) give_up(const char *what, const char *why)
{
	fprintf(stderr, "dqds-bridge: %s: %s\n", what, why);
	exit(2);
}

/* A socket must not get the number of a closed standard error: log lines would go into it. */
static void
fill_standard_descriptors(void)
{
	int descriptor;

	do
		descriptor = open("/dev/null", O_RDWR);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	if (descriptor >= 0)
		close(descriptor);
}

static void
start(void)
{
	char why[256];
	char address[80];
	int port;

	if (!pool_start(&options) || !health_start(&options))
		give_up("cannot start", "out of memory or threads");
	serve_setup(&options);
	if (!http_start(&options, serve_request, serve_failure, &port, why, sizeof(why)))
	{
		snprintf(address, sizeof(address), "cannot listen on %.60s", options.listen_address);
		give_up(address, why);
	}
	/* the port may be one that the system chose */
	log_event(LOG_INFO, "listening on http://%.*s:%d",
			  (int) (strrchr(options.listen_address, ':') - options.listen_address),
			  options.listen_address, port);
}

/* Lets requests in flight end, refusing new ones; a second signal cuts that short. */
static void
drain(const sigset_t *signals)
{
	const struct timespec tick = {.tv_nsec = 10000000};
	int64_t deadline_ms = clock_now_ms() + options.request_timeout * 1000 + 1000;

	http_drain();
	while (http_in_flight() > 0 && clock_now_ms() < deadline_ms)
		if (sigtimedwait(signals, NULL, &tick) > 0)
			break;
	if (http_in_flight() == 0)
		return;
	log_event(LOG_WARNING, "%d requests are aborted", http_in_flight());
	http_break_off();
}

int
main(int argc, char **argv)
{
	sigset_t signals;
	int signal_number;

	fill_standard_descriptors();
	options_read(&options, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (options.check)
		return check_control_db();

	/* hundreds of threads with a heap each would cost more than they gain */
	mallopt(M_ARENA_MAX, 4);
	log_setup(options.log_json);
	raise_descriptor_limit();

	/* every thread inherits the mask: only sigwait() below sees these */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	start();
	sigwait(&signals, &signal_number);
	log_event(LOG_INFO, "stopping after %s", strsignal(signal_number));
	drain(&signals);
	http_stop();
	pool_stop();
	health_stop();
	log_event(LOG_INFO, "stopped");
	return 0;
}
