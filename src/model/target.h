/*
 * target.h
 *		A validated place to connect to, and whose secrets it may use.
 */
#ifndef DQDS_TARGET_H
#define DQDS_TARGET_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "base/caller.h"
#include "base/failure.h"
#include "model/provider.h"

typedef struct Target Target;

/* A stored credential. */
typedef struct Credential
{
	int64 id;
	char *secret;
	char *allowed_hosts;
} Credential;

typedef struct Caller Caller;

/*
 * Looks a credential up that the role may use; false: there is none.  The strings
 * are palloc'd.
 */
typedef bool (*CredentialLookup)(const Caller *caller, const char *name, Oid role,
								 Credential *credential);

/* Whose references to secrets a model may use. */
typedef struct SecretScope
{
	const Caller *caller;
	CredentialLookup find_credential;
	Oid role;                  /* must have been granted a credential */
	Oid writer;                /* must, too: who wrote what a mask keeps; InvalidOid: role did */
	List *environment_members; /* paths (char *) of members that may refer to the environment */
} SecretScope;

/* One libpq keyword with its value, taken from the model's properties. */
typedef struct TargetParameter
{
	const char *keyword; /* static */
	char *value;
} TargetParameter;

#define MAX_TARGET_PARAMETERS 16

/* A validated place to connect to.  Everything is in one memory context, the caller's. */
struct Target
{
	int64 connection_id;   /* of the registry; 0 for an ad-hoc model */
	char *connection_name; /* NULL for an ad-hoc model without one */
	Provider provider;
	char *host;
	int port;
	char *database;
	char *user;
	char *shown_host; /* for messages: these four as the model says them, with references */
	char *shown_port; /* in place of what they stand for */
	char *shown_database;
	char *shown_user;
	char *password; /* NULL when none is stored */
	char *sslmode;
	char *options; /* NULL when not given */
	TargetParameter parameters[MAX_TARGET_PARAMETERS];
	int nparameters;
	bool password_required;
	bool allow_cleartext;
	int connect_timeout_ms;
	int parallel_limit;       /* 0: none */
	const SecretScope *scope; /* while the model is read; NULL: it is only checked */
	List *secret_hosts; /* of credentials: lists of hosts (char *), each of which must allow it */
	List
		*secret_values; /* the password and what references stood for (char *), never to be shown */
	bool has_reference; /* in another member than the password */
	bool stored_secret; /* a secret in it is stored, and not written out by the caller */
	List *own_words;    /* what the model says in members that a remote may repeat (char *) */
};

extern bool model_to_target(Jsonb *model, Jsonb *secrets, const SecretScope *scope, Target *target,
							Failure *failure);

#endif /* DQDS_TARGET_H */
