/*
 * libpq_wire.h
 *		The wire of servers that speak PostgreSQL's protocol: libpq.
 */
#ifndef DQDS_LIBPQ_WIRE_H
#define DQDS_LIBPQ_WIRE_H

#include "wire/wire.h"

extern const Wire libpq_wire;

#endif /* DQDS_LIBPQ_WIRE_H */
