/*
 * agent_frames.h
 *		Frames on the socket of a session: sent and taken without waiting.
 */
#ifndef DQDS_AGENT_FRAMES_H
#define DQDS_AGENT_FRAMES_H

#include "agent/protocol.h"

/* Bytes that are being gathered, or wait to be sent; not PostgreSQL's memory. */
typedef struct FrameBuffer
{
	char *bytes;
	size_t size;
	size_t start; /* of what is still of use */
	size_t end;
} FrameBuffer;

typedef struct Frame
{
	char type;
	const char *payload; /* valid until the next call with its buffer */
	size_t length;
} Frame;

/* What has become of the socket. */
typedef enum FrameStatus
{
	FRAME_TAKEN,
	FRAME_NOT_YET, /* it has not come, or could not be sent, whole */
	FRAME_NO_MORE, /* the other end is closed */
	FRAME_BROKEN   /* what came is no frame, or memory is out */
} FrameStatus;

extern bool frame_begin(FrameBuffer *buffer, char type);
extern bool frame_add(FrameBuffer *buffer, const void *bytes, size_t length);
extern bool frame_add_member(FrameBuffer *buffer, const char *name, const char *value);
extern bool frame_add_value(FrameBuffer *buffer, const char *value);
extern FrameStatus frame_send(FrameBuffer *buffer, int fd);
extern FrameStatus frame_receive(FrameBuffer *buffer, int fd);
extern FrameStatus frame_take(FrameBuffer *buffer, Frame *frame);
extern void frame_free(FrameBuffer *buffer);

#endif /* DQDS_AGENT_FRAMES_H */
