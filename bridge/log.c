/*
 * log.c
 *		One line on standard error for each thing that happened.
 *
 * A log must never stop the service: a full disk or a reader that does not read
 * costs only lines, which are counted.  It must not contain a secret: a part
 * of a path that looks like a URL or a login is left out.
 */
#define _GNU_SOURCE /* strcasestr */
#include "log.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

#define MAX_LOGGED_PATH 512

static const char *const level_names[] = {"info", "warning", "error"};

static struct
{
	pthread_mutex_t lock;
	bool as_json;
	unsigned long dropped; /* lines lost since the last one that was written */
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER};

void
log_setup(bool as_json)
{
	logger.as_json = as_json;
}

static void
format_time(char *buffer, size_t size)
{
	struct timespec now;
	struct tm utc;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(buffer, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

/* Opens the line; what follows is text, or further members of the JSON object. */
static void
begin_line(Text *line, LogLevel level)
{
	char when[64];

	format_time(when, sizeof(when));
	if (logger.as_json)
		text_print(line, "{\"time\":\"%s\",\"level\":\"%s\"", when, level_names[level]);
	else
		text_print(line, "%s %s ", when, level_names[level]);
}

/* True when standard error takes a line without blocking. */
static bool
can_write(void)
{
	struct pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&standard_error, 1, 0) == 1 && (standard_error.revents & POLLOUT) != 0;
}

static bool
write_line(const char *data, size_t len)
{
	return can_write() && write(STDERR_FILENO, data, len) == (ssize_t) len;
}

static void
end_line(Text *line)
{
	if (logger.as_json)
		text_append(line, "}", 1);
	text_append(line, "\n", 1);

	pthread_mutex_lock(&logger.lock);
	if (logger.dropped > 0)
	{
		char note[96];
		int len =
			snprintf(note, sizeof(note),
					 logger.as_json ? "{\"level\":\"warning\",\"message\":\"%lu log lines lost\"}\n"
									: "warning %lu log lines lost\n",
					 logger.dropped);

		if (write_line(note, (size_t) len))
			logger.dropped = 0;
	}
	if (line->failed || logger.dropped > 0 || !write_line(line->data, line->len))
		logger.dropped++;
	pthread_mutex_unlock(&logger.lock);
	text_free(line);
}

static void
append_message(Text *line, const char *message)
{
	if (logger.as_json)
	{
		text_append(line, ",\"message\":", 11);
		text_append_json(line, message);
		return;
	}
	text_append_line(line, message);
}

void
log_event(LogLevel level, const char *format, ...)
{
	Text line = {0};
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);

	begin_line(&line, level);
	append_message(&line, message);
	end_line(&line);
}

/* Is this part of a path a URL, a model or a login with its password, given for a name by mistake? */
static bool
may_hold_password(const char *segment, size_t len)
{
	char text[MAX_LOGGED_PATH];
	const char *at;

	snprintf(text, sizeof(text), "%.*s", (int) len, segment);
	/* cut off within an escape, or no UTF-8 */
	if (!url_decode(text, false))
		return strpbrk(text, "@=") != NULL || strcasestr(text, "%40") != NULL;
	at = strrchr(text, '@');
	return text[0] == '{' || strstr(text, "://") != NULL || strcasestr(text, "password=") != NULL ||
		   strcasestr(text, "pwd=") != NULL ||
		   (at != NULL && memchr(text, ':', (size_t) (at - text)) != NULL);
}

/* Copies a path, with three dots in place of what must not be logged. */
static void
copy_path(char *to, const char *path)
{
	char whole[MAX_LOGGED_PATH];
	size_t used = 0;

	/* one may have 16 kB: enough of them would fill the disk */
	snprintf(whole, sizeof(whole), "%s", path);
	if (strpbrk(whole, "@=%") == NULL)
	{
		memcpy(to, whole, sizeof(whole));
		return;
	}
	to[0] = '\0';
	for (const char *segment = whole; *segment != '\0';)
	{
		size_t slashes = strspn(segment, "/");
		size_t len = strcspn(segment + slashes, "/");
		bool hidden = may_hold_password(segment + slashes, len);

		used +=
			(size_t) snprintf(to + used, MAX_LOGGED_PATH - used, "%.*s%.*s", (int) slashes, segment,
							  hidden ? 3 : (int) len, hidden ? "..." : segment + slashes);
		if (used >= MAX_LOGGED_PATH)
			return;
		segment += slashes + len;
	}
}

void
log_request(const LogRequest *request)
{
	Text line = {0};
	char path[MAX_LOGGED_PATH];

	copy_path(path, request->path);
	begin_line(&line, LOG_INFO);
	text_print(&line, logger.as_json ? ",\"method\":\"%s\",\"path\":" : "%s ", request->method);
	text_append_json(&line, path);
	text_print(&line,
			   logger.as_json ? ",\"status\":%d,\"ms\":%lld,\"bytes\":%llu,\"role\":"
							  : " %d %lldms %lluB role=",
			   request->status, (long long) request->ms, (unsigned long long) request->bytes);
	if (request->role == NULL)
		text_print(&line, logger.as_json ? "null" : "-");
	else
		text_append_json(&line, request->role);
	end_line(&line);
}
