/*
 * fixed_answer.c
 *		The baseline of the REST figures: CivetWeb with the bridge's settings, and one answer that never changes.
 *
 * fixed_answer PORT THREADS FILE: serves the bytes of FILE as JSON to every
 * request, until it is ended.  It uses nothing of the bridge.
 */
#include <civetweb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char answer[65536];
static int answer_length;

static int
on_request(struct mg_connection *connection)
{
	mg_write(connection, answer, (size_t) answer_length);
	return 200;
}

int
main(int argc, char **argv)
{
	static const struct mg_callbacks callbacks = {.begin_request = on_request};
	static char body[60000];
	FILE *file;
	size_t length;
	/* clang-format off */
	const char *settings[] = {
		"listening_ports", argc > 1 ? argv[1] : "",
		"num_threads", argc > 2 ? argv[2] : "",
		"request_timeout_ms", "5000",
		"listen_backlog", "512",
		"enable_keep_alive", "no",
		"decode_url", "no",
		"tcp_nodelay", "1",
		"enable_auth_domain_check", "no",
		NULL
	};
	/* clang-format on */

	if (argc != 4 || (file = fopen(argv[3], "r")) == NULL)
		return 2;
	length = fread(body, 1, sizeof(body), file);
	fclose(file);
	answer_length = snprintf(answer, sizeof(answer),
							 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
							 "Content-Length: %zu\r\nConnection: close\r\n\r\n%.*s",
							 length, (int) length, body);
	if (mg_start(&callbacks, NULL, settings) == NULL)
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
