/*
 * caller.c
 *		Names the caller that a request is counted for.
 *
 * All tokens of one role are one caller, so that nothing is gained by having
 * many.  Which role that is, only the control database knows; what it answered
 * is remembered for a bounded number of tokens.  This decides about shares and
 * about nothing else: what a token allows is asked again with each request.
 */
#include "caller.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"

/* A token's place is known from its hash; two that have the same one take turns. */
#define PLACES 1024

typedef struct Known
{
	char token_hash[TOKEN_HASH_SIZE];
	char role[64];
} Known;

static struct
{
	pthread_mutex_t lock;
	Known places[PLACES];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static Known *
place_of(const char *token_hash)
{
	char digits[9] = "";

	/* behind "\x" come the digits of the hash, which are as good as random */
	strncat(digits, token_hash + 2, sizeof(digits) - 1);
	return &known.places[strtoul(digits, NULL, 16) % PLACES];
}

bool
caller_name(const char *token_hash, const char *address, char *caller)
{
	bool is_known = false;

	if (token_hash[0] == '\0')
	{
		snprintf(caller, CALLER_SIZE, "address %s", address);
		return false;
	}
	snprintf(caller, CALLER_SIZE, "token %s", token_hash);
	pthread_mutex_lock(&known.lock);
	if (strcmp(place_of(token_hash)->token_hash, token_hash) == 0)
	{
		snprintf(caller, CALLER_SIZE, "role %s", place_of(token_hash)->role);
		is_known = true;
	}
	pthread_mutex_unlock(&known.lock);
	return is_known;
}

void
caller_learn(const char *token_hash, const char *role)
{
	Known *place = place_of(token_hash);

	pthread_mutex_lock(&known.lock);
	snprintf(place->token_hash, sizeof(place->token_hash), "%s", token_hash);
	snprintf(place->role, sizeof(place->role), "%s", role);
	pthread_mutex_unlock(&known.lock);
}

void
caller_forget(const char *token_hash)
{
	Known *place = place_of(token_hash);

	pthread_mutex_lock(&known.lock);
	if (strcmp(place->token_hash, token_hash) == 0)
		*place = (Known){""};
	pthread_mutex_unlock(&known.lock);
}
