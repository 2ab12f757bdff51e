/*
 * fake_wire.h
 *		A wire for tests: servers that exist in this process only.
 */
#ifndef DQDS_FAKE_WIRE_H
#define DQDS_FAKE_WIRE_H

#include "wire/wire.h"

extern const Wire fake_wire;

#endif /* DQDS_FAKE_WIRE_H */
