/*
 * agent_wire.h
 *		The wire of servers that are reached by a driver of the agent.
 */
#ifndef DQDS_AGENT_WIRE_H
#define DQDS_AGENT_WIRE_H

#include "wire/wire.h"

extern const Wire agent_wire;

#endif /* DQDS_AGENT_WIRE_H */
