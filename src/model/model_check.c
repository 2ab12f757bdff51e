/*
 * model_check.c
 *		May this model be registered?
 *
 * Owns: what is asked of a model before it is kept.  References to secrets are looked at when
 * they are used.
 */
#include "postgres.h"

#include "utils/jsonb.h"

#include "base/failure.h"
#include "model/model_check.h"
#include "model/model_form.h"
#include "model/model_internal.h"
#include "model/provider.h"
#include "model/target.h"

/*
 * What members that are known must be, in the section of whichever provider: a
 * model is given back whole, to clients that are strict about all of it.
 */
static bool
check_section(JsonbContainer *root, Provider provider, Failure *failure)
{
	static const char *const strings[] = {"host",     "database", "user",
										  "password", "options",  FOREIGN_SERVER};
	const char *name = provider_name(provider);
	JsonbContainer *section = model_object(root, "", name);
	JsonbValue port;

	for (int i = 0; i < lengthof(strings); i++)
		(void) model_string(section, name, strings[i]);
	(void) model_object(section, name, "properties");
	if (model_member(section, "port", &port) && port.type != jbvString && port.type != jbvNumeric)
		model_wrong_type(name, "port", "a string or a number");
	/* Words alike mean others elsewhere: MySQL has an sslmode of its own. */
	return !provider_rules(provider)->works || model_check_enums(section, provider, failure);
}

/*
 * Can this model be registered?  One of a provider that works must lead to a
 * usable target; of the others only the provider type and the shape are known.
 * References to secrets are looked at when they are used.
 */
bool
model_validate(const NormalModel *normal, Failure *failure)
{
	Target target;
	JsonbContainer *root = &normal->model->root;
	Provider provider;

	for (int i = 0; i < NUM_PROVIDERS; i++)
		if (!check_section(root, i, failure))
			return false;
	(void) model_object(root, "", "advanced_properties");
	if (!model_find_provider(root, &provider, failure))
		return false;
	if (model_to_target(normal->model, normal->secrets, NULL, &target, failure) ||
		failure->code == DQDS_UNSUPPORTED_PROVIDER)
	{
		failure_clear(failure);
		return true;
	}
	return false;
}
