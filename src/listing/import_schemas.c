/*
 * import_schemas.c
 *		Chooses the schemas of an import: one by its name, or those that match a pattern.
 *
 * It must not know what is imported from them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"

#include "base/failure.h"
#include "base/name_pattern.h"
#include "listing/import_internal.h"
#include "listing/listing.h"
#include "wire/question.h"

/* How many schemas a pattern may match, so that their names need little memory. */
#define MAX_SCHEMAS 10000

static void
keep_schema(Import *import, const char *name)
{
	MemoryContext old;
	Failure failure = {0};

	if (list_length(import->schemas) >= MAX_SCHEMAS)
	{
		failure_set(&failure, DQDS_REMOTE_ERROR, "Use a pattern that matches fewer schemas.",
					"more than %d schemas match the pattern", MAX_SCHEMAS);
		failure_raise(&failure);
	}
	old = MemoryContextSwitchTo(import->context);
	import->schemas = lappend(import->schemas, pstrdup(name));
	MemoryContextSwitchTo(old);
}

/* A schema whose name is the pattern itself is the only one that was requested. */
static void
take_schema(Listing *listing, const char **values)
{
	Import *import = listing->output;

	CHECK_FOR_INTERRUPTS();
	if (strcmp(values[0], import->asked_schema) == 0)
		import->schema_found = true;
	else if (!import->schema_found && name_fits_pattern(values[0], import->asked_schema))
		keep_schema(import, values[0]);
}

static void
find_schema(Listing *listing, const char **values)
{
	Import *import = listing->output;

	if (strcmp(values[0], import->asked_schema) == 0)
		import->schema_found = true;
}

/* All schemas are listed again, converted in another way. */
static void
forget_schemas(Listing *listing)
{
	Import *import = listing->output;

	import->schemas = NIL;
	import->schema_found = false;
}

static void
list_schemas(Import *import, bool include_system, void (*emit)(Listing *, const char **))
{
	Listing listing;

	listing_init(&listing);
	listing.connection = import->listing->connection;
	listing.include_system = include_system;
	listing.emit = emit;
	listing.restart = forget_schemas;
	listing.output = import;
	listing_run(&listing, QUESTION_SCHEMAS, import->caller);
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Sort the schemas, and remove duplicates. */
static void
sort_schemas(Import *import)
{
	const char *last = NULL;
	ListCell *cell;

	list_sort(import->schemas, compare_names);
	foreach (cell, import->schemas)
	{
		if (last != NULL && strcmp(last, lfirst(cell)) == 0)
			import->schemas = foreach_delete_current(import->schemas, cell);
		else
			last = lfirst(cell);
	}
}

/*
 * Find the schemas that the pattern matches, except system schemas.  A name
 * without a * is not looked up: the listing of its tables shows whether it
 * exists.
 */
void
import_choose_schemas(Import *import, bool may_be_pattern)
{
	if (may_be_pattern && is_name_pattern(import->asked_schema))
	{
		list_schemas(import, false, take_schema);
		if (!import->schema_found)
		{
			import->schema_found = import->schemas != NIL;
			sort_schemas(import);
			return;
		}
	}
	import->schemas = list_make1(import->asked_schema);
}

/* Set schema_found if there is a schema with the requested name, including system schemas. */
void
import_look_for_schema(Import *import)
{
	list_schemas(import, true, find_schema);
}
