/*
 * secret.h
 *		Expands references to secrets in the values of a model, and hides secrets in texts.
 */
#ifndef DQDS_SECRET_H
#define DQDS_SECRET_H

#include "base/failure.h"

/* What is shown in place of a secret, and sent to keep one that is stored. */
#define DQDS_MASK "********"

typedef struct Target Target;

extern bool secret_resolve(Target *target, const char *path, char **value, Failure *failure);
extern size_t secret_literal_length(const char *value);
extern bool secret_uses_environment(const char *value);
extern bool secret_has_reference(const char *value);
extern char *secret_shown(char *value);
extern char *secret_hide(const Target *target, const char *text);

#endif /* DQDS_SECRET_H */
