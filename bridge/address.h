/*
 * address.h
 *		Addresses of this machine.
 */
#ifndef BRIDGE_ADDRESS_H
#define BRIDGE_ADDRESS_H

#include <stdbool.h>

/* True for an IPv4 or IPv6 literal (without brackets) of this machine's loopback. */
bool address_is_loopback(const char *address);

#endif /* BRIDGE_ADDRESS_H */
