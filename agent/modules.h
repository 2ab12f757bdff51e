/*
 * modules.h
 *		Finds the driver of a provider in the modules beside the program.
 */
#ifndef DQDS_MODULES_H
#define DQDS_MODULES_H

#include "driver.h"

extern const Driver *module_driver(const char *provider, const char **why);
extern void modules_list(void);

#endif /* DQDS_MODULES_H */
