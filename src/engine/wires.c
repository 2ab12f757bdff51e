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

static const Wire *const wires[] = {
	[PROVIDER_POSTGRESQL] = &libpq_wire, [PROVIDER_REDSHIFT] = &libpq_wire,
	[PROVIDER_QUESTDB] = &libpq_wire,    [PROVIDER_MARIADB] = &agent_wire,
	[PROVIDER_MYSQL] = &agent_wire,
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

/*
 * The supported providers whose servers can be asked a question, for a message: "a", "b" or
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
		if (provider_rules(provider)->works && provider_can_answer(provider, question))
			able = lappend_int(able, provider);
	foreach (cell, able)
		appendStringInfo(&names, "%s\"%s\"",
						 cell == list_head(able)     ? ""
						 : lnext(able, cell) == NULL ? " or "
													 : ", ",
						 provider_name(lfirst_int(cell)));
	return names.data;
}
