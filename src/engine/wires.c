/*
 * wires.c
 *		Which wire reaches the servers of which provider.
 *
 * The only file of the engine that names a wire.
 */
#include "postgres.h"

#include "engine/wires.h"
#include "model/target.h"
#include "postgres/libpq_wire.h"
#include "wire/wire.h"

static const Wire *const wires[] = {
	[PROVIDER_POSTGRESQL] = &libpq_wire,
	[PROVIDER_REDSHIFT] = &libpq_wire,
	[PROVIDER_QUESTDB] = &libpq_wire,
};

/* The wire of a provider that works (model.c): static memory. */
const Wire *
wire_of(Provider provider)
{
	if ((int) provider >= lengthof(wires) || wires[provider] == NULL)
		elog(ERROR, "no wire for provider %d", (int) provider);
	return wires[provider];
}

/* Can servers of a provider be asked a question at all? */
bool
provider_can_answer(Provider provider, Question question)
{
	return wire_of(provider)->can_answer(provider, question);
}
