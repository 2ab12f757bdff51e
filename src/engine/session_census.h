/*
 * session_census.h
 *		How many sessions dqds has at each remote server, over all backends.
 */
#ifndef DQDS_SESSION_CENSUS_H
#define DQDS_SESSION_CENSUS_H

struct sockaddr;

/* What the census knows of one session; zeros are one that is not counted. */
typedef struct CensusEntry
{
	uint32 place;
	uint32 asked;
	bool counted;
} CensusEntry;

extern void census_arrive(CensusEntry *entry, const struct sockaddr *peer);
extern void census_enter(CensusEntry *entry);
extern void census_leave(CensusEntry *entry);
extern bool census_asked_back(const CensusEntry *entry);
extern bool census_same_place(const CensusEntry *a, const CensusEntry *b);
extern bool census_ask_back(const CensusEntry *entry);

#endif /* DQDS_SESSION_CENSUS_H */
