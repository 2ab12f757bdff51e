/*
 * descriptor.h
 *		Finds the sockets that CivetWeb does not show.
 */
#ifndef BRIDGE_DESCRIPTOR_H
#define BRIDGE_DESCRIPTOR_H

#include <stdbool.h>

/* The open socket that connects the peer's address (a literal) and port with our port; -1: none. */
int descriptor_of_peer(const char *address, int peer_port, int local_port);

/* The socket that listens on our port, or -1. */
int descriptor_of_listener(int local_port);

/* True when the peer has closed its end: nobody will read an answer. */
bool descriptor_peer_is_gone(int descriptor);

#endif /* BRIDGE_DESCRIPTOR_H */
