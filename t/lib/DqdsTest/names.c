/*
 * names.c
 *		A name server of the tests' own: getaddrinfo() for names that end in ".test", and for those that it is given.
 *
 * Preloaded into a server (LD_PRELOAD), it answers from the file that DQDS_TEST_NAMES
 * names, a line for each name: the name, then its answers, the addresses of
 * each joined by commas.  The first question gets the first answer, and so on;
 * the last one is given for ever.  The answer "never" comes after a minute: a
 * name server that keeps silent.  Each question is appended to the file with
 * ".asked" behind its name.  All other names go where they always go, so that
 * nothing of the system is touched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef int (*Resolve)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* Notes the question; returns how often this name was asked for before. */
static int
note_question(const char *file, const char *name)
{
	char asked[1024];
	char line[300];
	char entry[300];
	int before = 0;
	int fd;
	FILE *log;

	snprintf(asked, sizeof(asked), "%s.asked", file);
	snprintf(entry, sizeof(entry), "%s\n", name);
	log = fopen(asked, "r");
	while (log != NULL && fgets(line, sizeof(line), log) != NULL)
		before += strcasecmp(line, entry) == 0;
	if (log != NULL)
		fclose(log);
	fd = open(asked, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd >= 0)
	{
		if (write(fd, entry, strlen(entry)) < 0)
			abort();
		close(fd);
	}
	return before;
}

/* Finds the answer number n to name, or the last there is, in answer; 0: no such name. */
static int
find_answer(const char *file, const char *name, int n, char *answer, size_t size)
{
	char line[4096];
	int found = 0;
	FILE *names = fopen(file, "r");

	while (names != NULL && !found && fgets(line, sizeof(line), names) != NULL)
	{
		char *rest = line;
		char *word = strsep(&rest, " \n");

		if (strcasecmp(word, name) != 0)
			continue;
		for (int i = 0; i <= n && (word = strsep(&rest, " \n")) != NULL && *word != '\0'; i++)
		{
			snprintf(answer, size, "%s", word);
			found = 1;
		}
	}
	if (names != NULL)
		fclose(names);
	return found;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	Resolve resolve = (Resolve) dlsym(RTLD_NEXT, "getaddrinfo");
	const char *file = getenv("DQDS_TEST_NAMES");
	size_t length = name == NULL ? 0 : strlen(name);
	struct addrinfo numeric = {0};
	struct addrinfo **tail = result;
	char plain[300];
	char answer[4096];
	char *rest = answer;

	if (length > 0 && name[length - 1] == '.')
		length--;
	if (file == NULL || length < 5 || length >= sizeof(plain) || (hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0))
		return resolve(name, service, hints, result);
	memcpy(plain, name, length);
	plain[length] = '\0';
	if (strcasecmp(plain + length - 5, ".test") != 0 && !find_answer(file, plain, 0, answer, sizeof(answer)))
		return resolve(name, service, hints, result);
	if (!find_answer(file, plain, note_question(file, plain), answer, sizeof(answer)))
		return EAI_NONAME;
	if (strcmp(answer, "never") == 0)
	{
		sleep(60);
		return EAI_AGAIN;
	}

	if (hints != NULL)
		numeric = *hints;
	numeric.ai_flags |= AI_NUMERICHOST;
	*result = NULL;
	for (char *address; (address = strsep(&rest, ",")) != NULL;)
	{
		if (resolve(address, service, &numeric, tail) != 0)
			return EAI_FAIL;
		while (*tail != NULL)
			tail = &(*tail)->ai_next;
	}
	return 0;
}
