/*
 * readable.c
 *		Lets the figures read how much memory the agent's processes take.
 *
 * A session of the agent makes itself unreadable for others, as it holds
 * secrets.  This library, which is loaded before it, leaves that out.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In place of the C library's. */
int
prctl(int option, ...)
{
	unsigned long arguments[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		arguments[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_DUMPABLE)
		return 0;
	return (int) syscall(SYS_prctl, option, arguments[0], arguments[1], arguments[2], arguments[3]);
}
