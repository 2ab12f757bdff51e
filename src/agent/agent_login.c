/*
 * agent_login.c
 *		What a driver is told to log in.
 *
 * Owns: which members of a target go into the frame, and what an sslmode of each provider
 * demands.  What a driver makes of the members is its own.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "agent/agent_login.h"
#include "agent/odbc_drivers.h"
#include "agent/protocol.h"
#include "base/encoding.h"
#include "base/settings.h"
#include "model/provider.h"
#include "model/target.h"

/* What the words of sslmodes demand. */
static const struct
{
	ProviderSet providers;
	const char *word;
	TlsDemand demand;
} demands[] = {
	{MYSQL_PROVIDERS, "DISABLED", TLS_NONE},
	{MYSQL_PROVIDERS, "PREFERRED", TLS_OFFERED},
	{MYSQL_PROVIDERS, "REQUIRED", TLS_ENCRYPTED},
	{MYSQL_PROVIDERS, "VERIFY_CA", TLS_KNOWN_CA},
	{MYSQL_PROVIDERS, "VERIFY_IDENTITY", TLS_VERIFIED},
	{ALL_PROVIDERS, "disable", TLS_NONE},
	{ALL_PROVIDERS, "require", TLS_ENCRYPTED},
	{ALL_PROVIDERS, "verify-ca", TLS_KNOWN_CA},
	{ALL_PROVIDERS, "verify-full", TLS_VERIFIED},
};

/* What is not known demands all. */
static TlsDemand
tls_demand(const Target *target)
{
	for (int i = 0; target->sslmode != NULL && i < lengthof(demands); i++)
		if (provider_is_in(target->provider, demands[i].providers) &&
			strcmp(demands[i].word, target->sslmode) == 0)
			return demands[i].demand;
	return TLS_VERIFIED;
}

/* Does a session for this target check the server's certificate? */
bool
agent_checks_certificates(const Target *target)
{
	return tls_demand(target) >= TLS_KNOWN_CA;
}

static bool
add_number(FrameBuffer *buffer, const char *name, int number)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", number);
	return frame_add_member(buffer, name, digits);
}

/* A member that is text of the model, which the agent takes in UTF-8. */
static bool
add_text(FrameBuffer *buffer, const char *name, const char *value)
{
	const char *bytes = value;

	if (value != NULL && !remote_encode(value, PG_UTF8, &bytes))
		bytes = value;
	return frame_add_member(buffer, name, bytes);
}

/* The settings by which files of this machine are read. */
static bool
add_file_settings(FrameBuffer *buffer, const Target *target)
{
	return target->provider != PROVIDER_DUCKDB ||
		   (frame_add_member(buffer, LOGIN_LIBRARY, dqds_duckdb_library) &&
			frame_add_member(buffer, LOGIN_ALLOWED, dqds_duckdb_directories));
}

/* The driver that the setting names, if the provider is reached through one. */
static bool
add_driver(FrameBuffer *buffer, const Target *target)
{
	OdbcDriver driver;

	if (!provider_is_in(target->provider, ODBC_PROVIDERS) ||
		!odbc_driver_find(target->provider, &driver))
		return true;
	return frame_add_member(buffer, LOGIN_DRIVER, driver.path) &&
		   frame_add_member(buffer, LOGIN_DRIVER_FORM, driver.form);
}

/*
 * Write the frame that begins a login into an empty buffer: at an address, which is text, or
 * at none, NULL, where the provider has no server.
 * False: memory is out.
 */
bool
agent_login(FrameBuffer *buffer, const Target *target, const char *address)
{
	bool done = frame_begin(buffer, FRAME_LOGIN) &&
				frame_add_member(buffer, LOGIN_PROVIDER, provider_name(target->provider)) &&
				add_text(buffer, LOGIN_HOST, target->host) &&
				frame_add_member(buffer, LOGIN_ADDRESS, address) &&
				add_number(buffer, LOGIN_PORT, target->port) &&
				add_text(buffer, LOGIN_DATABASE, target->database) &&
				add_text(buffer, LOGIN_USER, target->user) &&
				add_text(buffer, LOGIN_PASSWORD, target->password) &&
				add_number(buffer, LOGIN_TLS, tls_demand(target)) &&
				frame_add_member(buffer, LOGIN_ROOTS, dqds_ssl_root_certs) &&
				add_number(buffer, LOGIN_TIMEOUT_MS, target->connect_timeout_ms) &&
				frame_add_member(buffer, LOGIN_CLEARTEXT, target->allow_cleartext ? "1" : NULL) &&
				frame_add_member(buffer, LOGIN_PROVE, target->password_required ? "1" : NULL) &&
				add_file_settings(buffer, target) && add_driver(buffer, target);

	for (int i = 0; done && i < target->nparameters; i++)
		done = add_text(buffer, target->parameters[i].keyword, target->parameters[i].value);
	return done;
}
