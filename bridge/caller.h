/*
 * caller.h
 *		Names the caller that a request is counted for.
 */
#ifndef BRIDGE_CALLER_H
#define BRIDGE_CALLER_H

#include <stdbool.h>

/* "role ", "address " or "token at address ", and the name of the role or the address. */
#define CALLER_SIZE 80

/* The SHA-256 of a token as a bytea: "\\x", 64 hexadecimal digits, NUL. */
#define TOKEN_HASH_SIZE 67

/*
 * Writes the caller of requests without a token from that address, a literal of
 * IPv4 or IPv6, into caller, which has CALLER_SIZE bytes.  The addresses that a
 * machine has for itself (127.0.0.0/8, ::1) are one caller, and so are those of
 * a network of IPv6 with a prefix of 64 bits, which one machine may use all of.
 */
void caller_of_address(const char *address, char *caller);

/*
 * Likewise the caller of a request with a token.  Returns true when an earlier
 * answer has named the token's role.  Otherwise the caller is the one of all tokens
 * from that address whose role is not known: only good for proving the token.
 */
bool caller_of_token(const char *token_hash, const char *address, char *caller);

/* The control database has answered that the token stands for this role: writes the caller. */
void caller_learn(const char *token_hash, const char *role, char *caller);

/* The control database has refused the token. */
void caller_forget(const char *token_hash);

#endif /* BRIDGE_CALLER_H */
