/*
 * spelling.h
 *		Converts connection strings, other spellings of a connection model than JSON, into models.
 */
#ifndef DQDS_SPELLING_H
#define DQDS_SPELLING_H

#include "utils/jsonb.h"

#include "base/failure.h"

extern bool model_is_spelled(const char *text);
extern bool new_name_usable(const char *name, Failure *failure);
extern Jsonb *model_from_spelling(const char *text, Failure *failure);

#endif /* DQDS_SPELLING_H */
