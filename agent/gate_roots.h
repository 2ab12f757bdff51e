/*
 * gate_roots.h
 *		Certificates of authorities that are loaded once, for all sessions.
 */
#ifndef DQDS_GATE_ROOTS_H
#define DQDS_GATE_ROOTS_H

extern void gate_load_roots(const char *file);

#endif /* DQDS_GATE_ROOTS_H */
