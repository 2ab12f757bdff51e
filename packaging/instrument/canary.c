/*
 * canary.c
 *		Makes the fault that the environment variable DQDS_CANARY names, so that it can be seen that it is reported.
 *
 * In instrumented builds only; canary.pl asks for one after the other.  Linked
 * into the extension and into the bridge, which has no palloc: these functions
 * are weak here.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instrument.h"

/* As in PostgreSQL's headers, which the bridge does without. */
#define WEAK __attribute__((weak))
typedef struct MemoryContextData *MemoryContext;
extern WEAK MemoryContext CurrentMemoryContext;
extern WEAK void *palloc(size_t size);
extern WEAK void *MemoryContextAlloc(MemoryContext context, size_t size);
extern WEAK void pfree(void *pointer);
extern WEAK void MemoryContextReset(MemoryContext context);
extern WEAK MemoryContext AllocSetContextCreateInternal(MemoryContext parent, const char *name,
														size_t min, size_t init, size_t max);

/* What the compiler cannot know it cannot warn of, nor leave out. */
static volatile int sizes[] = {10, 20};
static volatile int sink;
static char *volatile lost;

static void
heap_overflow(void)
{
	volatile char *bytes = malloc(sizes[0]);

	bytes[sizes[0]] = 1;
	free((void *) bytes);
}

static void
heap_use_after_free(void)
{
	lost = malloc(sizes[0]);
	free(lost);
	sink = lost[0];
}

static void
palloc_overflow(void)
{
	volatile char *bytes = palloc(sizes[0]);

	bytes[sizes[0]] = 1;
	pfree((void *) bytes);
}

static void
palloc_underflow(void)
{
	volatile char *bytes = palloc(sizes[0]);

	sink = bytes[sizes[0] - sizes[1]];
	pfree((void *) bytes);
}

static void
palloc_use_after_pfree(void)
{
	lost = palloc(sizes[0]);
	pfree(lost);
	sink = lost[0];
}

static void
palloc_use_after_reset(void)
{
	MemoryContext context =
		AllocSetContextCreateInternal(CurrentMemoryContext, "canary", 0, 8192, 8192);

	lost = MemoryContextAlloc(context, sizes[0]);
	MemoryContextReset(context);
	sink = lost[0];
}

static void
stack_overflow(void)
{
	char bytes[10];

	memset(bytes, 0, sizeof(bytes));
	bytes[sizes[0]] = 1;
	sink = bytes[sizes[0] - 1];
}

static void
signed_overflow(void)
{
	sink = INT32_MAX;
	sink = sink + sizes[0];
}

static void
uninitialised(void)
{
	volatile char *bytes = malloc(sizes[0]);

	if (bytes[0] == 1)
		sink = 1;
	free((void *) bytes);
}

static void
leak(void)
{
	lost = malloc(sizes[0]);
	lost[0] = 1;
	lost = NULL;
}

static const struct
{
	const char *name;
	void (*make)(void);
} canaries[] = {
	{"heap_overflow", heap_overflow},
	{"heap_use_after_free", heap_use_after_free},
	{"palloc_overflow", palloc_overflow},
	{"palloc_underflow", palloc_underflow},
	{"palloc_use_after_pfree", palloc_use_after_pfree},
	{"palloc_use_after_reset", palloc_use_after_reset},
	{"stack_overflow", stack_overflow},
	{"signed_overflow", signed_overflow},
	{"uninitialised", uninitialised},
	{"leak", leak},
};

static void __attribute__((constructor(PRIORITY_OF_CANARY))) make_fault(void)
{
	const char *name = getenv("DQDS_CANARY");

	if (name == NULL)
		return;
	for (size_t i = 0; i < sizeof(canaries) / sizeof(canaries[0]); i++)
		if (strcmp(name, canaries[i].name) == 0)
		{
			canaries[i].make();
			return;
		}
	fprintf(stderr, "canary: no fault is called %s\n", name);
	abort();
}
