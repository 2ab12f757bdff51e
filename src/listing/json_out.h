/*
 * json_out.h
 *		Writes a JSON document as a set of text rows.
 */
#ifndef DQDS_JSON_OUT_H
#define DQDS_JSON_OUT_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "listing/rows.h"

typedef struct JsonOut
{
	RowsOut rows;
	StringInfoData text; /* the piece that is being written */
} JsonOut;

extern void json_out_open(FunctionCallInfo fcinfo, JsonOut *out);
extern void json_out_flush(JsonOut *out);
extern void json_out_element(JsonOut *out);
extern void json_out_clear(JsonOut *out);
extern void json_out_close(JsonOut *out);
extern void json_out_name(StringInfo text, const char *name);
extern void json_out_string(StringInfo text, const char *name, const char *value);
extern void json_out_boolean(StringInfo text, const char *name, bool value);
extern void json_out_jsonb(StringInfo text, Jsonb *jsonb);
extern void json_out_text_array(StringInfo text, const char *name, const char *literal);

#endif /* DQDS_JSON_OUT_H */
