/*
 * questions.h
 *		What the fuzz targets of hostile remotes ask: the functions that test, list and import.
 */
#ifndef FUZZ_QUESTIONS_H
#define FUZZ_QUESTIONS_H

#include "backend.h"

/* The password of every connection. */
#define PASSWORD "never-to-be-shown"

/* The timeout of a question; a remote that keeps the connection open uses all of it. */
#define TIMEOUT_MS      2000
#define HOLD_TIMEOUT_MS 10

/* A session is reused as long as the remote has bytes left: it then knows more about the remote. */
#define MAX_QUESTIONS 3

typedef struct FuzzConnection
{
	const char *name;
	const char *model; /* %d is the port */
} FuzzConnection;

extern void questions_start(const Caller *caller, const FuzzConnection *connections, int count,
							int port);
extern void questions_ask(int number, const char *connection);
extern void questions_check_error(const FuzzInput *input, const ErrorData *error);

#endif /* FUZZ_QUESTIONS_H */
