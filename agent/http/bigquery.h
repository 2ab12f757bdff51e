/*
 * bigquery.h
 *		The inside of the driver for BigQuery.
 *
 * bigquery.c logs in; bigquery_list.c lists.
 */
#ifndef DQDS_BIGQUERY_H
#define DQDS_BIGQUERY_H

#include "cloud.h"

extern void bigquery_begin_path(Text *path, const CloudLink *link);
extern bool bigquery_check_project(Session *session, CloudLink *link);

#endif /* DQDS_BIGQUERY_H */
