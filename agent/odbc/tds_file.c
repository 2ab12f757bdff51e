/*
 * tds_file.c
 *		The configuration of FreeTDS for one connection.
 *
 * FreeTDS can be told which certificates to trust only in a file.  It is given one of its own,
 * in memory, so that those of the system and of a user do not count.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "odbc_link.h"

static const char *const encryptions[TLS_VERIFIED + 1] = {"off", "request", "require", "require",
														  "require"};

/* A value can stand on a line of the file. */
static bool
is_plain(const char *value)
{
	return strpbrk(value, "\r\n;#[]=") == NULL;
}

/* Have FreeTDS read such a file when it connects.  False: session_fault was called. */
bool
tds_write_file(Session *session)
{
	long demand = session_login_number(session, LOGIN_TLS);
	const char *host = session_login(session, LOGIN_HOST);
	const char *roots = session_login(session, LOGIN_ROOTS);
	Text text = {0};
	char path[32];
	int fd;

	/* Without a file FreeTDS checks no certificate at all. */
	if (demand >= TLS_KNOWN_CA && (roots == NULL || *roots == '\0'))
	{
		session_fault(
			session, FAULT_IS_MODEL, 0, NULL,
			"dqds.ssl_root_certs names no file with which a certificate could be checked");
		return false;
	}
	if (!is_plain(host) || (roots != NULL && !is_plain(roots)))
	{
		session_fault(
			session, FAULT_IS_MODEL, 0, NULL,
			"its host, or dqds.ssl_root_certs, has a character that FreeTDS takes for syntax");
		return false;
	}
	text_addf(&text,
			  "[dqds]\nhost = %s\nport = %ld\ntds version = auto\nclient charset = UTF-8\n"
			  "encryption = %s\ncheck certificate hostname = %s\n",
			  host, session_login_number(session, LOGIN_PORT), encryptions[demand],
			  demand == TLS_VERIFIED ? "yes" : "no");
	if (demand >= TLS_KNOWN_CA && roots != NULL)
		text_addf(&text, "ca file = %s\n", roots);
	fd = memfd_create("freetds", MFD_CLOEXEC);
	if (fd < 0 || write(fd, text.bytes, text.length) != (ssize_t) text.length)
	{
		session_fault(session, FAULT_IS_CAPACITY, 0, NULL, "no memory");
		return false;
	}
	text_free(&text);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return setenv("FREETDSCONF", path, 1) == 0;
}
