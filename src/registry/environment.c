/*
 * environment.c
 *		Decides which members of a model may refer to the server's environment.
 *
 * References to the environment are resolved only where an admin wrote them.  A
 * registered connection stores the paths of such members (its marks), by these
 * rules:
 *
 *	- Only an admin may register a reference.  So a connection that is shown to an
 *	  admin never contains one that another role wrote, not even between looking at
 *	  it and saving it.
 *	- A registry that an earlier version filled may contain such references without
 *	  marks.  A value that an admin sends back as it is stored under the same name
 *	  keeps its mark, or its lack of one, whether the value itself or a mask of the
 *	  secret was sent.  Any other value counts as the admin's own, unless some
 *	  registered connection has exactly this value in the same member without a
 *	  mark: then it cannot be saved, and is not resolved in an ad-hoc model.
 *
 * It must not resolve anything, or depend on whether a variable exists.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "base/caller.h"
#include "base/failure.h"
#include "model/model_form.h"
#include "model/model_internal.h"
#include "model/properties.h"
#include "model/provider.h"
#include "model/secret.h"
#include "model/section_keys.h"
#include "registry/environment.h"
#include "registry/registry.h"

/* A member that refers to the environment. */
typedef struct Member
{
	const char *section; /* the name of a provider */
	const char *map;     /* "properties", or NULL */
	const char *key;
	char *value;
	bool settled; /* the stored connection has the same value, */
	bool marked;  /* with a mark */
	char *origin; /* the name of a connection that has the value without a mark, or NULL */
} Member;

static char *
member_path(const Member *member)
{
	return member->map == NULL ? psprintf("%s.%s", member->section, member->key)
							   : psprintf("%s.%s.%s", member->section, member->map, member->key);
}

/* The string in a member of the model or of its secrets; NULL if it is not a string. */
static char *
member_string(Jsonb *half, const Member *member)
{
	JsonbContainer *object;
	JsonbValue value;

	if (half == NULL)
		return NULL;
	object = model_object_member(&half->root, member->section);
	if (member->map != NULL)
		object = model_object_member(object, member->map);
	if (!model_member(object, member->key, &value) || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* The value of a member, which is in the secrets if the model has a mask in its place. */
static char *
member_value(Jsonb *model, Jsonb *secrets, const Member *member)
{
	char *value = member_string(secrets, member);

	return value != NULL ? value : member_string(model, member);
}

static List *
add_if_reference(List *members, const NormalModel *normal, const char *section, const char *map,
				 const char *key)
{
	Member *member = palloc0(sizeof(Member));

	member->section = section;
	member->map = map;
	member->key = key;
	member->value = member_value(normal->model, normal->secrets, member);
	if (member->value == NULL || !secret_uses_environment(member->value))
		return members;
	return lappend(members, member);
}

/* Add the properties with references; only allowed ones, so there are never many. */
static List *
add_properties(List *members, const NormalModel *normal, Provider provider,
			   JsonbContainer *properties)
{
	JsonbIterator *iterator = JsonbIteratorInit(properties);
	JsonbIteratorToken token;
	JsonbValue item;

	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		char *key;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(item.val.string.val, item.val.string.len);
		if (property_find(provider, key) != NULL)
			members = add_if_reference(members, normal, provider_name(provider), "properties", key);
	}
	return members;
}

/* The members of a model that refer to the environment, in the sections of all providers. */
static List *
referring_members(const NormalModel *normal)
{
	List *members = NIL;
	const SectionKey *key;

	for (int i = 0; i < NUM_PROVIDERS; i++)
	{
		const char *section = provider_name(i);
		JsonbContainer *object = model_object_member(&normal->model->root, section);
		JsonbContainer *properties = model_object_member(object, "properties");

		if (object == NULL)
			continue;
		for (int k = 0; (key = section_key_at(k)) != NULL; k++)
			if (provider_is_in(i, key->providers) && section_key_refers(key))
				members = add_if_reference(members, normal, section, NULL, key->key);
		if (properties != NULL)
			members = add_properties(members, normal, i, properties);
	}
	return members;
}

/* Does this connection have the member's value?  If so, *marked says whether with a mark. */
static bool
has_value(const RegistryEntry *entry, const Member *member, bool *marked)
{
	char *value = member_value(entry->model, entry->secrets, member);
	char *path;
	ListCell *cell;

	if (value == NULL || strcmp(value, member->value) != 0)
		return false;
	path = member_path(member);
	*marked = false;
	foreach (cell, entry->environment_members)
		*marked |= strcmp(lfirst(cell), path) == 0;
	return true;
}

typedef struct Search
{
	List *members;
	MemoryContext context; /* of the names found */
} Search;

static void
look_for_origin(const RegistryEntry *entry, void *argument)
{
	Search *search = argument;
	ListCell *cell;

	foreach (cell, search->members)
	{
		Member *member = lfirst(cell);
		bool marked;

		if (!member->settled && member->origin == NULL && has_value(entry, member, &marked) &&
			!marked)
			member->origin = MemoryContextStrdup(search->context, entry->name);
	}
}

static void
find_origins(const Caller *caller, List *members)
{
	Search search = {.members = members, .context = CurrentMemoryContext};

	registry_visit(caller, look_for_origin, &search);
}

/* Report that only an admin may write this reference.  Always returns false. */
static bool
not_allowed(const Member *member, Failure *failure)
{
	failure_set(failure, DQDS_UNRESOLVED_SECRET,
				"Let an admin register the connection, or refer to a stored credential.",
				"\"%s\" refers to the environment of the server, which only an admin may do",
				member_path(member));
	return false;
}

/* Report the connection that has the same reference without a mark.  Always returns false. */
static bool
not_own(const Member *member, Failure *failure)
{
	failure_set(failure, DQDS_UNRESOLVED_SECRET,
				"Write the reference differently, for example with a default, or drop that "
				"connection first.",
				"the reference in \"%s\" is also in connection \"%s\", where no admin wrote it",
				member_path(member), member->origin);
	return false;
}

/*
 * Find the paths of the members whose references to the environment may be
 * resolved, because the caller may write them, or leaves them as an admin wrote
 * them; *paths is a palloc'd list of char *.  The model is in its stored form;
 * stored is the registered connection that it is for, or NULL.  If failure is
 * not NULL, a reference that the caller may not write sets it to
 * DQDS_UNRESOLVED_SECRET, and the result is false; if it is NULL, such a
 * reference is left out.
 */
bool
environment_members(const Caller *caller, const NormalModel *normal, const RegistryEntry *stored,
					List **paths, Failure *failure)
{
	List *members = referring_members(normal);
	ListCell *cell;
	bool search = false;

	*paths = NIL;
	if (members != NIL && !caller_is_admin(caller))
		return failure == NULL || not_allowed(linitial(members), failure);
	foreach (cell, members)
	{
		Member *member = lfirst(cell);

		member->settled = stored != NULL && has_value(stored, member, &member->marked);
		search |= !member->settled;
	}
	if (search)
		find_origins(caller, members);
	foreach (cell, members)
	{
		Member *member = lfirst(cell);

		if (member->origin != NULL && failure != NULL)
			return not_own(member, failure);
		if (member->settled ? member->marked : member->origin == NULL)
			*paths = lappend(*paths, member_path(member));
	}
	return true;
}
