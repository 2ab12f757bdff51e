/*
 * model_check.c
 *		Checks whether a model can be registered.
 *
 * Owns: the requirements that a model must meet to be stored.  It must not
 * resolve references to secrets.
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
 * Check the types of known members in the section of any provider: a model is
 * returned whole, to clients that are strict about every section.
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
	/* The same key can have other words elsewhere: MySQL has its own sslmode. */
	return !provider_rules(provider)->works || model_check_enums(section, provider, failure);
}

/*
 * Can this model be registered?  A model of a supported provider must give a
 * usable target; of other models only the provider type and the types of
 * members are checked.  References to secrets are not resolved until they are
 * used.  If the model cannot be registered, *failure is set.  Errors: 42804 for
 * a value of the wrong JSON type.
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
