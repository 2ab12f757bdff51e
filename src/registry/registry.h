/*
 * registry.h
 *		Reads the registry: connections, their secrets, credentials, tokens, and imported tables.
 */
#ifndef DQDS_REGISTRY_H
#define DQDS_REGISTRY_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "base/name_set.h"
#include "model/target.h"

typedef struct Caller Caller;

/* Its tables. */
typedef enum RegistryTable
{
	REGISTRY_CONNECTION,
	REGISTRY_SECRET,
	REGISTRY_CONNECTION_GRANT,
	REGISTRY_CREDENTIAL,
	REGISTRY_CREDENTIAL_GRANT,
	REGISTRY_TOKEN,
	REGISTRY_IMPORTED_TABLE
} RegistryTable;

typedef struct RegistryEntry
{
	int64 id;
	char *name;
	Oid owner;
	List *environment_members; /* paths (char *) of members that may refer to the environment */
	Jsonb *model;              /* masked */
	Jsonb *secrets;            /* NULL if there are none */
} RegistryEntry;

extern bool registry_find(const Caller *caller, const char *name, RegistryEntry *entry);
extern bool registry_may_use(const Caller *caller, const RegistryEntry *entry);
extern bool registry_connection_left(const Caller *caller, int64 id);
extern bool registry_credential_left(const Caller *caller, int64 id);
extern bool registry_names_grantee(const Caller *caller, RegistryTable table, int64 id, Oid role);
extern bool registry_may_edit(const Caller *caller, const RegistryEntry *entry);
extern void registry_get(const Caller *caller, const char *name, RegistryEntry *entry);

extern bool registry_find_credential(const Caller *caller, const char *name,
									 Credential *credential);
extern bool registry_credential(const Caller *caller, const char *name, Oid role,
								Credential *credential);
extern Oid registry_token_role(const Caller *caller, Datum token_hash);
extern List *registry_usable(const Caller *caller);
extern void registry_visit(const Caller *caller,
						   void (*visit)(const RegistryEntry *entry, void *argument),
						   void *argument);

__attribute__((noreturn)) extern void registry_unknown(const char *name);

extern void imported_tables_visit(const Caller *caller, int64 connection_id,
								  const char *schema_name,
								  bool (*visit)(const char *name, void *argument), void *argument);
extern NameSet *imported_tables(const Caller *caller, int64 connection_id, const char *schema_name);
extern void imported_schemas_visit(const Caller *caller, int64 connection_id,
								   void (*visit)(const char *name, void *argument), void *argument);
extern NameSet *imported_schemas(const Caller *caller, int64 connection_id);

#endif /* DQDS_REGISTRY_H */
