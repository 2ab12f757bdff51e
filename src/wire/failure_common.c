/*
 * failure_common.c
 *		Failures that any remote can have, in the words of its kind.
 *
 * Owns: these texts.  It must not hold what only one kind of server can say: that stands in
 * the folder of its wire.
 */
#include "postgres.h"

#include "base/error_codes.h"
#include "base/failure.h"
#include "model/provider.h"
#include "model/target.h"
#include "wire/failure_common.h"
#include "wire/failure_explain.h"

/* clang-format off */
static const struct
{
	CommonFailure which;
	ProviderSet providers;
	Explanation explanation;
} texts[] = {
	{FAILED_NO_CAPACITY, ALL_PROVIDERS,
	 {DQDS_BUSY, "no capacity is left to connect to %h:%p", "Try again in a moment."}},
	{FAILED_RESOLVE, ALL_PROVIDERS,
	 {DQDS_HOST_NOT_FOUND, "host name \"%h\" could not be resolved: %s",
	  "Check the spelling of the host name, and that this server can resolve it."}},
	{FAILED_RESOLVE_IN_TIME, ALL_PROVIDERS,
	 {DQDS_HOST_NOT_FOUND, "host name \"%h\" could not be resolved within %t s",
	  "Check that the name servers of this server answer."}},
	{FAILED_CONNECT_IN_TIME, ALL_PROVIDERS,
	 {DQDS_UNREACHABLE, "no answer from %h:%p within %t s",
	  "Check host, port and the firewalls on the way."}},
	{FAILED_LOGIN_IN_TIME, LIBPQ_PROVIDERS,
	 {DQDS_SERVER_SILENT,
	  "the server at %h:%p accepted the connection but did not complete the login within %t s",
	  "Check that this is the port of the database, that the server is not overloaded, and that a "
	  "pooler in between reaches it."}},
	{FAILED_LOGIN_IN_TIME, ALL_PROVIDERS,
	 {DQDS_SERVER_SILENT,
	  "the server at %h:%p accepted the connection but did not complete the login within %t s",
	  "Check that this is the port of the database, and that the server is not overloaded."}},
	{FAILED_QUERY_IN_TIME, LIBPQ_PROVIDERS,
	 {DQDS_TIMEOUT, "the query at %h:%p did not finish within %t s and was cancelled",
	  "Look for locks on the catalog of the remote database, or raise dqds.query_timeout."}},
	{FAILED_QUERY_IN_TIME, ALL_PROVIDERS,
	 {DQDS_TIMEOUT, "the query at %h:%p did not finish within %t s and was cancelled",
	  "Check that the remote server is not overloaded, or raise dqds.query_timeout."}},
	{FAILED_PASSWORD_MISSING, ALL_PROVIDERS,
	 {DQDS_PASSWORD_REQUIRED, "the connection to %h:%p needs a password",
	  "Give the password of user \"%u\" in the connection."}},
	{FAILED_PASSWORD_UNUSED, LIBPQ_PROVIDERS,
	 {DQDS_PASSWORD_REQUIRED, "the server at %h:%p did not ask for the password of user \"%u\"",
	  "Make the server ask for a password (scram-sha-256 in its pg_hba.conf), or have a superuser "
	  "set password_required to false in a registered connection."}},
	{FAILED_PASSWORD_UNUSED, ODBC_PROVIDERS,
	 {DQDS_PASSWORD_REQUIRED,
	  "the driver does not tell whether the server at %h:%p has checked the password of user \"%u\"",
	  "Have a superuser set password_required to false in a registered connection."}},
	{FAILED_PASSWORD_UNUSED, ALL_PROVIDERS,
	 {DQDS_PASSWORD_REQUIRED, "the server at %h:%p did not ask for the password of user \"%u\"",
	  "Make the server ask for a password, or have a superuser set password_required to false in a "
	  "registered connection."}},
	{FAILED_CONNECTION_LOST, ALL_PROVIDERS,
	 {DQDS_CONNECTION_LOST, "the connection to %h:%p was lost",
	  "Try again; look at the log of the remote server if it happens repeatedly."}},
	{FAILED_ANSWER, ALL_PROVIDERS,
	 {DQDS_REMOTE_ERROR, "the server at %h:%p sent %s",
	  "Check that host and port are those of the database, and that provider_type says what it is."}},
};
/* clang-format on */

/* Note it in *failure.  own are words of our own, where the failure has any, or NULL. */
void
failure_common(const Target *target, CommonFailure which, const char *own, Failure *failure)
{
	for (int i = 0; i < lengthof(texts); i++)
		if (texts[i].which == which && provider_is_in(target->provider, texts[i].providers))
		{
			explain(&texts[i].explanation, target, NULL, own, failure);
			return;
		}
	elog(ERROR, "a failure without a text");
}

/* The same for one that is about a deadline, which came after so many microseconds. */
void
failure_in_time(const Target *target, CommonFailure which, int64 us, Failure *failure)
{
	char seconds[32];

	snprintf(seconds, sizeof(seconds), "%.1f", us / 1000000.0);
	failure_common(target, which, seconds, failure);
}
