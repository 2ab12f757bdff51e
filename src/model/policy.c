/*
 * policy.c
 *		Decides which hosts may be connected to, and how long that may take.
 *
 * Owns: the meaning of dqds.allowed_hosts and dqds.denied_hosts.  It must not
 * connect.
 *
 * An entry of the host lists is a name pattern (with * for any characters), an
 * address, or a network in CIDR notation, each with an optional :port; an IPv6
 * address with a port is enclosed in brackets.  Deny wins.  Name patterns are
 * matched against the host as written, except that an address in any spelling
 * is matched only by * alone.  Addresses are matched against those that the
 * host resolves to, after unwrapping IPv4 inside IPv6, because ::ffff:127.0.0.1
 * is 127.0.0.1 to the kernel.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/address.h"
#include "base/caller.h"
#include "base/failure.h"
#include "base/remote_text.h"
#include "base/settings.h"
#include "model/policy.h"
#include "model/target.h"

/*
 * Limit the time that a registered connection may take to connect: a timeout
 * that its owner wrote into the model must not make another caller wait longer
 * than its own dqds.connect_timeout.  A member of the owner's role counts as
 * the owner, a superuser does not.
 */
void
policy_limit_timeout(const Caller *caller, Oid owner, Target *target)
{
	if (!is_member_of_role_nosuper(caller->role, owner))
		target->connect_timeout_ms = Min(target->connect_timeout_ms, dqds_connect_timeout_ms);
}

/* ---- host lists ---------------------------------------------------------- */

typedef struct HostRule
{
	bool is_network;
	char pattern[256]; /* for names, in lower case */
	Address network;
	int prefix_bits;
	int port; /* 0 for any */
} HostRule;

static bool
in_network(const Address *address, const HostRule *rule)
{
	int whole = rule->prefix_bits / 8;
	int rest = rule->prefix_bits % 8;

	if (address->family != rule->network.family ||
		memcmp(address->bytes, rule->network.bytes, whole) != 0)
		return false;
	return rest == 0 ||
		   (address->bytes[whole] >> (8 - rest)) == (rule->network.bytes[whole] >> (8 - rest));
}

/* Does the name match the pattern, in which * matches any characters?  Both are in lower case. */
static bool
name_matches(const char *pattern, const char *name)
{
	const char *star = NULL;
	const char *resume = NULL;

	while (*name != '\0')
	{
		if (*pattern == '*')
		{
			star = pattern++;
			resume = name;
		}
		else if (*pattern == *name)
		{
			pattern++;
			name++;
		}
		else if (star != NULL)
		{
			pattern = star + 1;
			name = ++resume;
		}
		else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
is_any(const char *pattern)
{
	return strspn(pattern, "*") == strlen(pattern);
}

/* Parse a number from 0 to max; returns false if anything follows it. */
static bool
small_number(const char *text, int max, int *number)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtol(text, &end, 10);
	if (*end != '\0' || value > max)
		return false;
	*number = (int) value;
	return true;
}

/* Remove ":port" from an entry, if it has one; returns false if the port is not valid. */
static bool
split_port(char *entry, int *port)
{
	char *colon = strrchr(entry, ':');
	char *bracket = strrchr(entry, ']');

	*port = 0;
	if (entry[0] == '[' && bracket != NULL)
	{
		colon = bracket[1] == ':' ? bracket + 1 : NULL;
		if (bracket[1] != '\0' && colon == NULL)
			return false;
		*bracket = '\0';
		memmove(entry, entry + 1, strlen(entry));
	}
	else if (colon == NULL || strchr(entry, ':') != colon)
		return true; /* no port, or a bare IPv6 address */
	if (colon == NULL)
		return true;
	if (!small_number(colon + 1, 65535, port) || *port == 0)
		return false;
	if (entry[0] != '\0' && *colon == ':')
		*colon = '\0';
	return true;
}

/*
 * Is the pattern meant as an address? 10.*, 010.0.0.1 and 0x7f.1 are not names,
 * and as patterns they would miss every other spelling.
 */
static bool
looks_like_address(const char *pattern)
{
	const char *dot = strrchr(pattern, '.');
	const char *last = dot == NULL ? pattern : dot + 1;

	if (strspn(last, "0123456789") == strlen(last) || strncasecmp(last, "0x", 2) == 0)
		return true;
	return strspn(pattern, "0123456789.*") == strlen(pattern) && strpbrk(pattern, "0123456789");
}

/* Parse one entry, which is modified; returns false if it is not valid. */
static bool
parse_rule(char *entry, HostRule *rule)
{
	char *slash;
	int bits;

	memset(rule, 0, sizeof(*rule));
	if (!split_port(entry, &rule->port) || entry[0] == '\0' ||
		strlen(entry) >= sizeof(rule->pattern))
		return false;

	slash = strchr(entry, '/');
	if (slash != NULL)
		*slash = '\0';
	if (address_from_text(entry, &rule->network))
	{
		bits = rule->network.family == AF_INET ? 32 : 128;
		rule->is_network = true;
		rule->prefix_bits = bits;
		if (slash != NULL && !small_number(slash + 1, bits, &rule->prefix_bits))
			return false;
		/* Addresses are unwrapped before they are compared, so ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
		if (rule->prefix_bits >= 96 && address_is_mapped(&rule->network))
		{
			address_unwrap(&rule->network);
			rule->prefix_bits -= 96;
		}
		return true;
	}
	if (slash != NULL || looks_like_address(entry))
		return false;
	for (int i = 0; entry[i] != '\0'; i++)
	{
		if (strchr(" []:@", entry[i]) != NULL)
			return false;
		rule->pattern[i] = pg_tolower((unsigned char) entry[i]);
	}
	return true;
}

/* The next entry of a comma-separated list, which is modified; NULL at its end. */
static char *
next_entry(char **list)
{
	char *entry = *list;
	char *comma;
	char *end;

	if (entry == NULL)
		return NULL;
	comma = strchr(entry, ',');
	if (comma != NULL)
		*comma = '\0';
	*list = comma == NULL ? NULL : comma + 1;

	while (isspace((unsigned char) *entry))
		entry++;
	end = entry + strlen(entry);
	while (end > entry && isspace((unsigned char) end[-1]))
		*--end = '\0';
	return entry;
}

/* The first invalid entry of a host list, palloc'd; NULL if the list is valid. */
char *
policy_bad_host(const char *list)
{
	char *rest = pstrdup(list);
	char *entry;
	HostRule rule;

	while ((entry = next_entry(&rest)) != NULL)
	{
		char *shown = pstrdup(entry);

		if (*entry != '\0' && !parse_rule(entry, &rule))
			return shown;
	}
	return NULL;
}

/* GUC check hook for both host lists. */
bool
policy_check_hosts(char **newval, void **extra, GucSource source)
{
	char *bad = policy_bad_host(*newval);

	(void) extra;
	(void) source;
	if (bad == NULL)
		return true;
	GUC_check_errdetail("\"%s\" is not a name pattern, an address or a network with an optional "
						"port.",
						visible_text(bad));
	return false;
}

/*
 * Does the list match the target?  If address is NULL, name patterns are
 * compared, else networks.  *has_networks is set to true if the list could
 * still match once the address is known.
 */
static bool
list_matches(const char *list, const Target *target, const Address *address, bool *has_networks)
{
	char *copy = pstrdup(list);
	char *rest = copy;
	char *name = pstrdup(target->host);
	size_t length;
	bool found = false;
	char *entry;
	HostRule rule;

	for (char *c = name; *c != '\0'; c++)
		*c = pg_tolower((unsigned char) *c);
	/* A trailing dot makes a name absolute, but does not change its meaning. */
	length = strlen(name);
	if (length > 1 && name[length - 1] == '.')
		name[length - 1] = '\0';

	while (!found && (entry = next_entry(&rest)) != NULL)
	{
		if (*entry == '\0' || !parse_rule(entry, &rule))
			continue;
		if (rule.port != 0 && rule.port != target->port)
			continue;
		if (!rule.is_network)
			found = is_any(rule.pattern) ||
					(name_matches(rule.pattern, name) && !address_is_literal(target->host));
		else if (address != NULL)
			found = in_network(address, &rule);
		else
			*has_networks = true;
	}
	pfree(name);
	pfree(copy);
	return found;
}

static bool
refuse(const Target *target, const char *list, Failure *failure)
{
	failure_set(failure, DQDS_TARGET_NOT_ALLOWED,
				psprintf("Ask a superuser to review the setting \"%s\" of this server.", list),
				"connections to \"%s\" port %s are not allowed", target->shown_host,
				target->shown_port);
	return false;
}

/* Every credential in use must allow the host; address is NULL while only the name is known. */
static bool
credentials_allow(const Target *target, const Address *address, Failure *failure)
{
	ListCell *cell;

	foreach (cell, target->secret_hosts)
	{
		bool networks = false;

		if (list_matches(lfirst(cell), target, address, &networks) || (address == NULL && networks))
			continue;
		failure_set(failure, DQDS_UNRESOLVED_SECRET,
					"Ask an admin to review the allowed hosts of the credential.",
					"a credential of this connection may not be used for \"%s\" port %s",
					target->shown_host, target->shown_port);
		return false;
	}
	return true;
}

/*
 * May the target be connected to, by its name as written, before that is
 * resolved?  If not, *failure says why.
 */
bool
policy_allows_name(const Target *target, Failure *failure)
{
	bool networks = false;

	if (dqds_lost_setting != NULL)
	{
		failure_set(
			failure, DQDS_TARGET_NOT_ALLOWED,
			"Only a superuser may set it, and only to a valid value; other roles must not set "
			"it in the connection string.",
			"the setting \"%s\" could not be applied in this session", dqds_lost_setting);
		return false;
	}
	/* Without a host there is nothing to connect to. */
	if (*target->host == '\0')
		return credentials_allow(target, NULL, failure);
	if (list_matches(dqds_denied_hosts, target, NULL, &networks))
		return refuse(target, "dqds.denied_hosts", failure);
	networks = false;
	if (!list_matches(dqds_allowed_hosts, target, NULL, &networks) && !networks)
		return refuse(target, "dqds.allowed_hosts", failure);
	return credentials_allow(target, NULL, failure);
}

/*
 * May the target be connected to at this address, to which a session connects
 * or is connected?  If not, *failure says why.
 */
bool
policy_allows_address(const Target *target, const struct sockaddr *sockaddr, Failure *failure)
{
	Address address;
	Address as_is;
	Address behind;
	bool networks = false;

	if (!address_from_sockaddr(sockaddr, &address))
		return refuse(target, "dqds.denied_hosts", failure);
	as_is = address;
	address_unwrap(&address);
	/*
	 * A rule for 64:ff9b::/96 matches the address as it is, a rule for
	 * 10.0.0.0/8 the address behind it.
	 */
	if (list_matches(dqds_denied_hosts, target, &address, &networks) ||
		(as_is.family != address.family &&
		 list_matches(dqds_denied_hosts, target, &as_is, &networks)))
		return refuse(target, "dqds.denied_hosts", failure);
	if (address_is_unspecified(&address, &behind) &&
		list_matches(dqds_denied_hosts, target, &behind, &networks))
		return refuse(target, "dqds.denied_hosts", failure);
	for (int way = 0; way < address_ways(); way++)
		if (address_behind(&as_is, way, &behind) &&
			list_matches(dqds_denied_hosts, target, &behind, &networks))
			return refuse(target, "dqds.denied_hosts", failure);
	if (!list_matches(dqds_allowed_hosts, target, &address, &networks))
		return refuse(target, "dqds.allowed_hosts", failure);
	return credentials_allow(target, &address, failure);
}
