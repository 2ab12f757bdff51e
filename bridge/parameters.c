/*
 * parameters.c
 *		From path, query and body to the parameters of a statement.
 *
 * Only what PostgreSQL could not report by the parameter's own name is checked
 * here: booleans and integers.  Rules about connections belong into the
 * extension.
 */
#include "parameters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "framing.h"
#include "http.h"
#include "text.h"

/* A name without "=" switches on, as in "?wait"; an empty value leaves the default. */
static bool
read_boolean(const Parameter *parameter, const char *value, const char **result, Failure *failure)
{
	if (value == NULL || strcasecmp(value, "true") == 0)
		*result = "true";
	else if (strcasecmp(value, "false") == 0)
		*result = "false";
	else if (*value != '\0')
		return fail(failure, 400, "the parameter %s must be true or false", parameter->name);
	return true;
}

static bool
read_integer(const Parameter *parameter, const char *value, const char **result, Failure *failure)
{
	size_t len = value ? strlen(value) : 0;

	if (len == 0)
		return true;
	errno = 0;
	if (strspn(value, "0123456789") != len || strtol(value, NULL, 10) > INT32_MAX || errno != 0)
		return fail(failure, 400, "the parameter %s must be a number from 0 to 2147483647",
					parameter->name);
	*result = value;
	return true;
}

/* value is NULL when the name came without "=". */
static bool
read_value(const Parameter *parameter, const char *value, const char **result, Failure *failure)
{
	switch (parameter->type)
	{
		case TYPE_BOOLEAN:
			return read_boolean(parameter, value, result, failure);
		case TYPE_INTEGER:
			return read_integer(parameter, value, result, failure);
		case TYPE_TEXT:
			*result = value;
			break;
	}
	return true;
}

/* Gives a pair of the query to the parameter of that name, if there is one; the first pair wins. */
static bool
take_pair(const Route *route, const char *name, const char *value, const char **results, bool *seen,
		  Failure *failure)
{
	for (int i = 0; i < MAX_PARAMETERS; i++)
	{
		const Parameter *parameter = &route->parameters[i];

		if (parameter->source != FROM_QUERY || strcmp(parameter->name, name) != 0 || seen[i])
			continue;
		seen[i] = true;
		return read_value(parameter, value, &results[i], failure);
	}
	return true;
}

static bool
read_query(const Route *route, char *query, const char **results, Failure *failure)
{
	bool seen[MAX_PARAMETERS] = {false};
	char *name;

	while ((name = strsep(&query, "&")) != NULL)
	{
		char *value = strchr(name, '=');

		if (value != NULL)
			*value++ = '\0';
		if (!url_decode(name, true) || (value != NULL && !url_decode(value, true)))
			return fail(failure, 400, "the query is not percent-encoded UTF-8");
		if (!take_pair(route, name, value, results, seen, failure))
			return false;
	}
	return true;
}

bool
parameters_read(HttpRequest *request, const RouteMatch *match, size_t body_limit,
				Parameters *parameters, Failure *failure)
{
	const Parameter *table = match->route->parameters;
	const char *results[MAX_PARAMETERS];
	int segment = 0;

	for (int i = 0; i < MAX_PARAMETERS; i++)
		results[i] = table[i].fallback;
	if (request->query != NULL)
	{
		parameters->query_copy = strdup(request->query);
		if (parameters->query_copy == NULL)
			return fail(failure, 503, "out of memory");
		if (!read_query(match->route, parameters->query_copy, results, failure))
			return false;
	}
	for (int i = 0; i < MAX_PARAMETERS; i++)
	{
		if (table[i].source == FROM_PATH)
			results[i] = match->values[segment++];
		else if (table[i].source == FROM_BODY)
		{
			size_t length;

			if (!framing_check_body(request, body_limit, &length, failure) ||
				!http_read_body(request, length, &parameters->body, failure))
				return false;
			results[i] = parameters->body;
		}
		if (table[i].source != FROM_NOWHERE && !table[i].only_checked)
			parameters->values[parameters->count++] = results[i];
	}
	return true;
}

void
parameters_release(Parameters *parameters)
{
	free(parameters->query_copy);
	free(parameters->body);
}
