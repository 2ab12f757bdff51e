/*
 * sorter.c
 *		Sorts the rows of an answer where the server cannot.
 *
 * Owns: the rows until they are taken, and the bound on what they take.  It must not know
 * what the values are.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "sorter.h"

/*
 * Begin with no rows.  keys has a letter for each value that counts for the order, of which
 * there may be fewer than nvalues; it must stay valid.
 */
void
sorter_begin(Sorter *sorter, const char *keys, int nvalues, size_t max_bytes)
{
	*sorter = (Sorter){.keys = keys, .nvalues = nvalues, .max_bytes = max_bytes};
}

static bool
make_room(Sorter *sorter)
{
	size_t size = sorter->size == 0 ? 256 : sorter->size * 2;
	char ***larger;

	if (sorter->nrows < sorter->size)
		return true;
	larger = realloc(sorter->rows, size * sizeof(char **));
	if (larger == NULL)
		return false;
	sorter->bytes += (size - sorter->size) * sizeof(char **);
	sorter->rows = larger;
	sorter->size = size;
	return true;
}

/* Copy a row, of which each value may be NULL.  False: the bound is reached, or memory is out. */
bool
sorter_add(Sorter *sorter, const char *const *values)
{
	size_t head = sorter->nvalues * sizeof(char *);
	size_t length = head;
	char **row;
	char *at;

	for (int i = 0; i < sorter->nvalues; i++)
		length += values[i] == NULL ? 0 : strlen(values[i]) + 1;
	if (length > sorter->max_bytes || sorter->bytes > sorter->max_bytes - length ||
		!make_room(sorter))
		return false;
	row = malloc(length);
	if (row == NULL)
		return false;
	at = (char *) row + head;
	for (int i = 0; i < sorter->nvalues; i++)
	{
		row[i] = values[i] == NULL ? NULL : at;
		if (values[i] != NULL)
			at = stpcpy(at, values[i]) + 1;
	}
	sorter->rows[sorter->nrows++] = row;
	sorter->bytes += length;
	return true;
}

/* NULL comes first. */
static int
compare_values(char key, const char *a, const char *b)
{
	long x;
	long y;

	if (a == NULL || b == NULL)
		return (a != NULL) - (b != NULL);
	if (key == 't')
		return strcmp(a, b);
	x = strtol(a, NULL, 10);
	y = strtol(b, NULL, 10);
	return (x > y) - (x < y);
}

static int
compare_rows(const void *a, const void *b, void *argument)
{
	const Sorter *sorter = argument;
	char *const *x = *(char **const *) a;
	char *const *y = *(char **const *) b;
	int order = 0;

	for (int i = 0; order == 0 && sorter->keys[i] != '\0'; i++)
		order = compare_values(sorter->keys[i], x[i], y[i]);
	return order;
}

/* Put the rows into their order; sorter_next then begins with the first. */
void
sorter_sort(Sorter *sorter)
{
	if (sorter->nrows > 1)
		qsort_r(sorter->rows, sorter->nrows, sizeof(char **), compare_rows, sorter);
	sorter->next = 0;
}

/* The next row, whose pointers the caller may replace; NULL behind the last.  It belongs to the sorter. */
const char **
sorter_next(Sorter *sorter)
{
	return sorter->next < sorter->nrows ? (const char **) sorter->rows[sorter->next++] : NULL;
}

/* After sorter_sort, by texts: is there a row with this first value? */
bool
sorter_has(const Sorter *sorter, const char *first)
{
	size_t low = 0;
	size_t high = sorter->nrows;

	while (low < high)
	{
		size_t middle = low + (high - low) / 2;
		int order = strcmp(sorter->rows[middle][0], first);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

void
sorter_free(Sorter *sorter)
{
	for (size_t i = 0; i < sorter->nrows; i++)
		free(sorter->rows[i]);
	free(sorter->rows);
	*sorter = (Sorter){0};
}
