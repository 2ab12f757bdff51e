/*
 * options.h
 *		The options from the command line and the environment.
 */
#ifndef BRIDGE_OPTIONS_H
#define BRIDGE_OPTIONS_H

#include "configuration.h"

/*
 * Reads command line and environment (the command line wins) into options.
 * Wipes passwords from both.  Prints one line and exits with status 2 when
 * something is wrong, and exits with status 0 after --help and --version.
 */
void options_read(Options *options, int argc, char **argv);

#endif /* BRIDGE_OPTIONS_H */
