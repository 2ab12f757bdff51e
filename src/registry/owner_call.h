/*
 * owner_call.h
 *		Runs the extension's internal SQL functions as the owner of its tables.
 */
#ifndef DQDS_OWNER_CALL_H
#define DQDS_OWNER_CALL_H

#include "utils/jsonb.h"

typedef struct Caller Caller;

#define MAX_OWNER_CALL_ARGUMENTS 16 /* as many as dqds_store_import takes */

typedef struct OwnerCall
{
	const char *what; /* the kind of object changed, for messages; NULL for a connection */
	int count;
	Oid types[MAX_OWNER_CALL_ARGUMENTS];
	Datum values[MAX_OWNER_CALL_ARGUMENTS];
	bool nulls[MAX_OWNER_CALL_ARGUMENTS];
} OwnerCall;

extern void owner_call_add(OwnerCall *call, Oid type, Datum value, bool isnull);
extern void owner_call_add_jsonb(OwnerCall *call, Jsonb *value);
extern void owner_call_add_text(OwnerCall *call, const char *value);
extern Datum owner_call(const Caller *caller, const char *function, OwnerCall *call, bool *isnull);
extern Datum owner_read(const Caller *caller, const char *function, OwnerCall *call, bool *isnull);
extern Datum owner_call_inside(const Caller *caller, const char *function, OwnerCall *call,
							   bool *isnull);
extern void owner_run(const Caller *caller, const char *what, void (*work)(void *argument),
					  void *argument);
extern void owner_call_found_nothing(const char *what);

#endif /* DQDS_OWNER_CALL_H */
