/*
 * caller.h
 *		Names the caller that a request is counted for.
 */
#ifndef BRIDGE_CALLER_H
#define BRIDGE_CALLER_H

#include <stdbool.h>

/* "role ", "token " or "address ", and what is called so. */
#define CALLER_SIZE 80

/*
 * Writes the name of the caller into caller, of CALLER_SIZE bytes: the role of
 * the token if an earlier answer has told it, else the hash of the token, or
 * the address where token_hash is "".  Returns true when the role is known.
 */
bool caller_name(const char *token_hash, const char *address, char *caller);

/* The control database has answered that the token stands for this role. */
void caller_learn(const char *token_hash, const char *role);

/* The control database has refused the token. */
void caller_forget(const char *token_hash);

#endif /* BRIDGE_CALLER_H */
