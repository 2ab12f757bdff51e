/*
 * messages_agent.c
 *		The form of a frame that the agent sends.
 */
#include "messages.h"

#include <string.h>

#include "agent/protocol.h"

/* As sessions of the agent send them. */
static const MessageTemplate templates[] = {
	MESSAGE(FRAME_HELLO, "protocol\0" AGENT_PROTOCOL "\0pid\0001\0"),
	MESSAGE(FRAME_HELLO, "protocol\0000\0"),
	MESSAGE(FRAME_STAGE, "stage\0c\0"),
	MESSAGE(FRAME_STAGE, "stage\0e\0tls\0TLSv1.3\0cipher\0x\0subject\0/CN=h\0expired\0001\0"),
	MESSAGE(FRAME_STAGE, "stage\0s\0"),
	MESSAGE(FRAME_READY, "version\00010.11\0password_used\0001\0"),
	MESSAGE(FRAME_READY, ""),
	MESSAGE(FRAME_ROWS, "\1\0\1\0\0\0001\0"),
	MESSAGE(FRAME_ROWS, "\1\0\1\0\0\0a\0\1\0\0\0b\0"),
	MESSAGE(FRAME_ROWS, "\1\0\377\377\377\377"),
	MESSAGE(FRAME_ROWS, "\4\0\1\0\0\0a\0\5\0\0\0table\0\1\0\0\0005\0\377\377\377\377"),
	MESSAGE(FRAME_ROWS, "\0\0"),
	MESSAGE(FRAME_ROWS, "\24\0"),
	MESSAGE(FRAME_ROWS, ""),
	MESSAGE(FRAME_DONE, ""),
	MESSAGE(FRAME_FAULT, "kind\0server\0number\0001045\0state\00028000\0text\0wrong\0"),
	MESSAGE(FRAME_FAULT, "kind\0server\0number\0001317\0keeps\0001\0"),
	MESSAGE(FRAME_FAULT, "kind\0server\0number\0001142\0text\0never-to-be-shown\0"),
	MESSAGE(FRAME_FAULT, "kind\0network\0number\000111\0"),
	MESSAGE(FRAME_FAULT, "kind\0certificate\0text\0host name mismatch\0"),
	MESSAGE(FRAME_FAULT, "kind\0wrong kind\0text\0x\ny\0"),
	MESSAGE(FRAME_FAULT, "kind\0lost\0"),
	MESSAGE(FRAME_FAULT, "kind\0\0"),
	MESSAGE(FRAME_FAULT, ""),
};

static size_t
read_number(const uint8_t *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

static void
write_number(uint8_t *bytes, size_t number)
{
	uint32_t written = (uint32_t) number;

	memcpy(bytes, &written, sizeof(written));
}

static bool
read_header(const uint8_t *header, size_t *length)
{
	*length = read_number(header);
	return true;
}

const MessageForm agent_messages = {.header = sizeof(FrameHead),
									.type_place = offsetof(FrameHead, type),
									.ended_by = 1,
									.row = FRAME_ROWS,
									.read_header = read_header,
									.write_length = write_number,
									.read_number = read_number,
									.write_number = write_number,
									.templates = templates,
									.ntemplates = sizeof(templates) / sizeof(templates[0])};
