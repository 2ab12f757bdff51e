/*
 * properties.h
 *		The parameters that a model's properties may set, by provider, and their values.
 */
#ifndef DQDS_PROPERTIES_H
#define DQDS_PROPERTIES_H

#include "model/provider.h"

typedef struct Target Target;

/* How a property of a model is passed to the library that connects. */
typedef enum PropertyUse
{
	PROPERTY_TEXT,            /* passed on unchanged */
	PROPERTY_INTEGER,         /* the same, for a number that is not negative */
	PROPERTY_BOOLEAN,         /* true or false, passed on as 1 or 0 */
	PROPERTY_WORD,            /* one of the property's words */
	PROPERTY_SECRET,          /* passed on unchanged, and never shown */
	PROPERTY_CONNECT_TIMEOUT, /* our own deadline, in seconds */
	PROPERTY_MILLISECONDS,    /* the same, in milliseconds */
	PROPERTY_CLEARTEXT,       /* allow_cleartext_password */
	PROPERTY_SSL,             /* JDBC's ssl=true for libpq */
	PROPERTY_TLS,             /* whether TLS is used */
	PROPERTY_TLS_CHECK        /* how certificates are verified */
} PropertyUse;

/* A word about TLS, in another program's spelling. */
typedef struct TlsWord
{
	const char *word;
	TlsChoice choice; /* TLS_IS_UNSAID: nothing follows from it */
} TlsWord;

typedef struct Property
{
	const char *name;      /* in a model */
	ProviderSet providers; /* whose sections may have it */
	const char *keyword;   /* the library's; NULL if it is not passed on */
	PropertyUse use;
	const char *const *words; /* of PROPERTY_WORD, terminated by NULL */
	const char *reason;       /* why other words are not allowed; may be NULL */
	bool protects;            /* it is about TLS, so it protects what is sent */
	const TlsWord *tls_words; /* of PROPERTY_TLS and PROPERTY_TLS_CHECK, ended by a NULL */
} Property;

extern const Property *property_at(int position);
extern const Property *property_find(Provider provider, const char *name);
extern char *property_names(Provider provider);
extern bool property_apply(const Property *property, char *value, Target *target,
						   const char **wanted);

#endif /* DQDS_PROPERTIES_H */
