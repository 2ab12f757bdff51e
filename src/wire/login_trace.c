/*
 * login_trace.c
 *		What a login went through: its addresses.
 *
 * The other members of a LoginTrace are filled where they are seen, by the session and by
 * its wire; diagnosis_steps.c puts all of it into words.
 */
#include "postgres.h"

#include "wire/login_trace.h"

/* Add an address to the list; those beyond its end are left out. */
void
trace_address(LoginTrace *trace, const char *address)
{
	if (trace->naddresses < MAX_TRACE_ADDRESSES)
		strlcpy(trace->addresses[trace->naddresses++], address, sizeof(trace->addresses[0]));
}
