/*
 * address.c
 *		Network addresses as bytes, and the addresses that they lead to.
 *
 * An address has many spellings, and some addresses lead to another one: an
 * IPv4 address inside an IPv6 one, a gateway, the unspecified address.  Owns:
 * the forms that lead to another address.  It must not know which addresses are
 * permitted.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "base/address.h"

/* Is it an IPv4 address inside an IPv6 one, as in ::ffff:127.0.0.1? */
bool
address_is_mapped(const Address *address)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	return address->family == AF_INET6 && memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

/* Replace an IPv4-mapped, IPv4-compatible or NAT64 address by the IPv4 address that it reaches. */
void
address_unwrap(Address *address)
{
	static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};
	static const unsigned char compatible[12] = {0};
	bool is_compatible;

	if (address->family != AF_INET6)
		return;
	/* ::/128 and ::1 look like compatible addresses, but are not. */
	is_compatible = memcmp(address->bytes, compatible, 12) == 0 &&
					(address->bytes[12] | address->bytes[13] | address->bytes[14]) != 0;
	if (is_compatible || address_is_mapped(address) || memcmp(address->bytes, nat64, 12) == 0)
	{
		address->family = AF_INET;
		memmove(address->bytes, address->bytes + 12, 4);
	}
}

/* IPv6 prefixes that lead to an IPv4 address if the network has a gateway for them. */
static const struct
{
	unsigned char prefix[12];
	int prefix_bytes;
	int at;                 /* offset of the IPv4 address */
	unsigned char inverted; /* 0xff: with all its bits inverted */
} gateways[] = {
	{{0x20, 0x02}, 2, 2, 0},                          /* 6to4, RFC 3056 */
	{{0x20, 0x01}, 4, 12, 0xff},                      /* Teredo, RFC 4380: the client */
	{{0x20, 0x01}, 4, 4, 0},                          /* and its server */
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 6, 12, 0}, /* local NAT64, RFC 8215 */
	{{[8] = 0xff, [9] = 0xff}, 12, 12, 0},            /* SIIT, RFC 7915 */
};

/*
 * Is it 0.0.0.0 or ::, which connects to this machine?  Then *loopback is the
 * address that is reached.
 */
bool
address_is_unspecified(const Address *address, Address *loopback)
{
	static const unsigned char zeros[16] = {0};
	bool v4 = address->family == AF_INET;

	if (memcmp(address->bytes, zeros, v4 ? 4 : 16) != 0)
		return false;
	memset(loopback, 0, sizeof(*loopback));
	loopback->family = address->family;
	loopback->bytes[v4 ? 0 : 15] = v4 ? 127 : 1;
	if (v4)
		loopback->bytes[3] = 1;
	return true;
}

/* The number of ways that address_behind() knows. */
int
address_ways(void)
{
	return lengthof(gateways);
}

/*
 * The IPv4 address that an IPv6 address leads to by a way (from 0 to
 * address_ways() - 1).  Returns false if the address does not have the prefix
 * of that way.
 */
bool
address_behind(const Address *address, int way, Address *behind)
{
	if (address->family != AF_INET6 ||
		memcmp(address->bytes, gateways[way].prefix, gateways[way].prefix_bytes) != 0)
		return false;
	behind->family = AF_INET;
	for (int i = 0; i < 4; i++)
		behind->bytes[i] = address->bytes[gateways[way].at + i] ^ gateways[way].inverted;
	return true;
}

/* Parse an address in its usual spelling; returns false if the text is not one. */
bool
address_from_text(const char *text, Address *address)
{
	if (inet_pton(AF_INET, text, address->bytes) == 1)
		address->family = AF_INET;
	else if (inet_pton(AF_INET6, text, address->bytes) == 1)
		address->family = AF_INET6;
	else
		return false;
	return true;
}

/* Returns false if the address is neither IPv4 nor IPv6. */
bool
address_from_sockaddr(const struct sockaddr *sockaddr, Address *address)
{
	address->family = sockaddr->sa_family;
	if (sockaddr->sa_family == AF_INET)
		memcpy(address->bytes, &((const struct sockaddr_in *) sockaddr)->sin_addr, 4);
	else if (sockaddr->sa_family == AF_INET6)
		memcpy(address->bytes, &((const struct sockaddr_in6 *) sockaddr)->sin6_addr, 16);
	else
		return false;
	return true;
}

/* Is the host a literal address, in any spelling?  Never queries a name server. */
bool
address_is_literal(const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *found;

	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

/* How many bytes a sockaddr of either family has. */
socklen_t
address_length(const struct sockaddr *sockaddr)
{
	return sockaddr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
										  : sizeof(struct sockaddr_in6);
}

/* The literal address, with its scope, in buffer, which NI_MAXHOST bytes suffice for; NULL: there is none. */
const char *
address_text(const struct sockaddr *sockaddr, char *buffer, size_t size)
{
	if (getnameinfo(sockaddr, address_length(sockaddr), buffer, size, NULL, 0, NI_NUMERICHOST) != 0)
		return NULL;
	return buffer;
}
