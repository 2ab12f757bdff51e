/*
 * messages_postgres.c
 *		The form of a message of the PostgreSQL protocol.
 */
#include "messages.h"

#define HEADER 5 /* type and length, which counts itself */

/* As servers send them. */
static const MessageTemplate templates[] = {
	MESSAGE('R', "\0\0\0\0"),
	MESSAGE('R', "\0\0\0\3"),
	MESSAGE('R', "\0\0\0\5salt"),
	MESSAGE('R', "\0\0\0\12SCRAM-SHA-256\0\0"),
	MESSAGE('S', "server_encoding\0SQL_ASCII\0"),
	MESSAGE('S', "client_encoding\0LATIN1\0"),
	MESSAGE('S', "server_version\00015.0\0"),
	MESSAGE('S', "crdb_version\0v22\0"),
	MESSAGE('S', "in_hot_standby\0on\0"),
	MESSAGE('K', "\0\0\0\1\0\0\0\1"),
	MESSAGE('Z', "I"),
	MESSAGE('Z', "T"),
	MESSAGE('1', ""),
	MESSAGE('2', ""),
	MESSAGE('n', ""),
	MESSAGE('s', ""),
	MESSAGE('I', ""),
	MESSAGE('t', "\0\1\0\0\0\31"),
	MESSAGE('T', "\0\1a\0\0\0\0\0\0\0\0\0\0\31\377\377\377\377\377\377\0\0"),
	MESSAGE('D', "\0\1\0\0\0\1a"),
	MESSAGE('D', "\0\1\377\377\377\377"),
	MESSAGE('D', "\0\4\0\0\0\1a\0\0\0\5table\0\0\0\0015\377\377\377\377"),
	MESSAGE('C', "SELECT 1\0"),
	MESSAGE('E', "SFATAL\0C28P01\0Mwrong\0\0"),
	MESSAGE('E', "SERROR\0C22P05\0Mbad\0Wparameter $1\0\0"),
	MESSAGE('E', "SERROR\0C42501\0Mpermission denied for never-to-be-shown\0\0"),
	MESSAGE('N', "SNOTICE\0Mhello\0\0"),
	MESSAGE('A', "\0\0\0\1name\0\0"),
	MESSAGE('G', "\0\0\0"),
	MESSAGE('H', "\0\0\0"),
	MESSAGE('W', "\0\0\0"),
	MESSAGE('d', "abc\n"),
	MESSAGE('c', ""),
	MESSAGE('v', "\0\3\0\0\0\0\0\0"),
};

static size_t
read_number(const uint8_t *bytes)
{
	return (size_t) bytes[0] << 24 | (size_t) bytes[1] << 16 | (size_t) bytes[2] << 8 | bytes[3];
}

static void
write_number(uint8_t *bytes, size_t number)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t) (number >> (24 - 8 * i));
}

static bool
read_header(const uint8_t *header, size_t *length)
{
	size_t counted = read_number(header + 1);

	*length = counted - 4;
	return counted >= 4;
}

static void
write_length(uint8_t *header, size_t length)
{
	write_number(header + 1, length + 4);
}

const MessageForm postgres_messages = {.header = HEADER,
									   .row = 'D',
									   .read_header = read_header,
									   .write_length = write_length,
									   .read_number = read_number,
									   .write_number = write_number,
									   .templates = templates,
									   .ntemplates = sizeof(templates) / sizeof(templates[0])};
