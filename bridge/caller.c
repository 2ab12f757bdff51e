/*
 * caller.c
 *		Names the caller that a request is counted for.
 *
 * All tokens of one role are one caller, so that nothing is gained by having
 * many.  Which role a token stands for, only the control database knows; what it
 * answered is remembered for a bounded number of tokens.  A request keeps its own
 * copy of the name: a token that is forgotten costs its next request one more
 * question, and changes nothing for those that run.
 *
 * This decides about shares and about nothing else: what a token allows is asked
 * again with each request.
 */
#include "caller.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

/* A token has one of the places of a set, which its hash chooses. */
#define SETS           256
#define PLACES_OF_SET  8
#define NETWORK_BYTES6 8

typedef struct Known
{
	char token_hash[TOKEN_HASH_SIZE];
	char role[64];
	uint64_t used; /* the lower, the longer ago; 0: never */
} Known;

static struct
{
	pthread_mutex_t lock;
	uint64_t uses;
	Known places[SETS][PLACES_OF_SET];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
caller_of_address(const char *address, char *caller)
{
	struct in6_addr network;
	char text[INET6_ADDRSTRLEN];

	if (address_is_loopback(address))
		address = "127.0.0.1";
	else if (inet_pton(AF_INET6, address, &network) == 1 && !IN6_IS_ADDR_V4MAPPED(&network))
	{
		memset(network.s6_addr + NETWORK_BYTES6, 0, sizeof(network) - NETWORK_BYTES6);
		address = inet_ntop(AF_INET6, &network, text, sizeof(text));
	}
	snprintf(caller, CALLER_SIZE, "address %s", address);
}

static Known *
set_of(const char *token_hash)
{
	char digits[9] = "";

	/* behind "\x" come the digits of the hash, which are as good as random */
	strncat(digits, token_hash + 2, sizeof(digits) - 1);
	return known.places[strtoul(digits, NULL, 16) % SETS];
}

/* Under the lock: the place of the token; NULL: it is not known. */
static Known *
find(const char *token_hash)
{
	Known *set = set_of(token_hash);

	for (int i = 0; i < PLACES_OF_SET; i++)
		if (strcmp(set[i].token_hash, token_hash) == 0)
			return &set[i];
	return NULL;
}

/* Under the lock: the place of its set that has not been used for longest. */
static Known *
place_for(const char *token_hash)
{
	Known *set = set_of(token_hash);
	Known *oldest = set;

	for (int i = 1; i < PLACES_OF_SET; i++)
		if (set[i].used < oldest->used)
			oldest = &set[i];
	return oldest;
}

static void
name_role(const char *role, char *caller)
{
	snprintf(caller, CALLER_SIZE, "role %s", role);
}

bool
caller_of_token(const char *token_hash, const char *address, char *caller)
{
	char at[CALLER_SIZE - sizeof("token at ") + 1];
	char address_caller[CALLER_SIZE];
	Known *place;

	pthread_mutex_lock(&known.lock);
	place = find(token_hash);
	if (place != NULL)
	{
		place->used = ++known.uses;
		name_role(place->role, caller);
	}
	pthread_mutex_unlock(&known.lock);
	if (place != NULL)
		return true;
	caller_of_address(address, address_caller);
	snprintf(at, sizeof(at), "%.*s", (int) sizeof(at) - 1, address_caller);
	snprintf(caller, CALLER_SIZE, "token at %s", at);
	return false;
}

void
caller_learn(const char *token_hash, const char *role, char *caller)
{
	Known *place;

	pthread_mutex_lock(&known.lock);
	place = find(token_hash);
	if (place == NULL)
		place = place_for(token_hash);
	snprintf(place->token_hash, sizeof(place->token_hash), "%s", token_hash);
	snprintf(place->role, sizeof(place->role), "%s", role);
	place->used = ++known.uses;
	pthread_mutex_unlock(&known.lock);
	name_role(role, caller);
}

void
caller_forget(const char *token_hash)
{
	Known *place;

	pthread_mutex_lock(&known.lock);
	place = find(token_hash);
	if (place != NULL)
		*place = (Known){""};
	pthread_mutex_unlock(&known.lock);
}
