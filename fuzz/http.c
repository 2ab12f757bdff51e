/*
 * http.c
 *		Fuzz target: the bytes that the bridge reads from a client.
 *
 * The whole bridge runs in this process, from its own main() on, with CivetWeb
 * and a real control database.  Each input is sent over its own TCP connection,
 * and the answer is read to the end.  Besides the sanitizers' checks, these
 * conditions must hold:
 *
 *	- there is one good answer, or none (http_answer.c)
 *	- only a request that the contract permits is granted (http_request.c)
 *	- the log has one good line for each answer, and never the token
 *	- no descriptor and no memory is kept
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../bridge/http_server.h"
#include "../bridge/log.h"
#include "http_answer.h"
#include "http_request.h"
#include "require.h"

/* Longer than any deadline of the bridge, on a busy machine. */
#define PATIENCE_MS 30000

/*
 * An input that keeps memory once may have filled a cache; one that does so
 * repeatedly has a leak.
 */
#define REPEATS 8

extern int bridge_main(int argc, char **argv);
extern int LLVMFuzzerInitialize(int *argc, char ***argv);
extern int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The pool, and the connection for health checks. */
#define CONTROL_CONNECTIONS 3

static int log_pipe[2];
static int port;
static int descriptors_at_start;

/* ---- the bridge ------------------------------------------------------------------------------ */

static void *
run_bridge(void *control_db)
{
	char *arguments[] = {"dqds-bridge",
						 "--listen",
						 "127.0.0.1:0",
						 "--control-db",
						 control_db,
						 "--anonymous-role",
						 "anonymous",
						 "--host-name",
						 FUZZ_HOST_NAME,
						 "--threads",
						 "4",
						 "--pool-size",
						 "2",
						 "--max-body",
						 "65536",
						 NULL};

	fuzz_require(bridge_main(15, arguments) == 0, "the bridge ended");
	return NULL;
}

/*
 * Read what the bridge has written to standard error; wait_ms limits the wait
 * for the first bytes.
 */
static size_t
read_log(char *buffer, size_t room, int wait_ms)
{
	struct pollfd log = {.fd = log_pipe[0], .events = POLLIN};
	size_t size = 0;

	while (size < room && poll(&log, 1, size == 0 ? wait_ms : 0) > 0)
	{
		ssize_t n = read(log_pipe[0], buffer + size, room - size);

		if (n <= 0)
			break;
		size += (size_t) n;
	}
	return size;
}

static int
count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 100; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Its port is in its first line. */
static void
start_bridge(void)
{
	static const char before[] = "listening on http://127.0.0.1:";
	char *control_db = getenv("FUZZ_CONTROL_DB");
	pthread_t thread;
	char line[4096];
	const char *found;
	size_t size;

	fuzz_require(control_db != NULL, "FUZZ_CONTROL_DB must be set");
	fuzz_require(pipe2(log_pipe, O_CLOEXEC) == 0 && dup2(log_pipe[1], STDERR_FILENO) >= 0,
				 "no descriptor is left");
	fuzz_require(pthread_create(&thread, NULL, run_bridge, strdup(control_db)) == 0, "no thread");
	size = read_log(line, sizeof(line) - 1, PATIENCE_MS);
	line[size] = '\0';
	found = strstr(line, before);
	fuzz_require(found != NULL, "the bridge does not start: %s", line);
	port = atoi(found + strlen(before));
	descriptors_at_start = count_descriptors();
}

/* libFuzzer writes to the old standard error; the bridge's is to be ours. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	fuzz_report_descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	return 0;
}

/* ---- one request ---------------------------------------------------------------------------------- */

static int
connect_to_bridge(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
								  .sin_port = htons((uint16_t) port),
								  .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fuzz_require(fd >= 0 && connect(fd, (struct sockaddr *) &address, sizeof(address)) == 0,
				 "the bridge cannot be reached");
	return fd;
}

typedef struct Answer
{
	char *bytes;
	size_t size;
	bool was_reset;
} Answer;

static void
read_answer(int fd, Answer *answer)
{
	size_t room = 0;
	struct pollfd bridge = {.fd = fd, .events = POLLIN};

	*answer = (Answer){NULL, 0, false};
	for (;;)
	{
		ssize_t n;

		if (room - answer->size < 65536)
			answer->bytes = realloc(answer->bytes, room += 131072);
		fuzz_require(poll(&bridge, 1, PATIENCE_MS) == 1, "no answer in %d s", PATIENCE_MS / 1000);
		n = read(fd, answer->bytes + answer->size, room - answer->size);
		answer->was_reset = n < 0;
		if (n <= 0)
			return;
		answer->size += (size_t) n;
	}
}

/* Nothing follows the last byte of a request, so an incomplete one is detected at once. */
static void
exchange(const char *data, size_t size, Answer *answer)
{
	int fd = connect_to_bridge();

	while (size > 0)
	{
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		data += n;
		size -= (size_t) n;
	}
	shutdown(fd, SHUT_WR);
	read_answer(fd, answer);
	close(fd);
}

/* The answer has been read, but the thread that gave it may still be closing. */
static void
await_quiet(void)
{
	for (int i = 0; http_in_flight() > 0; i++)
	{
		fuzz_require(i < PATIENCE_MS, "a request does not end");
		usleep(1000);
	}
}

static void
run_once(const char *data, size_t size)
{
	Answer answer;
	char log[16384];
	size_t log_size;
	bool as_json = size % 2 == 1;
	int status;
	const char *why;

	log_setup(as_json);
	exchange(data, size, &answer);
	await_quiet();
	log_size = read_log(log, sizeof(log), 0);

	status = answer_check(answer.bytes, answer.size, request_is_head(data, size));
	free(answer.bytes);
	why = status / 100 == 2 ? request_why_not(data, size) : NULL;
	fuzz_require(why == NULL, "the request is granted with %d, although %s", status, why);
	fuzz_require(log_check(log, log_size, as_json) == (status != 0),
				 "an answer without its line in the log");
}

/*
 * ---- leaks
 * ---------------------------------------------------------------------------------------------
 */

/*
 * The connections to the control database may be open or not.  CivetWeb closes
 * a socket a moment after the client has seen its end.
 */
static void
check_descriptors(void)
{
	for (int i = 0; count_descriptors() > descriptors_at_start + CONTROL_CONNECTIONS; i++)
	{
		fuzz_require(i < 1000, "descriptors are kept: %d, %d at the start", count_descriptors(),
					 descriptors_at_start);
		usleep(1000);
	}
}

static void
check_memory(const char *data, size_t size, size_t before)
{
	size_t after = __sanitizer_get_current_allocated_bytes();

	for (int i = 0; after > before; i++)
	{
		fuzz_require(i < REPEATS, "each run of this input keeps memory: %zu bytes in the last",
					 after - before);
		before = after;
		run_once(data, size);
		after = __sanitizer_get_current_allocated_bytes();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t before;

	if (port == 0)
		start_bridge();
	before = __sanitizer_get_current_allocated_bytes();
	run_once((const char *) data, size);
	check_memory((const char *) data, size, before);
	check_descriptors();
	return 0;
}
