/*
 * jwt.h
 *		Signs JSON web tokens.
 */
#ifndef DQDS_JWT_H
#define DQDS_JWT_H

#include <jansson.h>
#include <stdbool.h>

#include "text.h"

extern bool jwt_sign(Text *token, const char *key_id, const json_t *claims, const char *pem);
extern bool jwt_fingerprint(Text *fingerprint, const char *pem);

#endif /* DQDS_JWT_H */
