/*
 * list_arguments.h
 *		Reads the arguments that the functions that list a remote server's tables have in common.
 */
#ifndef DQDS_LIST_ARGUMENTS_H
#define DQDS_LIST_ARGUMENTS_H

#include "fmgr.h"

#include "listing/listing.h"

typedef struct Caller Caller;

extern char *optional_text_argument(FunctionCallInfo fcinfo, int n);
extern void listing_restrict(Listing *listing, Datum names);
extern void listing_restrict_to_argument(Listing *listing, const Caller *caller,
										 FunctionCallInfo fcinfo, int n);
extern void listing_read_filters(Listing *listing, FunctionCallInfo fcinfo, int first_option);

#endif /* DQDS_LIST_ARGUMENTS_H */
