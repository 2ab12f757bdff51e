/*
 * gate_roots.c
 *		Certificates of authorities that are loaded once, for all sessions.
 *
 * The file that sessions check certificates with is most often the system's, with 140
 * certificates: to parse them takes 40 ms, which is more than all the rest of a login, and 200
 * sessions at once would not be done before their deadlines.  So the fork server loads it, and
 * SSL_CTX_load_verify_locations(), which is defined here in place of OpenSSL's own, gives the
 * contexts of its children what it has loaded.
 *
 * A library that loads files in another way, as libcurl does, loads them by itself.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "gate_roots.h"

/* What is loaded, and the file as it was then. */
static struct
{
	X509_STORE *store; /* NULL: nothing */
	char *file;
	struct stat seen;
} loaded;

static bool
is_loaded(const char *file)
{
	struct stat now;

	return loaded.store != NULL && strcmp(file, loaded.file) == 0 && stat(file, &now) == 0 &&
		   now.st_ino == loaded.seen.st_ino && now.st_size == loaded.seen.st_size &&
		   now.st_mtim.tv_sec == loaded.seen.st_mtim.tv_sec &&
		   now.st_mtim.tv_nsec == loaded.seen.st_mtim.tv_nsec;
}

/*
 * In the fork server: load a file, unless it is loaded, for the sessions that are made from now
 * on.  What cannot be loaded is the session's to report.
 */
void
gate_load_roots(const char *file)
{
	if (is_loaded(file))
		return;
	X509_STORE_free(loaded.store);
	free(loaded.file);
	loaded.store = X509_STORE_new();
	loaded.file = strdup(file);
	if (loaded.store == NULL || loaded.file == NULL || stat(file, &loaded.seen) != 0 ||
		X509_STORE_load_file(loaded.store, file) != 1)
	{
		X509_STORE_free(loaded.store);
		loaded.store = NULL;
	}
	ERR_clear_error();
}

/* In place of OpenSSL's. */
int
SSL_CTX_load_verify_locations(SSL_CTX *context, const char *file, const char *directory)
{
	static int (*real)(SSL_CTX *, const char *, const char *);

	if (file != NULL && directory == NULL && is_loaded(file))
	{
		SSL_CTX_set1_cert_store(context, loaded.store);
		return 1;
	}
	if (real == NULL)
		real = (int (*)(SSL_CTX *, const char *, const char *)) dlsym(
			RTLD_NEXT, "SSL_CTX_load_verify_locations");
	return real(context, file, directory);
}
