/*
 * backend.h
 *		The interface of the fuzz targets that run inside a server.
 */
#ifndef FUZZ_BACKEND_H
#define FUZZ_BACKEND_H

#include "postgres.h"

#include "base/caller.h"
#include "require.h"

/* One input, copied to exactly size bytes. */
typedef struct FuzzInput
{
	const uint8 *data;
	size_t size;
} FuzzInput;

typedef struct FuzzTarget
{
	const char *name;

	/* Once, before the first input. */
	void (*start)(const Caller *caller);

	/* Tries one input.  May ereport, with an SQLSTATE of the list only. */
	void (*run)(const FuzzInput *input);

	/* After each input, however it ended: close everything. */
	void (*clean)(void);

	/* Mutations that know the form of the input; NULL for libFuzzer's own only. */
	size_t (*mutate)(uint8 *data, size_t size, size_t max_size, unsigned int seed);

	/* How many bytes an input may leave allocated without an owner; NULL for none. */
	size_t (*forgotten)(const FuzzInput *input);

	/* Further checks of an error. */
	void (*check_error)(const FuzzInput *input, const ErrorData *error);

	/* Prefixes of the SQLSTATEs that the contract allows; NULL ends the list. */
	const char *const *sqlstates;
} FuzzTarget;

extern const FuzzTarget fuzz_agent;
extern const FuzzTarget fuzz_model;
extern const FuzzTarget fuzz_replies;

/* ---- backend.c --------------------------------------------------------------------------- */

/* The extension's function of that name with arguments of these types. */
extern Oid fuzz_function(const Caller *caller, const char *name, int nargs, const Oid *types);

/* Calls it as the executor does; *rows is what it returned, as text, a NULL for NULL. */
typedef struct FuzzRows
{
	int count;
	int ncolumns;
	char **values; /* count * ncolumns */
} FuzzRows;

extern void fuzz_call(Oid function, int nargs, const NullableDatum *args, FuzzRows *rows);

/* Is this text JSON?  (PostgreSQL's own parser says so.) */
extern bool fuzz_is_json(const char *text);

/* The position of secret in text, or NULL; text may be NULL. */
extern const char *fuzz_find(const char *text, const char *secret);

/* libFuzzer's */
extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);

#endif /* FUZZ_BACKEND_H */
