/*
 * http_driver.c
 *		The drivers for servers that are asked over HTTP: their table.
 */
#include "drivers.h"
#include "http.h"

const Driver dqds_drivers[] = {{NULL}};
