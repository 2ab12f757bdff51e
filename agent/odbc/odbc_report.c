/*
 * odbc_report.c
 *		What the diagnostic records of ODBC say.
 *
 * A failed call leaves several records, of the server, the driver, and the driver manager.
 * Reported is the one that tells most: the first with a number of the server's, or else the
 * first that is an error.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "gate.h"
#include "gate_gnutls.h"
#include "odbc_link.h"

#define MAX_RECORDS 8
#define MAX_TEXT    1000
#define FREETDS_NUMBERS                                                                            \
	20000 /* of messages of its own; SQL Server's that large are not about logins */

typedef struct Record
{
	char state[6];
	SQLINTEGER number;
	Text text;
} Record;

static bool
read_record(SQLSMALLINT type, SQLHANDLE handle, SQLSMALLINT which, Record *record)
{
	SQLWCHAR state[6] = {0};
	SQLWCHAR text[MAX_TEXT];
	SQLSMALLINT length = 0;

	if (!SQL_SUCCEEDED(
			SQLGetDiagRecW(type, handle, which, state, &record->number, text, MAX_TEXT, &length)))
		return false;
	for (int i = 0; i < 5; i++)
		record->state[i] = state[i] > 0 && state[i] < 128 ? (char) state[i] : '?';
	record->state[5] = '\0';
	if (length < 0 || length > MAX_TEXT - 1)
		length = MAX_TEXT - 1;
	text_clear(&record->text);
	text_add(&record->text, "");
	text_add_wide(&record->text, text, length);
	return true;
}

/* Is the record one of the server's, rather than of a piece of software on the way? */
static bool
is_of_server(const Record *record)
{
	return record->number > 0 && record->number / 1000 != FREETDS_NUMBERS / 1000 &&
		   strncmp(record->state, "01", 2) != 0;
}

/* Read the record that tells most; false: there is none. */
static bool
read_best(SQLSMALLINT type, SQLHANDLE handle, Record *best)
{
	Record record = {{0}};
	bool found = false;

	for (SQLSMALLINT i = 1; i <= MAX_RECORDS && read_record(type, handle, i, &record); i++)
	{
		bool better = !found || (!is_of_server(best) && is_of_server(&record)) ||
					  (strncmp(best->state, "01", 2) == 0 && strncmp(record.state, "01", 2) != 0);

		if (better)
		{
			text_free(&best->text);
			*best = record;
			record = (Record){{0}};
			found = true;
		}
	}
	text_free(&record.text);
	return found;
}

/* The text behind the names of software in brackets with which it begins. */
static const char *
without_names(const char *text)
{
	const char *end;

	while (*text == '[' && (end = strchr(text, ']')) != NULL)
		text = end + 1;
	while (isspace((unsigned char) *text))
		text++;
	return text;
}

/* Report a certificate that FreeTDS did not accept, if that is why a login has failed, which it does not say. */
static bool
report_certificate(Session *session, const Record *record)
{
	bool named = session_login_number(session, LOGIN_TLS) == TLS_VERIFIED;

	if (is_of_server(record) || gate_gnutls_verdict() == GNUTLS_NOT_ASKED ||
		strstr(record->text.bytes, "Unable to connect") == NULL)
		return false;
	if (gate_gnutls_verdict() == GNUTLS_TRUSTED && !named)
		return false;
	session_fault(session, FAULT_IS_CERTIFICATE, 0, NULL,
				  gate_gnutls_verdict() == GNUTLS_TRUSTED
					  ? "it seems to be for another host name"
					  : "no authority that is trusted has issued it, or it is not valid now");
	return true;
}

/* The kind of fault that a state says, where a state says it. */
static const char *
kind_of(const Record *record, const char *text)
{
	/* IM001 is a function that the driver does not have. */
	if (strncmp(record->state, "IM", 2) == 0 && strcmp(record->state, "IM001") != 0)
		return FAULT_IS_DRIVER;
	if (strstr(text, "certificate") != NULL)
		return FAULT_IS_CERTIFICATE;
	if (strncmp(record->state, "08", 2) == 0 && strcmp(record->state, "08001") != 0 &&
		strcmp(record->state, "08004") != 0)
		return FAULT_IS_LOST;
	if (strcmp(record->state, "HY001") == 0)
		return FAULT_IS_BOUND;
	return FAULT_IS_SERVER;
}

/* Report what the last call with a handle has failed for; always false. */
bool
odbc_report(Session *session, SQLSMALLINT type, SQLHANDLE handle)
{
	Record record = {{0}};
	const char *kind;
	const char *text;

	if (!read_best(type, handle, &record))
		session_fault(session, FAULT_IS_SERVER, 0, NULL, "the driver does not say what went wrong");
	else if (type == SQL_HANDLE_DBC && gate_error() != 0)
		session_fault(session, FAULT_IS_NETWORK, gate_error(), NULL, "%s", strerror(gate_error()));
	else if (type != SQL_HANDLE_DBC || !report_certificate(session, &record))
	{
		text = without_names(record.text.bytes);
		kind = kind_of(&record, text);
		if (strcmp(kind, FAULT_IS_LOST) == 0)
			session_is_lost(session);
		session_fault(session, kind, record.number, record.state, "%s", text);
	}
	text_free(&record.text);
	return false;
}

/* Has the last call failed with a state that begins so? */
bool
odbc_state_is(SQLSMALLINT type, SQLHANDLE handle, const char *beginning)
{
	Record record = {{0}};
	bool is = read_best(type, handle, &record) &&
			  strncmp(record.state, beginning, strlen(beginning)) == 0;

	text_free(&record.text);
	return is;
}
