/*
 * agent_login.h
 *		What a driver is told to log in.
 */
#ifndef DQDS_AGENT_LOGIN_H
#define DQDS_AGENT_LOGIN_H

#include "agent/agent_frames.h"

typedef struct Target Target;

extern bool agent_checks_certificates(const Target *target);
extern bool agent_login(FrameBuffer *buffer, const Target *target, const char *address);

#endif /* DQDS_AGENT_LOGIN_H */
