/*
 * misplaced_secret.h
 *		Text that may be something else than a name, with a password in it.
 */
#ifndef DQDS_MISPLACED_SECRET_H
#define DQDS_MISPLACED_SECRET_H

extern bool name_may_hold_secret(const char *name);

#endif /* DQDS_MISPLACED_SECRET_H */
