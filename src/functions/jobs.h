/*
 * jobs.h
 *		The jobs that the bridge reports to its clients.
 */
#ifndef DQDS_JOBS_H
#define DQDS_JOBS_H

#include "lib/stringinfo.h"

typedef struct Caller Caller;

typedef enum JobType
{
	JOB_IMPORT_TABLES,
	JOB_DELETE_CONNECTION
} JobType;

extern void job_append(StringInfo text, const Caller *caller, JobType type,
					   const char *business_key);

#endif /* DQDS_JOBS_H */
