/*
 * libpq_scope.h
 *		What libpq may see of the server's process while it starts or makes a connection.
 */
#ifndef DQDS_LIBPQ_SCOPE_H
#define DQDS_LIBPQ_SCOPE_H

#include <locale.h>

/* A path below a file can never exist, so libpq finds nothing there. */
#define NO_SUCH_FILE "/dev/null/none"

typedef struct LibpqScope
{
	char **environment;
	locale_t locale;
} LibpqScope;

extern void libpq_start_openssl(void);
extern void libpq_enter(LibpqScope *scope);
extern void libpq_leave(const LibpqScope *scope);

#endif /* DQDS_LIBPQ_SCOPE_H */
