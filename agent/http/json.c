/*
 * json.c
 *		What drivers read of JSON.
 *
 * The library checks it, and that its strings are UTF-8; it bounds how deep values are nested.
 */
#include <stdio.h>
#include <string.h>

#include "json.h"

#define NUMBER_BYTES 40

/*
 * The object or array that a document is; the caller's to free by json_decref().  NULL: it is
 * none, and session_fault was called.
 */
json_t *
json_read(Session *session, const char *bytes, size_t length)
{
	json_error_t error;
	json_t *value = json_loadb(bytes == NULL ? "" : bytes, length, JSON_ALLOW_NUL, &error);

	if (value != NULL)
		return value;
	if (json_error_code(&error) == json_error_out_of_memory)
		session_fault(session, FAULT_IS_BOUND, 0, NULL, "more memory than a session may take");
	else
		session_fault(session, FAULT_IS_KIND, 0, NULL, "its answer is no JSON: %s", error.text);
	return NULL;
}

/* The string under a key of an object; NULL: there is none. */
const char *
json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* The whole number under a key of an object; 0: there is none. */
long
json_number(const json_t *object, const char *key)
{
	return (long) json_integer_value(json_object_get(object, key));
}

/* A value as text; number is room for one.  NULL stays NULL, and so does what is no scalar. */
static const char *
value_text(const json_t *value, char *number, unsigned long *length)
{
	*length = 0;
	if (json_is_string(value))
	{
		*length = json_string_length(value);
		return json_string_value(value);
	}
	if (json_is_integer(value))
		*length =
			snprintf(number, NUMBER_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		*length = snprintf(number, NUMBER_BYTES, "%.0f", json_real_value(value));
	else if (json_is_boolean(value))
		*length = snprintf(number, NUMBER_BYTES, "%s", json_is_true(value) ? "t" : "f");
	if (*length >= NUMBER_BYTES)
		*length = 0;
	return *length == 0 ? NULL : number;
}

/*
 * Hand on an array as a row of so many values, which are scalars or null.  False: it is none,
 * or beyond a bound, and session_fault was called.
 */
bool
json_row(Session *session, const json_t *array, size_t nvalues)
{
	char numbers[MAX_ANSWER_COLUMNS][NUMBER_BYTES];
	const char *values[MAX_ANSWER_COLUMNS];
	unsigned long lengths[MAX_ANSWER_COLUMNS];

	if (!json_is_array(array) || json_array_size(array) != nvalues || nvalues > MAX_ANSWER_COLUMNS)
	{
		session_fault(session, FAULT_IS_KIND, 0, NULL, "a row of its answer has other values");
		return false;
	}
	for (size_t i = 0; i < nvalues; i++)
		values[i] = value_text(json_array_get(array, i), numbers[i], &lengths[i]);
	return session_row(session, values, lengths, (int) nvalues);
}
