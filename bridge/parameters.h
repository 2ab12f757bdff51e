/*
 * parameters.h
 *		From path, query and body to the parameters of a statement.
 */
#ifndef BRIDGE_PARAMETERS_H
#define BRIDGE_PARAMETERS_H

#include "error.h"
#include "http.h"
#include "router.h"

/* Start with {0}, release with parameters_release().  The values live as long as request and match. */
typedef struct Parameters
{
	const char *values[MAX_PARAMETERS]; /* for the statement, in order; NULL is NULL in SQL */
	int count;
	char *query_copy;
	char *body;
} Parameters;

/* Reads the query first and the body last, so that a bad query costs no waiting. */
bool parameters_read(HttpRequest *request, const RouteMatch *match, size_t body_limit,
					 Parameters *parameters, Failure *failure);
void parameters_release(Parameters *parameters);

#endif /* BRIDGE_PARAMETERS_H */
