/*
 * name_set.c
 *		A set of names, searched once for each row of a listing.
 *
 * A sorted array: it is filled once, in any order, and then only searched.  It
 * must not know what the names are of.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/name_set.h"

struct NameSet
{
	MemoryContext context; /* of the set and its arrays */
	char **names;
	bool *marks; /* of each name; NULL until the first search */
	int count;
	int allocated;
};

/* An empty set in the current memory context. */
NameSet *
name_set_make(void)
{
	NameSet *set = palloc0(sizeof(NameSet));

	set->context = CurrentMemoryContext;
	set->allocated = 16;
	set->names = palloc(sizeof(char *) * set->allocated);
	return set;
}

/* Add a name.  The pointer is kept, not copied.  All names must be added before the first search. */
void
name_set_add(NameSet *set, char *name)
{
	Assert(set->marks == NULL);
	if (set->count == set->allocated)
	{
		set->allocated *= 2;
		set->names = repalloc_huge(set->names, sizeof(char *) * set->allocated);
	}
	set->names[set->count++] = name;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sort the names and remove duplicates. */
static void
sort_names(NameSet *set)
{
	int unique = 0;

	qsort(set->names, set->count, sizeof(char *), compare_names);
	for (int i = 0; i < set->count; i++)
		if (unique == 0 || strcmp(set->names[unique - 1], set->names[i]) != 0)
			set->names[unique++] = set->names[i];
	set->count = unique;
	/* The current memory context may be that of a row. */
	set->marks =
		MemoryContextAllocExtended(set->context, set->count, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* The index of the name, or -1 if it is not in the set. */
static int
find_name(NameSet *set, const char *name)
{
	char **found;

	if (set->count == 0)
		return -1;
	if (set->marks == NULL)
		sort_names(set);
	found = bsearch(&name, set->names, set->count, sizeof(char *), compare_names);
	return found == NULL ? -1 : found - set->names;
}

/* Is the name in the set? */
bool
name_set_has(NameSet *set, const char *name)
{
	return find_name(set, name) >= 0;
}

/* The same, and mark the name. */
bool
name_set_mark(NameSet *set, const char *name)
{
	int place = find_name(set, name);

	if (place >= 0)
		set->marks[place] = true;
	return place >= 0;
}

/*
 * Call visit for each name that was never marked, in byte order, and once for
 * each name however often it was added.
 */
void
name_set_visit_unmarked(NameSet *set, void (*visit)(void *argument, const char *name),
						void *argument)
{
	if (set->marks == NULL && set->count > 0)
		sort_names(set);
	for (int i = 0; i < set->count; i++)
		if (!set->marks[i])
			visit(argument, set->names[i]);
}
