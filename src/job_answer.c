/*
 * job_answer.c
 *		The identity of a job, for clients that expect what they ask for to be queued.
 *
 * Nothing is queued here: by the time of the answer the job has been done.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "dqds.h"
#include "utils/timestamp.h"

/* Append {"jobId":…,"jobBusinessKey":…,"createdAt":…}; without a business key its member is left out. */
void
job_answer_append(StringInfo text, const char *business_key)
{
	int64 now_us =
		GetCurrentTimestamp() + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

	appendStringInfo(text, "{\"jobId\":%lld", (long long) now_us);
	json_out_string(text, "jobBusinessKey", business_key);
	appendStringInfo(text, ",\"createdAt\":%lld}", (long long) now_us / 1000);
}
