/*
 * log.h
 *		One line on standard error for each thing that happened.
 */
#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <stdbool.h>
#include <stdint.h>

typedef enum LogLevel
{
	LOG_INFO,
	LOG_WARNING,
	LOG_ERROR
} LogLevel;

/* One request, as its line shows it.  No query string, header, token or body belongs here. */
typedef struct LogRequest
{
	const char *method;
	const char *path; /* as sent: it is escaped here */
	const char *role; /* NULL: none */
	int status;
	uint64_t bytes;
	int64_t ms;
} LogRequest;

/* Chooses the form of lines; call it before any thread starts. */
void log_setup(bool as_json);

/* Writes one line, escaped as by text_append_line() or text_append_json(). */
void log_event(LogLevel level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_request(const LogRequest *request);

#endif /* BRIDGE_LOG_H */
