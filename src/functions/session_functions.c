/*
 * session_functions.c
 *		SQL functions about the idle sessions of this backend.
 */
#include "postgres.h"

#include "fmgr.h"

#include "engine/session_cache.h"

PG_FUNCTION_INFO_V1(dqds_close_idle);

/* dqds_close_idle(): how many idle sessions of this backend were closed */
Datum
dqds_close_idle(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT32(session_cache_close_all());
}
