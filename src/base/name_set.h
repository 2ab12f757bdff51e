/*
 * name_set.h
 *		A set of names, searched once for each row of a listing.
 */
#ifndef DQDS_NAME_SET_H
#define DQDS_NAME_SET_H

typedef struct NameSet NameSet;

extern NameSet *name_set_make(void);
extern void name_set_add(NameSet *set, char *name);
extern bool name_set_has(NameSet *set, const char *name);
extern bool name_set_mark(NameSet *set, const char *name);
extern void name_set_visit_unmarked(NameSet *set, void (*visit)(void *argument, const char *name),
									void *argument);

#endif /* DQDS_NAME_SET_H */
