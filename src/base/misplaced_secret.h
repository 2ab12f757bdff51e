/*
 * misplaced_secret.h
 *		Recognizes text, given where a name is expected, that may contain a password.
 */
#ifndef DQDS_MISPLACED_SECRET_H
#define DQDS_MISPLACED_SECRET_H

extern bool name_may_hold_secret(const char *name);

#endif /* DQDS_MISPLACED_SECRET_H */
