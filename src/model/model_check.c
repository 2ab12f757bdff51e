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

static void
check_type(JsonbContainer *section, const char *name, const SectionKey *key)
{
	switch (key->type)
	{
		case OF_STRING:
			(void) model_string(section, name, key->key);
			break;
		case OF_STRING_OR_NUMBER:
			(void) model_string_or_number(section, name, key->key);
			break;
		case OF_BOOLEAN:
			(void) model_boolean(section, name, key->key);
			break;
		case OF_OBJECT:
			(void) model_object(section, name, key->key);
			break;
	}
}

/*
 * Check the types and the published words of known members in the section of any provider: a
 * model is returned whole, to clients that are strict about every section.
 */
static bool
check_section(JsonbContainer *root, Provider provider, Failure *failure)
{
	const char *name = provider_name(provider);
	JsonbContainer *section = model_object(root, "", name);
	const SectionKey *key;

	for (int i = 0; (key = section_key_at(i)) != NULL; i++)
		if (provider_is_in(provider, key->providers))
			check_type(section, name, key);
	return model_check_enums(section, provider, failure);
}

/*
 * Can this model be registered?  It must give a usable target; references to
 * secrets are not resolved until they are used.  If the model cannot be
 * registered, *failure is set.  Errors: 42804 for a value of the wrong JSON
 * type.
 */
bool
model_validate(const NormalModel *normal, Failure *failure)
{
	Target target;
	JsonbContainer *root = &normal->model->root;

	for (int i = 0; i < NUM_PROVIDERS; i++)
		if (!check_section(root, i, failure))
			return false;
	(void) model_object(root, "", "advanced_properties");
	return model_to_target(normal->model, normal->secrets, NULL, &target, failure);
}
