/*
 * checked_palloc.c
 *		Makes palloc visible to AddressSanitizer and valgrind. For `make test-sanitize` and `make test-valgrind` only.
 *
 * PostgreSQL cuts palloc's memory out of large blocks, so a tool that watches
 * malloc notices neither a write past the end of such a piece nor the use of one
 * that was freed or whose context was reset.  Debian's server has no hooks for
 * such tools.  This file is linked into an instrumented dqds.so.  When that is
 * loaded, it replaces the methods of the server's general purpose contexts
 * (AllocSet): from then on every piece in this backend, for every caller, is
 * a malloc of its own, and pieces from before stay with the methods that made
 * them.
 *
 * Owns: the pieces and the lists of them, by context.  It must not call palloc
 * or ereport.  Contexts have such replaceable methods up to PostgreSQL 15; with
 * later ones this file does nothing.
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "instrument.h"
#include "nodes/memnodes.h"
#include "utils/memutils.h"

#if PG_VERSION_NUM >= 140000 && PG_VERSION_NUM < 160000

/* In front of each piece; its last two members stand where AllocSet has its own. */
typedef struct Piece
{
	struct Piece *previous;
	struct Piece *next;
	Size size_and_mark;    /* AllocSet's sizes are even: an odd number marks a piece of ours */
	MemoryContext context; /* here GetMemoryChunkContext() looks */
} Piece;

/* The pieces of one context. */
typedef struct PieceList
{
	MemoryContext context;
	Piece *first;
	struct PieceList *next; /* in the same bucket */
} PieceList;

#define BUCKETS 4096

static PieceList *buckets[BUCKETS];
static MemoryContextMethods original;

/* The server reads the header, and must: only our module's code and what the C library does for it is held back. */
#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(void const volatile *start, size_t size);
void __asan_unpoison_memory_region(void const volatile *start, size_t size);
#define UNSEEN __attribute__((no_sanitize("address", "undefined")))
#else
#define __asan_poison_memory_region(start, size)   ((void) (start))
#define __asan_unpoison_memory_region(start, size) ((void) (start))
#define UNSEEN
#endif

static UNSEEN Piece *
piece_of(void *pointer)
{
	Piece *piece = (Piece *) pointer - 1;

	return (piece->size_and_mark & 1) != 0 ? piece : NULL;
}

static UNSEEN PieceList **
list_of(MemoryContext context)
{
	PieceList **place = &buckets[((uintptr_t) context >> 6) % BUCKETS];

	while (*place != NULL && (*place)->context != context)
		place = &(*place)->next;
	return place;
}

static UNSEEN void *
piece_alloc(MemoryContext context, Size size)
{
	PieceList **list = list_of(context);
	Piece *piece = malloc(sizeof(Piece) + size);

	if (piece == NULL)
		return NULL;
	if (*list == NULL)
	{
		*list = calloc(1, sizeof(PieceList));
		if (*list == NULL)
		{
			free(piece);
			return NULL;
		}
		(*list)->context = context;
	}
	*piece = (Piece){.next = (*list)->first, .size_and_mark = size << 1 | 1, .context = context};
	if (piece->next != NULL)
		piece->next->previous = piece;
	(*list)->first = piece;
	context->mem_allocated += sizeof(Piece) + size;
	__asan_poison_memory_region(piece, sizeof(Piece));
	return piece + 1;
}

static UNSEEN Size
piece_size(const Piece *piece)
{
	return piece->size_and_mark >> 1;
}

static UNSEEN void
piece_free(MemoryContext context, void *pointer)
{
	Piece *piece = piece_of(pointer);

	if (piece == NULL)
	{
		original.free_p(context, pointer);
		return;
	}
	if (piece->next != NULL)
		piece->next->previous = piece->previous;
	if (piece->previous != NULL)
		piece->previous->next = piece->next;
	else
		(*list_of(context))->first = piece->next;
	context->mem_allocated -= sizeof(Piece) + piece_size(piece);
	__asan_unpoison_memory_region(piece, sizeof(Piece));
	free(piece);
}

/* Always to another place, so that a use of the old pointer is found. */
static UNSEEN void *
piece_realloc(MemoryContext context, void *pointer, Size size)
{
	Piece *piece = piece_of(pointer);
	void *moved;

	if (piece == NULL)
		return original.realloc(context, pointer, size);
	moved = piece_alloc(context, size);
	if (moved == NULL)
		return NULL;
	memcpy(moved, pointer, Min(size, piece_size(piece)));
	piece_free(context, pointer);
	return moved;
}

static UNSEEN void
free_pieces(MemoryContext context)
{
	PieceList **place = list_of(context);
	PieceList *list = *place;

	if (list == NULL)
		return;
	while (list->first != NULL)
		piece_free(context, list->first + 1);
	*place = list->next;
	free(list);
}

static void
context_reset(MemoryContext context)
{
	free_pieces(context);
	original.reset(context);
}

static void
context_delete(MemoryContext context)
{
	free_pieces(context);
	original.delete_context(context);
}

static UNSEEN Size
piece_space(MemoryContext context, void *pointer)
{
	Piece *piece = piece_of(pointer);

	return piece == NULL ? original.get_chunk_space(context, pointer)
						 : sizeof(Piece) + piece_size(piece);
}

static UNSEEN void
context_stats(MemoryContext context, MemoryStatsPrintFunc printfunc, void *passthru,
			  MemoryContextCounters *totals, bool print_to_stderr)
{
	PieceList *list = *list_of(context);

	original.stats(context, printfunc, passthru, totals, print_to_stderr);
	if (totals == NULL || list == NULL)
		return;
	for (Piece *piece = list->first; piece != NULL; piece = piece->next)
	{
		totals->nblocks++;
		totals->totalspace += sizeof(Piece) + piece_size(piece);
	}
}

/* Replace the methods where the server keeps them, which is read-only. */
static void __attribute__((constructor(PRIORITY_OF_PALLOC))) replace_methods(void)
{
	MemoryContextMethods *methods = unconstify(MemoryContextMethods *, TopMemoryContext->methods);
	uintptr_t page_size = sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t) methods & ~(page_size - 1);
	uintptr_t end = (uintptr_t) (methods + 1);

	if (mprotect((void *) first, end - first, PROT_READ | PROT_WRITE) != 0)
	{
		write_stderr("checked_palloc: cannot replace the methods of memory contexts\n");
		abort();
	}
	original = *methods;
	methods->alloc = piece_alloc;
	methods->free_p = piece_free;
	methods->realloc = piece_realloc;
	methods->reset = context_reset;
	methods->delete_context = context_delete;
	methods->get_chunk_space = piece_space;
	methods->stats = context_stats;
	mprotect((void *) first, end - first, PROT_READ);
}

#endif
