/*
 * options.c
 *		The options: one table, from which parsing, environment and help follow.
 *
 * It checks every value on its own.  What needs the network or the database is
 * checked where it is used.  No message may show the value of --control-db.
 */
#include "options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"

typedef enum OptionKind
{
	OPTION_TEXT,
	OPTION_NUMBER,
	OPTION_SWITCH,
	OPTION_LIST,
	OPTION_FORMAT,
	OPTION_TLS,
	OPTION_SHOW_VERSION,
	OPTION_SHOW_HELP
} OptionKind;

typedef struct OptionSpec
{
	const char *flag;
	const char *variable; /* NULL: only on the command line */
	const char *argument; /* NULL: takes none */
	OptionKind kind;
	size_t offset; /* into Options */
	const char *fallback;
	long low, high;
	const char *help;
} OptionSpec;

#define AT(field) offsetof(Options, field)

/* clang-format off */
static const OptionSpec option_table[] = {
	{"--listen", "DQDS_LISTEN", "ADDRESS:PORT", OPTION_TEXT, AT(listen), "127.0.0.1:8888", 0, 0,
	 "where to listen; port 0 takes a free one"},
	{"--control-db", "DQDS_CONTROL_DB", "CONNINFO", OPTION_TEXT, AT(control_db), NULL, 0, 0,
	 "the database with the extension dqds (required)"},
	{"--anonymous-role", "DQDS_ANONYMOUS_ROLE", "ROLE", OPTION_TEXT, AT(anonymous_role), NULL, 0, 0,
	 "the database role of requests without a token; without this option they are refused"},
	{"--host-name", "DQDS_HOST_NAME", "NAME[,NAME...]", OPTION_LIST, 0, NULL, 0, 0,
	 "further names that a Host or Origin header may have; may be repeated"},
	{"--threads", "DQDS_THREADS", "N", OPTION_NUMBER, AT(threads), "256", 2, 4096,
	 "number of requests that are served at the same time"},
	{"--pool-size", "DQDS_POOL_SIZE", "N", OPTION_NUMBER, AT(pool_size), "32", 1, 1024,
	 "number of connections to the control database, opened when needed"},
	{"--request-timeout", "DQDS_REQUEST_TIMEOUT", "SECONDS", OPTION_NUMBER, AT(request_timeout), "60", 1, 3600,
	 "time for a request as a whole"},
	{"--max-body", "DQDS_MAX_BODY", "BYTES", OPTION_NUMBER, AT(max_body), "1048576", 1, 268435456,
	 "largest request body"},
	{"--log-format", "DQDS_LOG_FORMAT", "text|json", OPTION_FORMAT, AT(log_json), "text", 0, 0,
	 "format of the lines on standard error"},
	{"--allow-superuser", "DQDS_ALLOW_SUPERUSER", NULL, OPTION_SWITCH, AT(allow_superuser), "no", 0, 0,
	 "let the login role of --control-db, or the anonymous role, be a superuser"},
	{"--allow-remote-anonymous", "DQDS_ALLOW_REMOTE_ANONYMOUS", NULL, OPTION_SWITCH,
	 AT(allow_remote_anonymous), "no", 0, 0,
	 "let --anonymous-role be used on an address that is not loopback"},
	{"--tls-certificate", "DQDS_TLS_CERTIFICATE", "FILE", OPTION_TLS, 0, NULL, 0, 0,
	 "not supported: TLS must end in a reverse proxy"},
	{"--tls-key", "DQDS_TLS_KEY", "FILE", OPTION_TLS, 0, NULL, 0, 0, "likewise"},
	{"--check", NULL, NULL, OPTION_SWITCH, AT(check), "no", 0, 0,
	 "check options and control database, then exit with status 0 or 1"},
	{"--version", NULL, NULL, OPTION_SHOW_VERSION, 0, NULL, 0, 0, "print the version"},
	{"--help", NULL, NULL, OPTION_SHOW_HELP, 0, NULL, 0, 0, "print this help"},
};
/* clang-format on */

#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

static void __attribute__((noreturn, format(printf, 1, 2))) give_up(const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);

	/* It must stay one line, whatever the user typed. */
	for (char *c = line; *c; c++)
		if (iscntrl((unsigned char) *c))
			*c = '?';
	fprintf(stderr, "dqds-bridge: %s\n", line);
	exit(2);
}

/*
 * Asking the library would not help: Debian 12's says that it has TLS, and then
 * does not start for want of libcrypto.so or, where libssl-dev brings OpenSSL 3
 * under that name, dies in the first handshake.
 */
static void __attribute__((noreturn)) refuse_tls(const char *what)
{
	give_up(
		"%.100s: the bridge serves plain HTTP only, because the CivetWeb of Debian is built for "
		"OpenSSL 1.1 and cannot serve TLS with OpenSSL 3; let TLS end in a proxy in front, see "
		"TLS in doc/security.md and packaging/nginx.conf",
		what);
}

static void __attribute__((noreturn)) show_help(void)
{
	printf("dqds-bridge serves the REST interface of the PostgreSQL extension dqds.\n\n"
		   "Usage: dqds-bridge --control-db CONNINFO [OPTION...]\n\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
	{
		const OptionSpec *spec = &option_table[i];
		bool show_default = spec->fallback != NULL && spec->argument != NULL;

		printf("  %s%s%s\n      %s", spec->flag, spec->argument ? " " : "",
			   spec->argument ? spec->argument : "", spec->help);
		if (show_default)
			printf(" (default %s)", spec->fallback);
		if (spec->variable)
			printf(" [%s]", spec->variable);
		printf("\n");
	}
	printf(
		"\nThe name in brackets is the environment variable for the same option; the command line "
		"wins.\n"
		"CONNINFO is a connection string or URI of libpq; it may name a service, and the password "
		"may\ncome from ~/.pgpass.  The bridge speaks plain HTTP: TLS ends in a reverse proxy.\n"
		"\nExample:\n  dqds-bridge --control-db 'host=127.0.0.1 dbname=dqds user=dqds_bridge' "
		"--anonymous-role web\n"
		"\nExit status: 0 after a signal to stop or a good --check, 1 after a bad --check, 2 for "
		"options\nthat cannot be used.\n");
	exit(0);
}

static void __attribute__((noreturn)) show_version(void)
{
	printf("dqds-bridge " DQDS_VERSION "\n");
	exit(0);
}

static int
read_number(const OptionSpec *spec, const char *value)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (!isdigit((unsigned char) value[0]) || *end != '\0' || errno != 0 || number < spec->low ||
		number > spec->high)
		give_up("%s must be a number from %ld to %ld, not \"%.40s\"", spec->flag, spec->low,
				spec->high, value);
	return (int) number;
}

static bool
read_switch(const OptionSpec *spec, const char *value)
{
	static const char *const yes[] = {"yes", "true", "on", "1"};
	static const char *const no[] = {"no", "false", "off", "0"};

	for (size_t i = 0; i < 4; i++)
	{
		if (strcasecmp(value, yes[i]) == 0)
			return true;
		if (strcasecmp(value, no[i]) == 0)
			return false;
	}
	give_up("%s must be yes or no, not \"%.40s\"", spec->variable, value);
}

static bool
read_format(const OptionSpec *spec, const char *value)
{
	if (strcmp(value, "json") != 0 && strcmp(value, "text") != 0)
		give_up("%s must be text or json, not \"%.40s\"", spec->flag, value);
	return strcmp(value, "json") == 0;
}

/* Adds the comma separated names in value to the list of host names. */
static void
read_host_names(Options *options, const OptionSpec *spec, const char *value)
{
	char *copy = strdup(value);
	char *rest = copy;

	for (char *name; copy != NULL && (name = strsep(&rest, ",")) != NULL;)
	{
		while (*name == ' ')
			name++;
		if (*name == '\0' || strpbrk(name, ":/ []") != NULL)
			give_up("%s must be a name without a port, not \"%.100s\"", spec->flag, name);
		if (options->host_name_count == MAX_HOST_NAMES)
			give_up("%s takes at most %d names", spec->flag, MAX_HOST_NAMES);
		options->host_names[options->host_name_count++] = name;
	}
	/* copy stays: the names point into it */
}

static void
take_value(Options *options, const OptionSpec *spec, const char *value)
{
	char *field = (char *) options + spec->offset;

	switch (spec->kind)
	{
		case OPTION_TEXT:
			if (*value == '\0')
				give_up("%s must not be empty", spec->flag);
			*(const char **) field = value;
			break;
		case OPTION_NUMBER:
			*(int *) field = read_number(spec, value);
			break;
		case OPTION_SWITCH:
			*(bool *) field = read_switch(spec, value);
			break;
		case OPTION_FORMAT:
			*(bool *) field = read_format(spec, value);
			break;
		case OPTION_LIST:
			read_host_names(options, spec, value);
			break;
		case OPTION_TLS:
			refuse_tls(spec->flag);
		case OPTION_SHOW_VERSION:
			show_version();
		case OPTION_SHOW_HELP:
			show_help();
	}
}

/*
 * Overwrites the secret where ps or /proc would show it, and returns a copy.
 * There is one secret: a later value takes the place of an earlier one.
 */
static char *
hide_secret(char *value)
{
	static char *copy = NULL;

	if (copy != NULL)
	{
		explicit_bzero(copy, strlen(copy));
		free(copy);
	}
	copy = strdup(value);
	if (copy == NULL)
		give_up("out of memory");
	memset(value, 'x', strlen(value));
	return copy;
}

static void
take_environment(Options *options)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
	{
		const OptionSpec *spec = &option_table[i];
		char *value = spec->variable ? getenv(spec->variable) : NULL;

		if (value == NULL || *value == '\0')
			continue;
		if (spec->offset == AT(control_db) && spec->kind == OPTION_TEXT)
			value = hide_secret(value);
		take_value(options, spec, value);
	}
}

static const OptionSpec *
find_option(const char *argument, size_t flag_len)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strlen(option_table[i].flag) == flag_len &&
			strncmp(option_table[i].flag, argument, flag_len) == 0)
			return &option_table[i];
	if (strncmp(argument, "--tls", 5) == 0 || strncmp(argument, "--ssl", 5) == 0 ||
		strncmp(argument, "--https", 7) == 0)
		refuse_tls("TLS");
	/* what is not an option may be a part of a connection string that lost its quotes */
	if (strncmp(argument, "--", 2) != 0)
		give_up("an argument is not an option; dqds-bridge --help lists them");
	give_up("unknown option \"%.*s\"; dqds-bridge --help lists them",
			flag_len < 60 ? (int) flag_len : 60, argument);
}

static void
take_command_line(Options *options, int argc, char **argv)
{
	bool hosts_given = false;

	for (int i = 1; i < argc; i++)
	{
		const OptionSpec *spec = find_option(argv[i], strcspn(argv[i], "="));
		char *value = strchr(argv[i], '=');

		if (value != NULL)
			value++;
		if (spec->argument == NULL && value != NULL)
			give_up("%s takes no value", spec->flag);
		if (spec->argument != NULL && value == NULL)
		{
			if (i + 1 == argc)
				give_up("%s needs a value: %s", spec->flag, spec->argument);
			value = argv[++i];
		}
		if (spec->kind == OPTION_LIST && !hosts_given)
		{
			/* the command line wins over the environment, then names add up */
			options->host_name_count = 0;
			hosts_given = true;
		}
		if (spec->offset == AT(control_db) && spec->kind == OPTION_TEXT)
			value = hide_secret(value);
		if (value == NULL)
			value = (char *) "yes";
		take_value(options, spec, value);
	}
}

/* As a URL, or with the letter that makes CivetWeb serve TLS on a port. */
static bool
asks_for_tls(const char *listen)
{
	size_t len = strlen(listen);

	return strncasecmp(listen, "https:", 6) == 0 ||
		   (len > 1 && listen[len - 1] == 's' && isdigit((unsigned char) listen[len - 2]));
}

/* Splits --listen and writes the canonical form for CivetWeb. */
static void
check_listen(Options *options)
{
	const char *listen = options->listen;
	const char *colon = strrchr(listen, ':');
	char host[64] = "";
	size_t host_len = colon ? (size_t) (colon - listen) : 0;
	static const OptionSpec port_spec = {.flag = "the port of --listen", .low = 0, .high = 65535};
	unsigned char address[16];
	int port;

	if (asks_for_tls(listen))
		refuse_tls("--listen with TLS");
	if (colon == NULL || host_len == 0 || host_len >= sizeof(host) || strlen(colon) > 6)
		give_up("--listen must be ADDRESS:PORT, not \"%.100s\"", listen);
	memcpy(host, listen, host_len);
	port = read_number(&port_spec, colon + 1);

	if (strcasecmp(host, "localhost") == 0)
		strcpy(host, "127.0.0.1");
	if (host[0] == '[' && host[host_len - 1] == ']')
	{
		memmove(host, host + 1, host_len);
		host[host_len - 2] = '\0';
		if (inet_pton(AF_INET6, host, address) != 1)
			give_up("--listen has no IPv6 address in its brackets: \"%.100s\"", listen);
		snprintf(options->listen_address, sizeof(options->listen_address), "[%s]:%d", host, port);
	}
	else
	{
		if (inet_pton(AF_INET, host, address) != 1)
			give_up("--listen must name an address or localhost, not \"%.100s\"", listen);
		snprintf(options->listen_address, sizeof(options->listen_address), "%s:%d", host, port);
	}
	options->is_loopback = address_is_loopback(host);
}

/* An address that others can reach needs a second option before it serves requests without a token. */
static void
check_remote(const Options *options)
{
	if (options->is_loopback)
		return;
	if (options->anonymous_role != NULL && !options->allow_remote_anonymous)
		give_up(
			"--listen %.100s is refused: with --anonymous-role, requests without a token would be "
			"served to everyone that reaches this address; add --allow-remote-anonymous if this is "
			"intended",
			options->listen);
	if (options->allow_superuser)
		give_up("--allow-superuser is for loopback addresses only, not for --listen %.100s",
				options->listen);
}

#define MAX_ROLE_BYTES 63

/*
 * "none" would not be a role but the end of one: set_config('role', 'none')
 * falls back to the login role of the bridge.  PostgreSQL would cut a name that is
 * too long, and take the role of that name.
 */
static void
check_anonymous_role(const Options *options)
{
	if (options->anonymous_role != NULL && strcmp(options->anonymous_role, "none") == 0)
		give_up("--anonymous-role none is not a role");
	if (options->anonymous_role != NULL && strlen(options->anonymous_role) > MAX_ROLE_BYTES)
		give_up("--anonymous-role has more than %d bytes", MAX_ROLE_BYTES);
}

/* libpq's own message would quote the password, so it is not shown. */
static void
check_control_db(const Options *options)
{
	PQconninfoOption *parsed;

	if (options->control_db == NULL)
		give_up("--control-db (or DQDS_CONTROL_DB) is required");
	parsed = PQconninfoParse(options->control_db, NULL);
	if (parsed == NULL)
		give_up("--control-db is not a connection string; an example: \"host=/run/postgresql "
				"dbname=dqds user=dqds_bridge\"");
	PQconninfoFree(parsed);
}

void
options_read(Options *options, int argc, char **argv)
{
	*options = (Options){0};
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].fallback != NULL)
			take_value(options, &option_table[i], option_table[i].fallback);
	take_environment(options);
	take_command_line(options, argc, argv);
	check_listen(options);
	check_remote(options);
	check_anonymous_role(options);
	check_control_db(options);
}
