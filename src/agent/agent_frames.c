/*
 * agent_frames.c
 *		Frames on the socket of a session: sent and taken without waiting.
 *
 * The agent is not trusted: a frame that is longer than the protocol permits ends the link.
 * The memory is malloc's, because a thread frees that of a session that has been idle for
 * long.  A buffer that has held secrets is wiped when it has been sent.
 *
 * It must not know what frames mean, or raise errors.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "agent/agent_frames.h"
#include "agent/protocol.h"

#define RECEIVE_BYTES (64 * 1024) /* room that is made for what may come */

/* Make room for so many bytes behind the end. */
static bool
make_room(FrameBuffer *buffer, size_t length)
{
	size_t used = buffer->end - buffer->start;
	size_t size = Max(buffer->size, 1024);
	char *bytes;

	if (buffer->size - buffer->end >= length)
		return true;
	if (buffer->start > 0)
	{
		memmove(buffer->bytes, buffer->bytes + buffer->start, used);
		buffer->start = 0;
		buffer->end = used;
	}
	while (size - used < length)
		size *= 2;
	if (size == buffer->size)
		return true;
	/* Not realloc(): it would leave a copy behind. */
	bytes = malloc(size);
	if (bytes == NULL)
		return false;
	if (used > 0)
		memcpy(bytes, buffer->bytes, used);
	frame_free(buffer);
	*buffer = (FrameBuffer){.bytes = bytes, .size = size, .end = used};
	return true;
}

/* ---- sending ------------------------------------------------------------------------------- */

/*
 * Begin a frame in an empty buffer; the functions below add its payload.  All of them return
 * false when memory is out.
 */
bool
frame_begin(FrameBuffer *buffer, char type)
{
	FrameHead head = {.type = type};

	buffer->start = buffer->end = 0;
	if (!make_room(buffer, sizeof(head)))
		return false;
	memcpy(buffer->bytes, &head, sizeof(head));
	buffer->end = sizeof(head);
	return true;
}

bool
frame_add(FrameBuffer *buffer, const void *bytes, size_t length)
{
	FrameHead head;

	if (!make_room(buffer, length))
		return false;
	memcpy(buffer->bytes + buffer->end, bytes, length);
	buffer->end += length;
	memcpy(&head, buffer->bytes, sizeof(head));
	head.length += length;
	memcpy(buffer->bytes, &head, sizeof(head));
	return true;
}

/* A member; none without a value. */
bool
frame_add_member(FrameBuffer *buffer, const char *name, const char *value)
{
	return value == NULL || (frame_add(buffer, name, strlen(name) + 1) &&
							 frame_add(buffer, value, strlen(value) + 1));
}

/* A value as in a row; NULL is one. */
bool
frame_add_value(FrameBuffer *buffer, const char *value)
{
	uint32 length = value == NULL ? NO_VALUE : strlen(value);

	return frame_add(buffer, &length, sizeof(length)) &&
		   (value == NULL || frame_add(buffer, value, length + 1));
}

/* Send what is in the buffer as far as the socket takes it; TAKEN: it is empty, and wiped. */
FrameStatus
frame_send(FrameBuffer *buffer, int fd)
{
	while (buffer->start < buffer->end)
	{
		ssize_t sent = send(fd, buffer->bytes + buffer->start, buffer->end - buffer->start,
							MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? FRAME_NOT_YET : FRAME_NO_MORE;
		buffer->start += sent;
	}
	if (buffer->bytes != NULL)
		explicit_bzero(buffer->bytes, buffer->end);
	buffer->start = buffer->end = 0;
	return FRAME_TAKEN;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Read once from the socket; TAKEN: something has come. */
FrameStatus
frame_receive(FrameBuffer *buffer, int fd)
{
	ssize_t received;

	if (!make_room(buffer, RECEIVE_BYTES))
		return FRAME_BROKEN;
	do
		received = recv(fd, buffer->bytes + buffer->end, buffer->size - buffer->end, MSG_DONTWAIT);
	while (received < 0 && errno == EINTR);
	if (received < 0 && errno == EAGAIN)
		return FRAME_NOT_YET;
	if (received <= 0)
		return FRAME_NO_MORE;
	buffer->end += received;
	return FRAME_TAKEN;
}

/* Take the next whole frame out of what was received; it stays valid until frame_receive(). */
FrameStatus
frame_take(FrameBuffer *buffer, Frame *frame)
{
	size_t there = buffer->end - buffer->start;
	FrameHead head;

	if (there < sizeof(head))
		return FRAME_NOT_YET;
	memcpy(&head, buffer->bytes + buffer->start, sizeof(head));
	if (head.length > MAX_FRAME_BYTES)
		return FRAME_BROKEN;
	if (there - sizeof(head) < head.length)
		return FRAME_NOT_YET;
	frame->type = head.type;
	frame->payload = buffer->bytes + buffer->start + sizeof(head);
	frame->length = head.length;
	buffer->start += sizeof(head) + head.length;
	return FRAME_TAKEN;
}

/* Wipe and free; for any thread. */
void
frame_free(FrameBuffer *buffer)
{
	if (buffer->bytes != NULL)
		explicit_bzero(buffer->bytes, buffer->end);
	free(buffer->bytes);
	*buffer = (FrameBuffer){0};
}
