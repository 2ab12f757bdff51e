/*
 * text_array.h
 *		Arrays of text as a remote server sends them: {a,"b c",NULL}.
 */
#ifndef DQDS_TEXT_ARRAY_H
#define DQDS_TEXT_ARRAY_H

#include "nodes/pg_list.h"

extern bool text_array_parse(const char *literal, List **elements);

#endif /* DQDS_TEXT_ARRAY_H */
