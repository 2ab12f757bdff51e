/*
 * properties.h
 *		The parameters that a model's properties may set, by provider, and their values.
 */
#ifndef DQDS_PROPERTIES_H
#define DQDS_PROPERTIES_H

#include "model/provider.h"

typedef struct Target Target;

/* How a property of a model reaches the library that connects. */
typedef enum PropertyUse
{
	PROPERTY_TEXT,            /* handed on as it is */
	PROPERTY_INTEGER,         /* the same, a number that is not negative */
	PROPERTY_BOOLEAN,         /* true or false, handed on as 1 or 0 */
	PROPERTY_WORD,            /* one of the property's words */
	PROPERTY_CONNECT_TIMEOUT, /* our own deadline, in seconds */
	PROPERTY_CLEARTEXT,       /* allow_cleartext_password */
	PROPERTY_SSL              /* JDBC's ssl=true */
} PropertyUse;

typedef struct Property
{
	const char *name;      /* as users write it */
	ProviderSet providers; /* in whose sections it may stand */
	const char *keyword;   /* the library's; NULL: it is not told */
	PropertyUse use;
	const char *const *words; /* of PROPERTY_WORD, with NULL at the end */
	const char *reason;       /* why there are no other words; may be NULL */
	bool protects;            /* what is sent, from others: it is about TLS */
} Property;

extern const Property *property_at(int position);
extern const Property *property_find(Provider provider, const char *name);
extern char *property_names(Provider provider);
extern bool property_apply(const Property *property, char *value, Target *target,
						   const char **wanted);

#endif /* DQDS_PROPERTIES_H */
