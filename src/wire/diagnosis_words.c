/*
 * diagnosis_words.c
 *		What a diagnosis says of a remote in the words of its kind.
 *
 * Owns: these words, which are templates (failure_explain.c).  What it says of every remote
 * alike stands in diagnosis_steps.c.
 */
#include "postgres.h"

#include "model/provider.h"
#include "model/target.h"
#include "wire/diagnosis_words.h"
#include "wire/failure_explain.h"

/* clang-format off */
static const struct
{
	DiagnosisWords which;
	ProviderSet providers;
	const char *template;
} words[] = {
	{WORDS_PRIMARY, LIBPQ_PROVIDERS, "a primary"},
	{WORDS_STANDBY, LIBPQ_PROVIDERS, "a hot standby"},
	{WORDS_DIRECT, LIBPQ_PROVIDERS, "connected directly"},
	{WORDS_INDIRECT, LIBPQ_PROVIDERS, "behind a pooler or look-alike"},
	{WORDS_NOT_ENCRYPTED, LIBPQ_PROVIDERS,
	 "Turn on ssl at the server and set sslmode to verify-full, or at least to require."},
	{WORDS_NOT_ENCRYPTED, ALL_PROVIDERS,
	 "Turn on TLS at the server, and demand it in the connection."},
	{WORDS_NO_SCHEMAS, LIBPQ_PROVIDERS,
	 "On the remote server run: GRANT USAGE ON SCHEMA schema_name TO %Q;"},
	{WORDS_NO_SCHEMAS, ALL_PROVIDERS,
	 "Grant user \"%u\" the use of a schema on the remote server."},
	{WORDS_NO_TABLES, LIBPQ_PROVIDERS,
	 "On the remote server run: GRANT SELECT ON ALL TABLES IN SCHEMA schema_name TO %Q;"},
	{WORDS_NO_TABLES, ALL_PROVIDERS,
	 "Grant user \"%u\" the right to read tables on the remote server."},
};
/* clang-format on */

/* The words for the target's remote: palloc'd; NULL: there is nothing to be said of its kind. */
const char *
diagnosis_words(const Target *target, DiagnosisWords which)
{
	for (int i = 0; i < lengthof(words); i++)
		if (words[i].which == which && provider_is_in(target->provider, words[i].providers))
			return explain_text(words[i].template, target, NULL, NULL);
	return NULL;
}
