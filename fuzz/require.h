/*
 * require.h
 *		Reports that a condition of a fuzz target does not hold.
 */
#ifndef FUZZ_REQUIRE_H
#define FUZZ_REQUIRE_H

#include <stdbool.h>
#include <stddef.h>

/* If it does not hold, the input is a finding: libFuzzer keeps the input of a process that aborts. */
void fuzz_require(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The descriptor for reports; standard error, unless the target needs that for something else. */
extern int fuzz_report_descriptor;

/* AddressSanitizer's */
size_t __sanitizer_get_current_allocated_bytes(void);

#endif /* FUZZ_REQUIRE_H */
