/*
 * model_patch.c
 *		Applies a merge patch (RFC 7396) to a model.
 *
 * Objects are merged member by member, null removes a member, and every other
 * value, including an array, replaces the old one.
 *
 * It must not know the keys of a model, or what a mask stands for: a patch is
 * applied to the model with its masks, and the result is treated like any other
 * model.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/jsonb.h"

#include "model/model.h"
#include "base/compat.h"
#include "model/model_internal.h"

static JsonbValue *push_patched(JsonbBuilder *state, JsonbContainer *object, JsonbContainer *patch);

static JsonbContainer *
as_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data)
			   ? value->val.binary.data
			   : NULL;
}

/*
 * Push a member of the patch.  An object is merged into old, which is NULL if
 * the model has no object there.
 */
static void
push_change(JsonbBuilder *state, JsonbValue *key, JsonbContainer *old, JsonbValue *change)
{
	JsonbContainer *patch = as_object(change);

	if (change->type == jbvNull)
		return;
	(void) dqds_push_jsonb(state, WJB_KEY, key);
	if (patch != NULL)
		(void) push_patched(state, old, patch);
	else
		(void) dqds_push_jsonb(state, WJB_VALUE, change);
}

/* Push the members of the object, changed by the patch. */
static void
push_old_members(JsonbBuilder *state, JsonbContainer *object, JsonbContainer *patch)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue item;
	JsonbValue key;

	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		JsonbValue change;

		if (token == WJB_KEY)
			key = item;
		if (token != WJB_VALUE)
			continue;
		if (getKeyJsonValueFromContainer(patch, key.val.string.val, key.val.string.len, &change) !=
			NULL)
			push_change(state, &key, as_object(&item), &change);
		else
		{
			(void) dqds_push_jsonb(state, WJB_KEY, &key);
			(void) dqds_push_jsonb(state, WJB_VALUE, &item);
		}
	}
}

/* Push the members that only the patch has. */
static void
push_new_members(JsonbBuilder *state, JsonbContainer *object, JsonbContainer *patch)
{
	JsonbIterator *iterator = JsonbIteratorInit(patch);
	JsonbIteratorToken token;
	JsonbValue item;
	JsonbValue key;

	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		JsonbValue old;

		if (token == WJB_KEY)
			key = item;
		if (token == WJB_VALUE &&
			(object == NULL || getKeyJsonValueFromContainer(object, key.val.string.val,
															key.val.string.len, &old) == NULL))
			push_change(state, &key, NULL, &item);
	}
}

/*
 * Push an object, changed by the patch.  If object is NULL, the result is the
 * patch without its nulls.
 */
static JsonbValue *
push_patched(JsonbBuilder *state, JsonbContainer *object, JsonbContainer *patch)
{
	check_stack_depth();
	(void) dqds_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	if (object != NULL)
		push_old_members(state, object, patch);
	push_new_members(state, object, patch);
	return dqds_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/*
 * Apply a patch to a model; the result is palloc'd.  Both must be objects
 * within bounds (model_within_bounds); the result may be out of bounds.
 */
Jsonb *
model_patch(Jsonb *model, Jsonb *patch)
{
	JsonbBuilder state = {0};

	return JsonbValueToJsonb(push_patched(&state, model_root(model), model_root(patch)));
}
