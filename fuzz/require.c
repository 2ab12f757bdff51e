/*
 * require.c
 *		Reports that a condition of a fuzz target does not hold.
 */
#include "require.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int fuzz_report_descriptor = STDERR_FILENO;

void
fuzz_require(bool holds, const char *format, ...)
{
	va_list arguments;

	if (holds)
		return;
	va_start(arguments, format);
	dprintf(fuzz_report_descriptor, "\nERROR: an invariant does not hold: ");
	vdprintf(fuzz_report_descriptor, format, arguments);
	dprintf(fuzz_report_descriptor, "\n");
	va_end(arguments);
	abort();
}
