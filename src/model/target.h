/*
 * target.h
 *		A validated place to connect to, and the secrets that it may use.
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
 * Looks up a credential that the role may use; returns false if there is none.
 * The strings are palloc'd.
 */
typedef bool (*CredentialLookup)(const Caller *caller, const char *name, Oid role,
								 Credential *credential);

/* Which references to secrets a model may use. */
typedef struct SecretScope
{
	const Caller *caller;
	CredentialLookup find_credential;
	Oid role; /* must have been granted the credential */
	Oid writer; /* so must this role, which wrote a masked reference; InvalidOid if it is the same role */
	List *environment_members; /* paths (char *) of members that may refer to the environment */
} SecretScope;

/* One parameter of the library that connects, taken from the model's properties. */
typedef struct TargetParameter
{
	const char *keyword; /* static */
	char *value;
} TargetParameter;

#define MAX_TARGET_PARAMETERS 16

/* A validated place to connect to.  All of it is in one memory context, the caller's. */
struct Target
{
	int64 connection_id;   /* in the registry; 0 for an ad-hoc model */
	char *connection_name; /* NULL for an ad-hoc model without one */
	Provider provider;
	char *host; /* empty, with port 0, if the provider has no server */
	int port;
	char *database;   /* NULL if the provider has none, or all may be listed */
	char *user;       /* NULL if the provider has none */
	char *shown_host; /* for messages: these four as written in the model, with references */
	char *shown_port; /* not expanded */
	char *shown_database;
	char *shown_user;
	char *password;    /* NULL if there is none */
	char *sslmode;     /* NULL if the provider has none */
	char *options;     /* NULL if not given */
	TlsChoice tls_use; /* what properties say about TLS; sslmode comes before them */
	TlsChoice tls_check;
	TargetParameter parameters[MAX_TARGET_PARAMETERS];
	int nparameters;
	bool password_required;
	bool allow_cleartext;
	int connect_timeout_ms;
	int parallel_limit;       /* 0 for none */
	const SecretScope *scope; /* while the model is read; NULL if it is only checked */
	List
		*secret_hosts; /* host lists (char *) of credentials, each of which must allow the target */
	List *secret_values; /* the password and the values of references (char *), never to be shown */
	bool has_reference;  /* in a member other than the password */
	bool stored_secret;  /* it uses a stored secret, not one that the caller wrote out */
	List *own_words;     /* values of members that a remote server may repeat (char *) */
};

extern void target_add_parameter(Target *target, const char *keyword, char *value);
extern bool model_to_target(Jsonb *model, Jsonb *secrets, const SecretScope *scope, Target *target,
							Failure *failure);

#endif /* DQDS_TARGET_H */
