/*
 * descriptor.h
 *		Finds the sockets that CivetWeb does not show.
 */
#ifndef BRIDGE_DESCRIPTOR_H
#define BRIDGE_DESCRIPTOR_H

#include <stdbool.h>

/*
 * The open socket that connects the peer's address (a literal) and port with our
 * port; -1: none.  Where we listen on several addresses a peer may use one port
 * of his towards two of them: then it is not known which of both, and -1 too.
 */
int descriptor_of_peer(const char *address, int peer_port, int local_port, bool several_addresses);

/* The socket that listens on our port, or -1. */
int descriptor_of_listener(int local_port);

/*
 * True when the peer has closed its end, or reset the connection (-1: its socket
 * has no peer any more): nobody will read an answer.
 */
bool descriptor_peer_is_gone(int descriptor);

#endif /* BRIDGE_DESCRIPTOR_H */
