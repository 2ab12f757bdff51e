/*
 * wires.h
 *		Which wire reaches the servers of which provider.
 */
#ifndef DQDS_WIRES_H
#define DQDS_WIRES_H

#include "wire/wire.h"

extern const Wire *wire_of(Provider provider);
extern bool provider_can_answer(Provider provider, Question question);

#endif /* DQDS_WIRES_H */
