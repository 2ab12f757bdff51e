/*
 * instrument.h
 *		What the files of this directory agree on.
 *
 * They are linked into instrumented builds of the extension and the bridge only, and do their work when these are loaded:
 * first what makes faults visible, then the fault that is asked for.
 */
#ifndef DQDS_INSTRUMENT_H
#define DQDS_INSTRUMENT_H

#define PRIORITY_OF_PALLOC 201
#define PRIORITY_OF_LOG    202
#define PRIORITY_OF_CANARY 203

#endif
