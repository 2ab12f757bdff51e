/*
 * ubsan_log.c
 *		Sends UndefinedBehaviorSanitizer's reports to the files that DQDS_UBSAN_LOG names.
 *
 * There is an option for that, log_path, but where AddressSanitizer is in the
 * process as well, gcc's two libraries share the function behind it, and the
 * reports of the second one go to standard error, whatever the option says.  So
 * its own function is looked up and called.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "instrument.h"

static void __attribute__((constructor(PRIORITY_OF_LOG))) set_report_path(void)
{
	const char *path = getenv("DQDS_UBSAN_LOG");
	void *library = dlopen("libubsan.so.1", RTLD_NOLOAD | RTLD_LAZY);
	void (*set)(const char *path) = NULL;

	if (library != NULL)
		*(void **) &set = dlsym(library, "__sanitizer_set_report_path");
	if (set == NULL)
	{
		fprintf(stderr, "ubsan_log: cannot say where reports are to go: %s\n", dlerror());
		abort();
	}
	if (path != NULL)
		set(path);
}
