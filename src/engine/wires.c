/*
 * wires.c
 *		Which wire reaches the servers of which provider, and what they can be asked.
 *
 * The only file of the engine that names a wire.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "agent/agent_wire.h"
#include "engine/wires.h"
#include "model/target.h"
#include "postgres/libpq_wire.h"
#include "wire/wire.h"

static const struct
{
	ProviderSet providers;
	const Wire *wire;
} wires[] = {
	{LIBPQ_PROVIDERS, &libpq_wire},
	{ALL_PROVIDERS, &agent_wire},
};

/* The wire of a provider: the first of the table; static memory. */
const Wire *
wire_of(Provider provider)
{
	int i = 0;

	while (!provider_is_in(provider, wires[i].providers))
		i++;
	return wires[i].wire;
}

/* Can servers of a provider be asked a question at all? */
bool
provider_can_answer(Provider provider, Question question)
{
	return wire_of(provider)->can_answer(provider, question);
}

/*
 * The providers whose servers can be asked a question, for a message: "a", "b" or
 * "c", each in double quotes; palloc'd.
 */
char *
providers_that_answer(Question question)
{
	StringInfoData names;
	List *able = NIL;
	ListCell *cell;

	initStringInfo(&names);
	for (Provider provider = 0; provider < NUM_PROVIDERS; provider++)
		if (provider_can_answer(provider, question))
			able = lappend_int(able, provider);
	foreach (cell, able)
		appendStringInfo(&names, "%s\"%s\"",
						 cell == list_head(able)     ? ""
						 : lnext(able, cell) == NULL ? " or "
													 : ", ",
						 provider_name(lfirst_int(cell)));
	return names.data;
}
