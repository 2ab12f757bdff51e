/*
 * address.h
 *		Network addresses as bytes, and the addresses that they lead to.
 */
#ifndef DQDS_ADDRESS_H
#define DQDS_ADDRESS_H

#include <sys/socket.h>

/* An address of either family; an IPv4 address is in the first four bytes. */
typedef struct Address
{
	int family; /* AF_INET or AF_INET6 */
	unsigned char bytes[16];
} Address;

extern bool address_is_literal(const char *host);
extern bool address_from_text(const char *text, Address *address);
extern socklen_t address_length(const struct sockaddr *sockaddr);
extern const char *address_text(const struct sockaddr *sockaddr, char *buffer, size_t size);
extern bool address_from_sockaddr(const struct sockaddr *sockaddr, Address *address);
extern bool address_is_mapped(const Address *address);
extern void address_unwrap(Address *address);
extern bool address_is_unspecified(const Address *address, Address *loopback);
extern bool address_behind(const Address *address, int way, Address *behind);
extern int address_ways(void);

#endif /* DQDS_ADDRESS_H */
