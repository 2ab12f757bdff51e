/*
 * odbc_drivers.h
 *		The ODBC drivers that the setting dqds.odbc_drivers names.
 */
#ifndef DQDS_ODBC_DRIVERS_H
#define DQDS_ODBC_DRIVERS_H

#include "utils/guc.h"

#include "model/provider.h"

/* The driver of a provider. */
typedef struct OdbcDriver
{
	char *path;
	char *form; /* of its connection strings; NULL: that of the provider */
} OdbcDriver;

extern bool odbc_driver_find(Provider provider, OdbcDriver *driver);
extern char *odbc_drivers_bad(const char *list);
extern bool odbc_drivers_check(char **newval, void **extra, GucSource source);

#endif /* DQDS_ODBC_DRIVERS_H */
