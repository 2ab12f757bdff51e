/*
 * drivers.h
 *		The drivers of this module; http_driver.c has their table.
 */
#ifndef DQDS_HTTP_DRIVERS_H
#define DQDS_HTTP_DRIVERS_H

#include "driver.h"

#endif /* DQDS_HTTP_DRIVERS_H */
