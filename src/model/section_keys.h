/*
 * section_keys.h
 *		The keys that the section of a provider may have.
 */
#ifndef DQDS_SECTION_KEYS_H
#define DQDS_SECTION_KEYS_H

#include "model/provider.h"

/* The consequence if a key has no effect. */
typedef enum KeyKind
{
	KEY_PLAIN,
	KEY_HOST, /* another server is reached */
	KEY_TLS   /* the connection is less secure */
} KeyKind;

/* What becomes of the value of a key. */
typedef enum KeyUse
{
	AS_NOTHING, /* it is kept */
	AS_NOT_RUN, /* it is kept, and a warning says that these statements are not run */
	AS_HOST,    /* or the account of which the host is made */
	AS_PORT,
	AS_DATABASE,
	AS_USER,
	AS_SECRET, /* the password; the first key that has a value counts */
	AS_OPTIONS,
	AS_SSLMODE,
	AS_NO_TLS,    /* true turns TLS off */
	AS_PARAMETER, /* it is told to the driver, by the name of the key */
	AS_PROPERTIES,
	AS_FOREIGN_SERVER
} KeyUse;

/* The JSON type that the value must have. */
typedef enum KeyType
{
	OF_STRING,
	OF_STRING_OR_NUMBER,
	OF_BOOLEAN,
	OF_OBJECT
} KeyType;

typedef struct SectionKey
{
	const char *key;
	ProviderSet providers; /* whose sections may have it */
	KeyUse use;
	KeyType type;
	KeyKind kind;
	ProviderSet needed;       /* these cannot do without it */
	const char *const *words; /* of a published enum, terminated by NULL */
} SectionKey;

extern const SectionKey *section_key_at(int position);
extern const SectionKey *section_key_find(Provider provider, const char *key, int length);
extern const SectionKey *section_key_used(Provider provider, KeyUse use);
extern const SectionKey *section_key_of_place(Provider provider, int *position);
extern bool section_key_refers(const SectionKey *key);

#endif /* DQDS_SECTION_KEYS_H */
