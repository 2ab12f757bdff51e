/*
 * frames.h
 *		Frames on the session's socket, for a process that may wait.
 */
#ifndef DQDS_FRAMES_H
#define DQDS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/protocol.h"

/* Frames that are being written.  One thread at a time. */
typedef struct FrameWriter
{
	int fd;
	char type;
	char *bytes; /* the head, and then the payload */
	size_t used;
	size_t size;
	bool failed; /* memory is out, or the backend is gone */
} FrameWriter;

extern void writer_begin(FrameWriter *writer, char type);
extern void writer_add(FrameWriter *writer, const void *bytes, size_t length);
extern void writer_member(FrameWriter *writer, const char *name, const char *value);
extern void writer_number(FrameWriter *writer, const char *name, long value);
extern size_t writer_payload(const FrameWriter *writer);
extern void writer_send(FrameWriter *writer);
extern char *frame_read(int fd, char *type, size_t *length);

#endif /* DQDS_FRAMES_H */
