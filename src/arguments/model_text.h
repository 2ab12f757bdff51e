/*
 * model_text.h
 *		Parses text into a model.
 */
#ifndef DQDS_MODEL_TEXT_H
#define DQDS_MODEL_TEXT_H

#include "utils/jsonb.h"

#include "base/failure.h"

extern Jsonb *json_parse(const char *json, const char *what);
extern Jsonb *model_parse(text *input, Failure *failure);
extern Jsonb *model_parse_any(text *input, Failure *failure);

#endif /* DQDS_MODEL_TEXT_H */
