/*
 * session_functions.c
 *		SQL functions about the idle sessions of this backend.
 */
#include "postgres.h"

#include "fmgr.h"

#include "engine/session_cache.h"

PG_FUNCTION_INFO_V1(dqds_close_idle);

/* dqds_close_idle(): closes this backend's idle sessions, and returns how many */
Datum
dqds_close_idle(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT32(session_cache_close_all());
}
