/*
 * extension_schema.h
 *		The schema that the extension was created in.
 */
#ifndef DQDS_EXTENSION_SCHEMA_H
#define DQDS_EXTENSION_SCHEMA_H

#include "access/htup.h"

extern Oid extension_schema(HeapTuple function);

#endif /* DQDS_EXTENSION_SCHEMA_H */
