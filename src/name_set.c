/*
 * name_set.c
 *		A set of names, asked once for each row of a listing.
 *
 * A sorted array: it is filled once, in any order, and then only asked.
 */
#include "postgres.h"

#include "dqds.h"

struct NameSet
{
	char **names;
	int count;
	int allocated;
	bool sorted;
};

/* An empty set in the current memory context. */
NameSet *
name_set_make(void)
{
	NameSet *set = palloc0(sizeof(NameSet));

	set->allocated = 16;
	set->names = palloc(sizeof(char *) * set->allocated);
	return set;
}

/* Add a name, which is kept, not copied. */
void
name_set_add(NameSet *set, char *name)
{
	if (set->count == set->allocated)
	{
		set->allocated *= 2;
		set->names = repalloc_huge(set->names, sizeof(char *) * set->allocated);
	}
	set->names[set->count++] = name;
	set->sorted = false;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Is the name in the set? */
bool
name_set_has(NameSet *set, const char *name)
{
	if (set->count == 0)
		return false;
	if (!set->sorted)
		qsort(set->names, set->count, sizeof(char *), compare_names);
	set->sorted = true;
	return bsearch(&name, set->names, set->count, sizeof(char *), compare_names) != NULL;
}
