/*
 * router.c
 *		From method and path to a route.
 *
 * The raw path is split first and decoded afterwards, segment by segment: an
 * escaped slash is part of a name.  Everything else is compared byte for byte:
 * no case folding, no "//", no trailing slash, no "..".
 */
#include "router.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Whether the path as a whole can be decoded, wherever it may lead. */
static bool
check_encoding(const char *path)
{
	char *copy = strdup(path);
	bool valid = copy != NULL && url_decode(copy, false);

	free(copy);
	return valid;
}

/* Cuts at the slashes; the path begins with one.  Returns the number of segments, -1: too many. */
static int
split_path(char *path, char **segments)
{
	int count = 0;

	for (char *rest = path + 1; rest != NULL;)
	{
		if (count == MAX_SEGMENTS)
			return -1;
		segments[count++] = strsep(&rest, "/");
	}
	return count;
}

/* Compares with a pattern of the table; an empty segment is no name. */
static bool
path_matches(const char *pattern, char **segments, int count)
{
	for (int i = 0; i < count; i++)
	{
		size_t len = strcspn(++pattern, "/");

		if (len == 2 && strncmp(pattern, "{}", 2) == 0)
		{
			if (segments[i][0] == '\0')
				return false;
		}
		else if (strlen(segments[i]) != len || strncmp(pattern, segments[i], len) != 0)
			return false;
		pattern += len;
		if (*pattern == '\0')
			return i + 1 == count;
	}
	return false;
}

/* Decodes the segments that stand at a {}; check_encoding() has made sure that it can be done. */
static void
take_values(RouteMatch *match, char **segments)
{
	const char *pattern = match->route->path;
	int taken = 0;

	for (int i = 0; *pattern; i++)
	{
		size_t len = strcspn(++pattern, "/");

		if (len == 2 && strncmp(pattern, "{}", 2) == 0)
		{
			url_decode(segments[i], false);
			match->values[taken++] = segments[i];
		}
		pattern += len;
	}
}

/* HEAD is GET whose answer has no body. */
static bool
method_matches(const Route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
		   (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void
add_allowed(Failure *failure, const char *method)
{
	if (failure->allow[0] != '\0')
		strncat(failure->allow, ", ", sizeof(failure->allow) - strlen(failure->allow) - 1);
	strncat(failure->allow, strcmp(method, "GET") == 0 ? "GET, HEAD" : method,
			sizeof(failure->allow) - strlen(failure->allow) - 1);
}

bool
router_find(const char *method, const char *path, RouteMatch *match, Failure *failure)
{
	char *segments[MAX_SEGMENTS];
	int count;

	if (!check_encoding(path))
		return fail(failure, 400, "the path is not percent-encoded UTF-8");
	match->storage = strdup(path);
	if (match->storage == NULL)
		return fail(failure, 503, "out of memory");

	count = split_path(match->storage, segments);
	for (size_t i = 0; i < route_count && match->route == NULL; i++)
	{
		if (!path_matches(route_table[i].path, segments, count))
			continue;
		if (method_matches(&route_table[i], method))
			match->route = &route_table[i];
		else
			add_allowed(failure, route_table[i].method);
	}
	if (match->route == NULL && failure->allow[0] != '\0')
		return fail(failure, 405, "method %s is not allowed for this path", method);
	if (match->route == NULL)
		return fail(failure, 404, "there is no such path");
	take_values(match, segments);
	return true;
}

void
router_release(RouteMatch *match)
{
	free(match->storage);
}
