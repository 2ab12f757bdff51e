/*
 * wires.h
 *		Which wire reaches the servers of which provider, and what they can be asked.
 */
#ifndef DQDS_WIRES_H
#define DQDS_WIRES_H

#include "model/provider.h"
#include "wire/question.h"
#include "wire/wire.h"

extern const Wire *wire_of(Provider provider);
extern bool provider_can_answer(Provider provider, Question question);
extern char *providers_that_answer(Question question);

#endif /* DQDS_WIRES_H */
