/*
 * frames.c
 *		Frames on the session's socket, for a process that may wait.
 *
 * A writer that has failed does nothing any more: the reader notices that the backend is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"

/* ---- writing ---------------------------------------------------------------------------- */

/* Begin a frame; the functions below add its payload. */
void
writer_begin(FrameWriter *writer, char type)
{
	writer->used = sizeof(FrameHead);
	writer->type = type;
}

void
writer_add(FrameWriter *writer, const void *bytes, size_t length)
{
	if (writer->failed)
		return;
	if (writer->bytes == NULL || writer->size - writer->used < length)
	{
		size_t size = writer->size == 0 ? 4096 : writer->size;
		char *larger;

		while (size - writer->used < length)
			size *= 2;
		larger = realloc(writer->bytes, size);
		if (larger == NULL)
		{
			writer->failed = true;
			return;
		}
		writer->bytes = larger;
		writer->size = size;
	}
	memcpy(writer->bytes + writer->used, bytes, length);
	writer->used += length;
}

/* A NULL value adds nothing. */
void
writer_member(FrameWriter *writer, const char *name, const char *value)
{
	if (value == NULL)
		return;
	writer_add(writer, name, strlen(name) + 1);
	writer_add(writer, value, strlen(value) + 1);
}

void
writer_number(FrameWriter *writer, const char *name, long value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%ld", value);
	writer_member(writer, name, digits);
}

/* The bytes of payload so far. */
size_t
writer_payload(const FrameWriter *writer)
{
	return writer->used - sizeof(FrameHead);
}

/* Send the frame, and wait until the backend has room for it. */
void
writer_send(FrameWriter *writer)
{
	FrameHead head = {.length = writer_payload(writer), .type = writer->type};
	size_t sent = 0;

	/* A frame without payload has made no room yet. */
	writer_add(writer, "", 0);
	if (writer->failed)
		return;
	memcpy(writer->bytes, &head, sizeof(head));
	while (sent < writer->used)
	{
		ssize_t count = send(writer->fd, writer->bytes + sent, writer->used - sent, MSG_NOSIGNAL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
		{
			writer->failed = true;
			return;
		}
		sent += count;
	}
}

/* ---- reading ------------------------------------------------------------------------------ */

static bool
read_all(int fd, void *bytes, size_t length)
{
	char *at = bytes;

	while (length > 0)
	{
		ssize_t count = recv(fd, at, length, 0);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		at += count;
		length -= count;
	}
	return true;
}

/*
 * Wait for a frame, and read it.  Returns its payload, with a zero byte behind it, which is
 * the caller's to free; NULL: the backend is gone, or memory is out.
 */
char *
frame_read(int fd, char *type, size_t *length)
{
	FrameHead head;
	char *payload;

	if (!read_all(fd, &head, sizeof(head)) || head.length > MAX_INCOMING_BYTES)
		return NULL;
	payload = malloc(head.length + 1);
	if (payload == NULL || !read_all(fd, payload, head.length))
	{
		free(payload);
		return NULL;
	}
	payload[head.length] = '\0';
	*type = head.type;
	*length = head.length;
	return payload;
}
