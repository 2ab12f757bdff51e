/*
 * compare.c
 *		Shows libFuzzer the operands of string comparisons, so that it can try them.
 *
 * In a program AddressSanitizer does this.  A server has loaded it long before
 * the module with libFuzzer, and it does not know the module.  So the linker
 * (--wrap) redirects the module's own comparisons to this file.
 */
#include <stddef.h>

#define CALLER __builtin_return_address(0)

extern int __real_strcmp(const char *a, const char *b);
extern int __real_strncmp(const char *a, const char *b, size_t n);
extern int __real_strcasecmp(const char *a, const char *b);
extern int __real_strncasecmp(const char *a, const char *b, size_t n);
extern int __real_memcmp(const void *a, const void *b, size_t n);
extern char *__real_strstr(const char *a, const char *b);

extern void __sanitizer_weak_hook_strcmp(void *caller, const char *a, const char *b, int result);
extern void __sanitizer_weak_hook_strncmp(void *caller, const char *a, const char *b, size_t n,
										  int result);
extern void __sanitizer_weak_hook_strcasecmp(void *caller, const char *a, const char *b,
											 int result);
extern void __sanitizer_weak_hook_strncasecmp(void *caller, const char *a, const char *b, size_t n,
											  int result);
extern void __sanitizer_weak_hook_memcmp(void *caller, const void *a, const void *b, size_t n,
										 int result);
extern void __sanitizer_weak_hook_strstr(void *caller, const char *a, const char *b,
										 const char *result);

extern int __wrap_strcmp(const char *a, const char *b);
extern int __wrap_strncmp(const char *a, const char *b, size_t n);
extern int __wrap_strcasecmp(const char *a, const char *b);
extern int __wrap_strncasecmp(const char *a, const char *b, size_t n);
extern int __wrap_memcmp(const void *a, const void *b, size_t n);
extern char *__wrap_strstr(const char *a, const char *b);

int
__wrap_strcmp(const char *a, const char *b)
{
	int result = __real_strcmp(a, b);

	__sanitizer_weak_hook_strcmp(CALLER, a, b, result);
	return result;
}

int
__wrap_strncmp(const char *a, const char *b, size_t n)
{
	int result = __real_strncmp(a, b, n);

	__sanitizer_weak_hook_strncmp(CALLER, a, b, n, result);
	return result;
}

int
__wrap_strcasecmp(const char *a, const char *b)
{
	int result = __real_strcasecmp(a, b);

	__sanitizer_weak_hook_strcasecmp(CALLER, a, b, result);
	return result;
}

int
__wrap_strncasecmp(const char *a, const char *b, size_t n)
{
	int result = __real_strncasecmp(a, b, n);

	__sanitizer_weak_hook_strncasecmp(CALLER, a, b, n, result);
	return result;
}

int
__wrap_memcmp(const void *a, const void *b, size_t n)
{
	int result = __real_memcmp(a, b, n);

	__sanitizer_weak_hook_memcmp(CALLER, a, b, n, result);
	return result;
}

char *
__wrap_strstr(const char *a, const char *b)
{
	char *result = __real_strstr(a, b);

	__sanitizer_weak_hook_strstr(CALLER, a, b, result);
	return result;
}
