/*
 * name_pattern.h
 *		Name patterns, as in the published interface.
 */
#ifndef DQDS_NAME_PATTERN_H
#define DQDS_NAME_PATTERN_H

extern bool is_name_pattern(const char *text);
extern bool name_fits_pattern(const char *name, const char *pattern);

#endif /* DQDS_NAME_PATTERN_H */
