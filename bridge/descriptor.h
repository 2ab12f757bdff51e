/*
 * descriptor.h
 *		Finds the sockets that CivetWeb does not show.
 */
#ifndef BRIDGE_DESCRIPTOR_H
#define BRIDGE_DESCRIPTOR_H

#include <stdbool.h>

/*
 * The open socket that connects the peer's address (a literal) and port with our
 * port; -1: none.  Where we listen on several addresses a peer may use the same
 * port of its own towards two of them: which one is meant is not known, so -1 too.
 */
int descriptor_of_peer(const char *address, int peer_port, int local_port, bool several_addresses);

/*
 * Shuts down the socket, or where we listen on several addresses the sockets,
 * that connect the peer's address and port with our port, unless there is data
 * that was not read yet.  Returns true when it has.
 */
bool descriptor_shut_down_silent(const char *address, int peer_port, int local_port,
								 bool several_addresses);

/* The socket that listens on our port, or -1. */
int descriptor_of_listener(int local_port);

/*
 * True when the peer has closed its end, or reset the connection (-1: its socket
 * has no peer any more): an answer will not be read.
 */
bool descriptor_peer_is_gone(int descriptor);

#endif /* BRIDGE_DESCRIPTOR_H */
