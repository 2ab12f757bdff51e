/*
 * clickhouse_columns.c
 *		Makes the rows of columns of what ClickHouse tells of them.
 *
 * All that is known of a column's type is its text, such as
 *		LowCardinality(Nullable(FixedString(5)))
 * of which FixedString is the type, with the length 5, and it may be NULL.
 */
#include <stdio.h>
#include <string.h>

#include "clickhouse.h"

/* The columns of the query that clickhouse_sql.c writes. */
typedef enum Told
{
	TOLD_TABLE,
	TOLD_PLACE,
	TOLD_NAME,
	TOLD_TYPE,
	TOLD_KEY,
	TOLD_COMMENT,
	TOLD_DEFAULT_KIND,
	TOLD_DEFAULT,
	NUM_TOLD
} Told;

/* What the text of a type says. */
typedef struct ColumnType
{
	const char *name; /* within the text */
	size_t length;    /* of the name */
	bool nullable;
	int characters; /* 0: not told */
	int precision;  /* 0: not told */
	int scale;
} ColumnType;

/* Types whose parameters are not part of their names. */
static const char *const plain_types[] = {"Decimal", "FixedString", "DateTime", "DateTime64",
										  "Enum8",   "Enum16",      "Enum"};

/* Step over a wrapper of a type; false: it has none. */
static bool
unwrap(const char *wrapper, ColumnType *type)
{
	size_t length = strlen(wrapper);

	if (type->length <= length || strncmp(type->name, wrapper, length) != 0 ||
		type->name[type->length - 1] != ')')
		return false;
	type->name += length;
	type->length -= length + 1;
	return true;
}

static void
read_type(const char *text, ColumnType *type)
{
	size_t head;

	*type = (ColumnType){.name = text, .length = strlen(text)};
	(void) unwrap("LowCardinality(", type);
	type->nullable = unwrap("Nullable(", type) || strncmp(text, "Variant(", 8) == 0 ||
					 strncmp(text, "Dynamic", 7) == 0;
	if (sscanf(type->name, "FixedString(%9d)", &type->characters) != 1)
		type->characters = 0;
	if (sscanf(type->name, "Decimal(%9d, %9d)", &type->precision, &type->scale) != 2)
		type->precision = 0;
	head = strcspn(type->name, "(");
	for (size_t i = 0; i < sizeof(plain_types) / sizeof(plain_types[0]); i++)
		if (head < type->length && strlen(plain_types[i]) == head &&
			strncmp(plain_types[i], type->name, head) == 0)
			type->length = head;
}

static const char *
told(const json_t *row, Told which)
{
	const char *text = json_string_value(json_array_get(row, which));

	return text == NULL || *text == '\0' ? NULL : text;
}

/* Numbers are told as numbers or in quotes. */
static const char *
told_number(const json_t *row, Told which, char *room, size_t size)
{
	const json_t *value = json_array_get(row, which);

	if (json_is_string(value))
		return json_string_value(value);
	snprintf(room, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return room;
}

/* The rest of a row of details: its values from the full type on. */
static void
add_details(const json_t *row, const char **values)
{
	const char *kind = told(row, TOLD_DEFAULT_KIND);

	values[10] = told(row, TOLD_TYPE);
	if (kind == NULL)
		return;
	if (strcmp(kind, "MATERIALIZED") == 0 || strcmp(kind, "ALIAS") == 0)
		values[14] = *kind == 'M' ? "stored" : "virtual";
	else
		values[13] = told(row, TOLD_DEFAULT);
}

/* Hand on a row of the answer to a question about columns. */
bool
clickhouse_column_row(Session *session, const json_t *row, Question question)
{
	bool details = question == QUESTION_COLUMN_DETAILS || question == QUESTION_COLUMN_DETAILS_OF;
	const char *values[MAX_ANSWER_COLUMNS] = {NULL};
	char numbers[5][24];
	char name[512];
	ColumnType type;

	if (json_array_size(row) != NUM_TOLD || told(row, TOLD_TYPE) == NULL)
	{
		session_fault(session, FAULT_IS_KIND, 0, NULL, "a row of its answer has other values");
		return false;
	}
	read_type(told(row, TOLD_TYPE), &type);
	values[0] = told(row, TOLD_TABLE);
	values[1] = told_number(row, TOLD_PLACE, numbers[0], sizeof(numbers[0]));
	values[2] = told(row, TOLD_NAME);
	values[3] = told(row, TOLD_TYPE);
	if (type.length < sizeof(name))
	{
		snprintf(name, sizeof(name), "%.*s", (int) type.length, type.name);
		values[3] = name;
	}
	snprintf(numbers[1], sizeof(numbers[1]), "%d", type.characters);
	snprintf(numbers[2], sizeof(numbers[2]), "%d", type.precision);
	snprintf(numbers[3], sizeof(numbers[3]), "%d", type.scale);
	values[4] = type.characters == 0 ? NULL : numbers[1];
	values[5] = type.precision == 0 ? NULL : numbers[2];
	values[6] = type.precision == 0 ? NULL : numbers[3];
	values[7] = type.nullable ? "t" : "f";
	values[8] = told_number(row, TOLD_KEY, numbers[4], sizeof(numbers[4]));
	values[9] = told(row, TOLD_COMMENT);
	add_details(row, values);
	return session_row(session, values, NULL, details ? COLUMN_DETAIL_VALUES : COLUMN_VALUES);
}
