/*
 * early.c
 *		A library of its own, to be preloaded into a server that is not instrumented: starts AddressSanitizer.
 *
 * In an instrumented program that happens before anything else.  In others it
 * happens at the first malloc, and that can be the one of a library that is just
 * registering its translations: the C library then holds a lock, of which what
 * AddressSanitizer does at its start lets go, and the next thread that wants that lock
 * waits for ever.  Linked with -z initfirst this comes before all others.
 */
#include <stdlib.h>

static void *volatile piece;

static void __attribute__((constructor)) start_sanitizer(void)
{
	piece = malloc(1);
	free(piece);
}
