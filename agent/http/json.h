/*
 * json.h
 *		What drivers read of JSON.
 */
#ifndef DQDS_JSON_H
#define DQDS_JSON_H

#include <jansson.h>

#include "driver.h"
#include "text.h"

extern json_t *json_read(Session *session, const char *bytes, size_t length);
extern const char *json_text(const json_t *object, const char *key);
extern long json_number(const json_t *object, const char *key);
extern bool json_row(Session *session, const json_t *array, size_t nvalues);

#endif /* DQDS_JSON_H */
