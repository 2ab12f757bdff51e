/*
 * libpq_scope.c
 *		What libpq may see of the server's process while it starts or makes a connection.
 *
 * Neither the environment of the operating system user that the server runs as,
 * nor its language: messages in English can be told apart (failure_login.c).
 */
#include "postgres.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "utils/memutils.h"

#include "postgres/libpq_scope.h"

extern char **environ;

/*
 * libpq falls back on PGHOST, PGPASSWORD, PGSERVICE and the like, which belong
 * to the operating system user of the server, never to a caller.  Exchanging
 * the pointer, rather than editing the environment, is safe with our threads,
 * which may call getenv at any time.  Kerberos is led to where there is nothing:
 * its tickets are that user's, too.
 */
static char **
environment_without_pg(void)
{
	static char no_config[] = "KRB5_CONFIG=" NO_SUCH_FILE;
	static char no_tickets[] = "KRB5CCNAME=FILE:" NO_SUCH_FILE;
	static char **filtered = NULL;
	int count = 0;
	int kept = 0;

	if (filtered != NULL)
		return filtered;
	while (environ != NULL && environ[count] != NULL)
		count++;
	filtered = MemoryContextAlloc(TopMemoryContext, sizeof(char *) * (count + 3));
	for (int i = 0; i < count; i++)
		if (strncmp(environ[i], "PG", 2) != 0 && strncmp(environ[i], "KRB5", 4) != 0)
			filtered[kept++] = environ[i];
	filtered[kept++] = no_config;
	filtered[kept++] = no_tickets;
	filtered[kept] = NULL;
	return filtered;
}

/*
 * OpenSSL takes some 300 kB when it is used for the first time, and keeps them.  A
 * server that is built with it has used it long before; in one that is not, libpq
 * would be the first, and the first login would be charged with that memory.
 */
void
libpq_start_openssl(void)
{
	static bool started = false;
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned int length;

	if (started)
		return;
	started = true;
	/* What the authentication needs: random numbers, and SCRAM's HMAC. */
	(void) RAND_bytes(bytes, 1);
	(void) HMAC(EVP_sha256(), "", 0, bytes, 1, bytes, &length);
}

/* No environment, and messages in English; nothing between enter and leave may ereport. */
void
libpq_enter(LibpqScope *scope)
{
	static locale_t c_locale = (locale_t) 0;
	char **filtered = environment_without_pg();

	if (c_locale == (locale_t) 0)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
	scope->environment = environ;
	environ = filtered;
	scope->locale = c_locale != (locale_t) 0 ? uselocale(c_locale) : (locale_t) 0;
}

/* Bring back what libpq_enter has put aside. */
void
libpq_leave(const LibpqScope *scope)
{
	environ = scope->environment;
	if (scope->locale != (locale_t) 0)
		uselocale(scope->locale);
}
