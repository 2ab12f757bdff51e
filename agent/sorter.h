/*
 * sorter.h
 *		Sorts the rows of an answer where the server cannot.
 */
#ifndef DQDS_SORTER_H
#define DQDS_SORTER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Sorter
{
	const char *keys; /* a letter for each of the first values: t by its bytes, n as a number */
	char ***rows;     /* each one block: pointers to its values, and the values */
	size_t nrows;
	size_t size;  /* of rows */
	size_t bytes; /* that all of it takes */
	size_t max_bytes;
	size_t next; /* of sorter_next */
	int nvalues; /* of each row */
} Sorter;

extern void sorter_begin(Sorter *sorter, const char *keys, int nvalues, size_t max_bytes);
extern bool sorter_add(Sorter *sorter, const char *const *values);
extern void sorter_sort(Sorter *sorter);
extern const char **sorter_next(Sorter *sorter);
extern bool sorter_has(const Sorter *sorter, const char *first);
extern void sorter_free(Sorter *sorter);

#endif /* DQDS_SORTER_H */
