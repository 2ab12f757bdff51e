/*
 * session_cache.h
 *		Idle sessions of this backend, kept for reuse by the same role and target.
 */
#ifndef DQDS_SESSION_CACHE_H
#define DQDS_SESSION_CACHE_H

#include "engine/session.h"

typedef struct Target Target;

extern char *session_cache_key(const Target *target);
extern Session *session_cache_take(const Target *target, Oid role, const char *key, int64 now_us);
extern void session_cache_put(Session *session);
extern void session_cache_drop(Session *session);
extern int session_cache_count(void);
extern bool session_cache_drop_same(const Session *session);
extern void session_cache_drop_beside(const Session *session);
extern int session_cache_close_all(void);

#endif /* DQDS_SESSION_CACHE_H */
