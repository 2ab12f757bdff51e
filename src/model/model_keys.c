/*
 * model_keys.c
 *		What an unknown key of a connection model probably means.
 *
 * Owns: the keys at the top, and other names that people use for them and for the keys of
 * sections (section_keys.c).  It must not read a model: model_warnings.c does, and decides
 * what happens to an unknown key.
 */
#include "postgres.h"

#include <ctype.h>

#include "model/model_internal.h"
#include "model/properties.h"
#include "model/provider.h"
#include "model/section_keys.h"

#define MAX_PLAIN_KEY 40 /* longer than any key, and any other name of one */

#define URL_REASON         "\"host\", \"port\", \"database\" and \"user\" say the same"
#define ROOTS_REASON       "the setting dqds.ssl_root_certs says which certificates are trusted"
#define CERTIFICATE_REASON "client certificates are not supported"

/* ---- the keys ------------------------------------------------------------------------ */

/* Keys at the top level that have an effect, or are published and long enough to be misspelt. */
static const char *const top_keys[] = {"connection_name",     "provider_type",
									   "password_required",   "parallel_jobs_limit",
									   "advanced_properties", "schedule_on_instance"};

/* Other names of keys, in the form that plain_key() makes. */
static const struct
{
	const char *written;
	const char *meant;
	const char *reason; /* why it should be left out; then meant is only a key of the same kind */
} synonyms[] = {
	{"hostname", "host"},
	{"hostaddr", "host"},
	{"hostaddress", "host"},
	{"hosts", "host"},
	{"server", "host"},
	{"servername", "host"},
	{"serveraddress", "host"},
	{"serverhost", "host"},
	{"address", "host"},
	{"addr", "host"},
	{"ip", "host"},
	{"ipaddress", "host"},
	{"endpoint", "host"},
	{"url", "host", URL_REASON},
	{"uri", "host", URL_REASON},
	{"jdbcurl", "host", URL_REASON},
	{"dsn", "host", URL_REASON},
	{"connectionstring", "host", URL_REASON},
	{"portnumber", "port"},
	{"serverport", "port"},
	{"dbname", "database"},
	{"db", "database"},
	{"databasename", "database"},
	{"catalog", "database"},
	{"initialcatalog", "database"},
	{"username", "user"},
	{"login", "user"},
	{"uid", "user"},
	{"userid", "user"},
	{"usr", "user"},
	{"pass", "password"},
	{"passwd", "password"},
	{"passphrase", "password"},
	{"pwd", "password"},
	{"pw", "password"},
	{"userpassword", "password"},
	{"ssl", "sslmode"},
	{"tls", "sslmode"},
	{"tlsmode", "sslmode"},
	{"usessl", "sslmode"},
	{"usetls", "sslmode"},
	{"requiressl", "sslmode"},
	{"requiretls", "sslmode"},
	{"encrypt", "sslmode"},
	{"encrypted", "sslmode"},
	{"encryption", "sslmode"},
	{"trustservercertificate", "sslmode"},
	{"trustcert", "sslmode"},
	{"verify", "sslmode"},
	{"verifyca", "sslmode"},
	{"verifyfull", "sslmode"},
	{"verifycert", "sslmode"},
	{"verifycertificate", "sslmode"},
	{"verifyservercertificate", "sslmode"},
	{"verifyhostname", "sslmode"},
	{"checkservercertificate", "sslmode"},
	{"rejectunauthorized", "sslmode"},
	{"encryptionmode", "sslmode"},
	{"secure", "sslmode"},
	{"sslrootcert", "sslmode", ROOTS_REASON},
	{"sslrootca", "sslmode", ROOTS_REASON},
	{"sslca", "sslmode", ROOTS_REASON},
	{"sslcrl", "sslmode", ROOTS_REASON},
	{"rootcert", "sslmode", ROOTS_REASON},
	{"rootca", "sslmode", ROOTS_REASON},
	{"ca", "sslmode", ROOTS_REASON},
	{"cacert", "sslmode", ROOTS_REASON},
	{"cacertificate", "sslmode", ROOTS_REASON},
	{"cafile", "sslmode", ROOTS_REASON},
	{"serverca", "sslmode", ROOTS_REASON},
	{"servercertificate", "sslmode", ROOTS_REASON},
	{"sslcert", "sslmode", CERTIFICATE_REASON},
	{"sslkey", "sslmode", CERTIFICATE_REASON},
	{"sslpassword", "sslmode", CERTIFICATE_REASON},
	{"clientcert", "sslmode", CERTIFICATE_REASON},
	{"clientkey", "sslmode", CERTIFICATE_REASON},
	{"option", "options"},
	{"pgoptions", "options"},
	{"property", "properties"},
	{"props", "properties"},
	{"params", "properties"},
	{"parameters", "properties"},
	{"jdbcproperties", "properties"},
	{"enginetype", "postgresql_engine_type"},
	{"authenticationmode", "redshift_authentication_mode"},
	{"fdwserver", FOREIGN_SERVER},
};

/* Prefixes that people add to the names of keys. */
static const char *const prefixes[] = {"postgresql", "postgres", "pg", "database", "db"};

/* Other names of sections. */
static const struct
{
	const char *written;
	const char *meant;
} section_names[] = {{"postgres", "postgresql"},
					 {"pgsql", "postgresql"},
					 {"pg", "postgresql"},
					 {"mssql", "sqlserver"}};

/* ---- keys that are alike --------------------------------------------------------------- */

/*
 * Copy the letters and digits of a key, in lower case, to plain; returns false
 * if there are none, or too many.
 */
static bool
plain_key(const char *key, char *plain)
{
	int length = 0;

	for (; *key != '\0'; key++)
	{
		if (!isalnum((unsigned char) *key) || (unsigned char) *key >= 0x80)
			continue;
		if (length == MAX_PLAIN_KEY)
			return false;
		plain[length++] = pg_tolower((unsigned char) *key);
	}
	plain[length] = '\0';
	return length > 0;
}

/* Is plain the result of plain_key() for this key? */
static bool
is_plain_of(const char *plain, const char *key)
{
	char other[MAX_PLAIN_KEY + 1];

	return plain_key(key, other) && strcmp(plain, other) == 0;
}

/*
 * The edit distance between two plain keys: how many characters must be
 * changed, removed, inserted, or swapped with the next one.
 */
static int
distance_between(const char *a, const char *b)
{
	int rows[MAX_PLAIN_KEY + 1][MAX_PLAIN_KEY + 1];
	int la = strlen(a);
	int lb = strlen(b);

	for (int i = 0; i <= la; i++)
		for (int j = 0; j <= lb; j++)
		{
			if (i == 0 || j == 0)
			{
				rows[i][j] = i + j;
				continue;
			}
			rows[i][j] = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			rows[i][j] = Min(rows[i][j], Min(rows[i - 1][j], rows[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				rows[i][j] = Min(rows[i][j], rows[i - 2][j - 2] + 1);
		}
	return rows[la][lb];
}

/* Could this plain key be a typing error for the other key? */
static bool
is_typo_of(const char *plain, const char *key)
{
	char other[MAX_PLAIN_KEY + 1];

	int permitted;

	if (!plain_key(key, other) || strlen(other) <= 3)
		return false;
	permitted = strlen(other) > 7 ? 2 : 1;
	/* A short cut, as a model may have very many keys: a difference in length is a lower bound. */
	return abs((int) strlen(plain) - (int) strlen(other)) <= permitted &&
		   distance_between(plain, other) <= permitted;
}

/* Does the text begin with ssl or tls, in any case? */
static bool
is_tls_word(const char *text)
{
	return pg_strncasecmp(text, "ssl", 3) == 0 || pg_strncasecmp(text, "tls", 3) == 0;
}

/*
 * Does a word of the key begin with ssl or tls, or does the key end with it?  A
 * word begins after a character that is not a letter, or with a capital letter.
 */
static bool
speaks_of_tls(const char *key)
{
	size_t length = strlen(key);
	char before = ' ';

	if (length >= 3 && is_tls_word(key + length - 3))
		return true;
	for (; *key != '\0'; before = *key++)
		if ((!isalnum((unsigned char) before) ||
			 (islower((unsigned char) before) && isupper((unsigned char) *key))) &&
			is_tls_word(key))
			return true;
	return false;
}

/* ---- what a key means --------------------------------------------------------------------- */

/*
 * The meaning of a word that is a key of some section: in the section of this provider, it is
 * the key with the same use.
 */
static KeyMeaning
meaning_of(Provider provider, const SectionKey *key)
{
	KeyMeaning meaning = {.meant = key->key, .kind = key->kind};
	const SectionKey *own = section_key_find(provider, key->key, strlen(key->key));

	if (own != NULL || key->use == AS_NOTHING || key->use == AS_FOREIGN_SERVER)
		return meaning;
	own = section_key_used(provider, key->use);
	if (own != NULL)
		meaning.meant = own->key;
	else if (key->kind != KEY_PLAIN)
		meaning.reason = psprintf("connections of this provider type have no %s", key->key);
	return meaning;
}

/* The row of a key, in whichever section it may be. */
static const SectionKey *
any_section_key(const char *name)
{
	const SectionKey *key;

	for (int i = 0; (key = section_key_at(i)) != NULL; i++)
		if (strcmp(key->key, name) == 0)
			break;
	return key;
}

/* Keys of other providers' sections are found as well, unless mistyped. */
static bool
find_section_key(Provider provider, const char *plain,
				 bool (*is_like)(const char *plain, const char *key), KeyMeaning *meaning)
{
	const SectionKey *key;
	const SectionKey *found = NULL;

	for (int i = 0; (key = section_key_at(i)) != NULL; i++)
	{
		bool is_own = provider_is_in(provider, key->providers);

		if ((found == NULL ? is_own || is_like == is_plain_of
						   : is_own && !provider_is_in(provider, found->providers)) &&
			is_like(plain, key->key))
			found = key;
	}
	if (found != NULL)
		*meaning = meaning_of(provider, found);
	return found != NULL;
}

static bool
find_synonym(Provider provider, const char *plain, KeyMeaning *meaning)
{
	for (int i = 0; i < lengthof(synonyms); i++)
		if (strcmp(synonyms[i].written, plain) == 0)
		{
			*meaning = meaning_of(provider, any_section_key(synonyms[i].meant));
			if (synonyms[i].reason != NULL)
				meaning->reason = synonyms[i].reason;
			return true;
		}
	return false;
}

static bool
find_property(Provider provider, const char *plain,
			  bool (*is_like)(const char *plain, const char *key), KeyMeaning *meaning)
{
	const Property *property;

	for (int i = 0; (property = property_at(i)) != NULL; i++)
		if (provider_is_in(provider, property->providers) && is_like(plain, property->name))
		{
			*meaning = (KeyMeaning){.meant = psprintf("properties.%s", property->name),
									.kind = property->protects ? KEY_TLS : KEY_PLAIN};
			return true;
		}
	return false;
}

static bool
find_without_prefix(Provider provider, const char *plain, KeyMeaning *meaning)
{
	for (int i = 0; i < lengthof(prefixes); i++)
	{
		size_t length = strlen(prefixes[i]);

		if (strncmp(plain, prefixes[i], length) == 0 && plain[length] != '\0' &&
			(find_section_key(provider, plain + length, is_plain_of, meaning) ||
			 find_synonym(provider, plain + length, meaning)))
			return true;
	}
	return false;
}

/*
 * What an unknown key in the section of this provider probably means; meant is
 * NULL if no known key is similar.
 */
KeyMeaning
key_meaning(Provider provider, const char *key)
{
	KeyMeaning meaning = {0};
	char plain[MAX_PLAIN_KEY + 1];

	bool is_plain = plain_key(key, plain);

	if (is_plain && (find_section_key(provider, plain, is_plain_of, &meaning) ||
					 find_synonym(provider, plain, &meaning) ||
					 find_without_prefix(provider, plain, &meaning) ||
					 find_property(provider, plain, is_plain_of, &meaning)))
		return meaning;
	if (speaks_of_tls(key))
		return meaning_of(provider, any_section_key("sslmode"));
	if (is_plain)
		meaning.is_typo = find_section_key(provider, plain, is_typo_of, &meaning) ||
						  find_property(provider, plain, is_typo_of, &meaning);
	return meaning;
}

/*
 * What a key at the top level probably means there; meant is NULL if it is
 * known, or no known key is similar.
 */
KeyMeaning
key_meaning_at_top(const char *key)
{
	KeyMeaning meaning = {0};
	char plain[MAX_PLAIN_KEY + 1];

	if (!plain_key(key, plain))
		return meaning;
	for (int i = 0; i < lengthof(top_keys); i++)
		if (is_plain_of(plain, top_keys[i]))
			meaning.meant = top_keys[i];
	for (int i = 0; i < NUM_PROVIDERS; i++)
		if (is_plain_of(plain, provider_name(i)))
			meaning.meant = provider_name(i);
	for (int i = 0; i < lengthof(section_names); i++)
		if (strcmp(section_names[i].written, plain) == 0)
			meaning.meant = section_names[i].meant;
	if (meaning.meant != NULL && strcmp(meaning.meant, key) == 0)
		meaning.meant = NULL;
	return meaning;
}

/*
 * Does a key at the top level belong in the section of the provider?  Then
 * *meaning says as which key.
 */
bool
key_is_misplaced(Provider provider, const char *key, KeyMeaning *meaning)
{
	char plain[MAX_PLAIN_KEY + 1];

	if (!plain_key(key, plain))
		return false;
	if (find_section_key(provider, plain, is_plain_of, meaning))
		return true;
	*meaning = meaning_of(provider, any_section_key("sslmode"));
	return strcmp(plain, "ssl") == 0 || strcmp(plain, "tls") == 0 || strcmp(plain, "tlsmode") == 0;
}
