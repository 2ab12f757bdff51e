/*
 * trino_columns.c
 *		Makes the rows of columns of what Trino and Presto tell of them.
 *
 * All that is known of a column's type is its text, such as decimal(12,2).  There are no keys.
 */
#include <stdio.h>
#include <string.h>

#include "trino.h"

/* The columns of the statement that trino_sql.c writes. */
typedef enum Told
{
	TOLD_TABLE,
	TOLD_PLACE,
	TOLD_NAME,
	TOLD_TYPE,
	TOLD_NULLABLE,
	TOLD_COMMENT,
	TOLD_DEFAULT,
	NUM_TOLD
} Told;

/* Types whose parameter is a length. */
static const char *const text_types[] = {"varchar(", "char("};

static const char *
told(const json_t *row, Told which)
{
	return json_string_value(json_array_get(row, which));
}

/* A copy of a text up to its first bracket, in room for it; the text itself if that is too small. */
static const char *
head_of(const char *text, char *room, size_t size)
{
	size_t length = strcspn(text, "(");

	if (length >= size)
		return text;
	snprintf(room, size, "%.*s", (int) length, text);
	return room;
}

/* The values of the type: its name, length, precision, scale; rooms is memory for four. */
static void
add_type(const char *type, const char **values, char rooms[4][32])
{
	int length;
	int precision;
	int scale;

	values[3] = type;
	for (size_t i = 0; i < sizeof(text_types) / sizeof(text_types[0]); i++)
		if (strncmp(type, text_types[i], strlen(text_types[i])) == 0 &&
			sscanf(type + strlen(text_types[i]), "%9d)", &length) == 1)
		{
			values[3] = head_of(type, rooms[0], sizeof(rooms[0]));
			snprintf(rooms[1], sizeof(rooms[1]), "%d", length);
			values[4] = rooms[1];
		}
	if (sscanf(type, "decimal(%9d,%9d)", &precision, &scale) == 2)
	{
		values[3] = "decimal";
		snprintf(rooms[2], sizeof(rooms[2]), "%d", precision);
		snprintf(rooms[3], sizeof(rooms[3]), "%d", scale);
		values[5] = rooms[2];
		values[6] = rooms[3];
	}
}

/* Hand on a row of the answer to a question about columns. */
bool
trino_column_row(Session *session, const json_t *row, Question question)
{
	bool details = question == QUESTION_COLUMN_DETAILS || question == QUESTION_COLUMN_DETAILS_OF;
	const char *values[MAX_ANSWER_COLUMNS] = {NULL};
	char rooms[4][32];
	char place[24];

	if (json_array_size(row) != NUM_TOLD || told(row, TOLD_TYPE) == NULL ||
		!json_is_integer(json_array_get(row, TOLD_PLACE)))
	{
		session_fault(session, FAULT_IS_KIND, 0, NULL, "a row of its answer has other values");
		return false;
	}
	snprintf(place, sizeof(place), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(json_array_get(row, TOLD_PLACE)));
	values[0] = told(row, TOLD_TABLE);
	values[1] = place;
	values[2] = told(row, TOLD_NAME);
	add_type(told(row, TOLD_TYPE), values, rooms);
	if (told(row, TOLD_NULLABLE) != NULL)
		values[7] = strcmp(told(row, TOLD_NULLABLE), "NO") == 0 ? "f" : "t";
	values[8] = "f";
	if (told(row, TOLD_COMMENT) != NULL && *told(row, TOLD_COMMENT) != '\0')
		values[9] = told(row, TOLD_COMMENT);
	if (details)
	{
		values[10] = told(row, TOLD_TYPE);
		values[13] = told(row, TOLD_DEFAULT);
	}
	return session_row(session, values, NULL, details ? COLUMN_DETAIL_VALUES : COLUMN_VALUES);
}
