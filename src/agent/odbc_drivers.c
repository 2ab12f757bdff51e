/*
 * odbc_drivers.c
 *		The ODBC drivers that the setting dqds.odbc_drivers names.
 *
 * An entry is provider=/path/of/driver.so, and the name of a form may follow the path after
 * white space.  The agent loads the file, and writes the path into a connection string, so it
 * must be absolute and free of the characters that have a meaning there.
 *
 * Owns: how the setting is read.  What a form is, is the agent's (agent/odbc/odbc_form.c).
 */
#include "postgres.h"

#include <ctype.h>

#include "agent/odbc_drivers.h"
#include "base/remote_text.h"
#include "base/settings.h"

#define SPACES " \t\r\n\f\v"

/* The forms that can be named: those of providers, and of drivers of more than one. */
static const char *const forms[] = {"generic", "freetds", "microsoft", "db2",
									"oracle",  "hana",    "teradata",  "spark"};

/* The next entry of a list separated by commas, which is modified; NULL at its end. */
static char *
next_entry(char **list)
{
	char *entry = *list;
	char *comma;

	if (entry == NULL)
		return NULL;
	comma = strchr(entry, ',');
	if (comma != NULL)
		*comma = '\0';
	*list = comma == NULL ? NULL : comma + 1;
	return entry + strspn(entry, SPACES);
}

/* Cut a word off the text, which is modified; NULL: there is none. */
static char *
next_word(char **text)
{
	char *word = *text + strspn(*text, SPACES);
	size_t length = strcspn(word, SPACES);

	if (length == 0)
		return NULL;
	*text = word + length;
	if (**text != '\0')
		*(*text)++ = '\0';
	return word;
}

static bool
is_form(const char *name)
{
	for (int i = 0; i < lengthof(forms); i++)
		if (strcmp(forms[i], name) == 0)
			return true;
	return false;
}

/* Take an entry apart, which is modified; false: it is not one. */
static bool
parse_entry(char *entry, Provider *provider, OdbcDriver *driver)
{
	char *path = strchr(entry, '=');
	size_t length;

	if (path == NULL)
		return false;
	for (length = path - entry; length > 0 && isspace((unsigned char) entry[length - 1]);)
		length--;
	path++;
	driver->path = next_word(&path);
	driver->form = driver->path == NULL ? NULL : next_word(&path);
	return driver->path != NULL && driver->path[0] == '/' &&
		   strpbrk(driver->path, ";{}[]()=?*!@") == NULL && next_word(&path) == NULL &&
		   (driver->form == NULL || is_form(driver->form)) &&
		   provider_find(entry, length, provider) && provider_is_in(*provider, ODBC_PROVIDERS);
}

/* The driver that the setting names for a provider, palloc'd; false: none. */
bool
odbc_driver_find(Provider provider, OdbcDriver *driver)
{
	char *rest = pstrdup(dqds_odbc_drivers);
	char *entry;
	Provider found;

	while ((entry = next_entry(&rest)) != NULL)
		if (parse_entry(entry, &found, driver) && found == provider)
			return true;
	return false;
}

/* The first invalid entry of a list, palloc'd; NULL if the list is valid. */
char *
odbc_drivers_bad(const char *list)
{
	char *rest = pstrdup(list);
	char *entry;
	Provider provider;
	OdbcDriver driver;

	while ((entry = next_entry(&rest)) != NULL)
	{
		char *shown = pstrdup(entry);

		if (*entry != '\0' && !parse_entry(entry, &provider, &driver))
			return shown;
	}
	return NULL;
}

/* GUC check hook. */
bool
odbc_drivers_check(char **newval, void **extra, GucSource source)
{
	char *bad = odbc_drivers_bad(*newval);

	(void) extra;
	(void) source;
	if (bad == NULL)
		return true;
	GUC_check_errdetail(
		"\"%s\" is not a provider that is reached through ODBC, \"=\", and the "
		"absolute path of its driver, with the name of a form behind it if need be.",
		visible_text(bad));
	return false;
}
