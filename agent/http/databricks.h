/*
 * databricks.h
 *		The inside of the driver for Databricks.
 *
 * databricks.c logs in and runs a statement; databricks_list.c lists.
 */
#ifndef DQDS_DATABRICKS_H
#define DQDS_DATABRICKS_H

#include "cloud.h"

extern bool databricks_probe(Session *session, CloudLink *link);

#endif /* DQDS_DATABRICKS_H */
