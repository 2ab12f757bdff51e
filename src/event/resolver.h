/*
 * resolver.h
 *		Resolves host names without blocking the backend.
 */
#ifndef DQDS_RESOLVER_H
#define DQDS_RESOLVER_H

struct sockaddr;

typedef struct Resolution Resolution;

extern Resolution *resolver_start(const char *host, int port);
extern bool resolver_done(Resolution *resolution);
extern int resolver_addresses(Resolution *resolution, const struct sockaddr **addresses, int max);
extern const char *resolver_error(Resolution *resolution);
extern void resolver_release(Resolution *resolution);

#endif /* DQDS_RESOLVER_H */
