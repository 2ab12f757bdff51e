/*
 * files.c
 *		Opens and lists directories of this machine, below those that a setting allows.
 *
 * Nothing is opened by the path that a connection names: that is only compared with the
 * directories of the setting, and what is left of it is opened relative to the one that it is
 * below, by openat2(), which does not leave it whatever "..", symbolic links or renaming in the
 * meantime would lead to.  In the same way nothing outside of a schema's directory is opened
 * for its tables.
 *
 * Owns: which files are tables.  It must not know what is in them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "duckdb_link.h"

#define MAX_DEPTH       8 /* of the folders in a folder that is a table */
#define MAX_NAMES_BYTES ((size_t) 256 * 1024 * 1024)

static const char *const csv_extensions[] = {".csv", ".csv.gz", ".tsv", ".tsv.gz", NULL};
static const char *const json_extensions[] = {".json",   ".json.gz",   ".jsonl", ".jsonl.gz",
											  ".ndjson", ".ndjson.gz", NULL};
static const char *const parquet_extensions[] = {".parquet", NULL};

static const FileFormat formats[] = {
	{"csv", "read_csv", csv_extensions},
	{"json", "read_json", json_extensions},
	{"parquet", "read_parquet", parquet_extensions},
};

/* The format with this published name; NULL: it cannot be read. */
const FileFormat *
file_format(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Open what is below a directory; -1 with errno, which is EXDEV if the path leads out of it. */
static int
open_beneath(int directory, const char *path, int flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
						   .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	if ((flags & O_PATH) != 0)
		how.flags = flags | O_CLOEXEC;
	return (int) syscall(SYS_openat2, directory, *path == '\0' ? "." : path, &how, sizeof(how));
}

/* The part of the path behind a directory that it is, or is below; NULL: it is not. */
static const char *
part_below(const char *path, const char *directory, size_t length)
{
	while (length > 0 && directory[length - 1] == '/')
		length--;
	if (*directory != '/' || strncmp(path, directory, length) != 0 ||
		(path[length] != '\0' && path[length] != '/'))
		return NULL;
	path += length;
	return path + strspn(path, "/");
}

/* Open a path below the first allowed directory that it is below; -1 with errno. */
static int
open_allowed(const char *allowed, const char *path)
{
	errno = EXDEV;
	while (*allowed != '\0')
	{
		size_t length;
		const char *below;

		allowed += strspn(allowed, ", ");
		length = strcspn(allowed, ",");
		below = part_below(path, allowed, length);
		if (below != NULL)
		{
			char *root_path = strndup(allowed, length);
			int root = root_path == NULL ? -1 : open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
			int fd = root < 0 ? -1 : open_beneath(root, below, O_RDONLY | O_DIRECTORY);
			int error = errno;

			free(root_path);
			if (root >= 0)
				close(root);
			errno = error;
			return fd;
		}
		allowed += length;
	}
	return -1;
}

/*
 * Open the directory of a schema, if it is below one of those that are allowed, which are
 * paths with commas between.  -1: session_fault was called; whether a directory exists is told
 * only of those that are allowed.
 */
int
files_open_directory(Session *session, const char *allowed, const Directory *directory)
{
	int fd = open_allowed(allowed, directory->path);
	int error = errno;

	if (fd < 0)
		session_fault(session, FAULT_IS_FILE, error, NULL, "directory \"%s\"%s%s", directory->path,
					  error == EXDEV ? "" : ": ", error == EXDEV ? "" : strerror(error));
	return fd;
}

/* ---- what is a table --------------------------------------------------------------------------- */

static bool
has_extension(const char *name, const FileFormat *format)
{
	size_t length = strlen(name);

	for (const char *const *extension = format->extensions; *extension != NULL; extension++)
	{
		size_t of_extension = strlen(*extension);

		if (length > of_extension && strcasecmp(name + length - of_extension, *extension) == 0)
			return true;
	}
	return false;
}

/*
 * Is there a table of this name: a file with an extension of the format, or a folder?  What
 * begins with a dot is hidden.
 */
bool
files_find(const Directory *directory, const FileFormat *format, const char *name, TableFile *file)
{
	struct stat status;
	int fd;
	bool known;

	if (*name == '\0' || *name == '.' || strchr(name, '/') != NULL)
		return false;
	fd = open_beneath(directory->fd, name, O_PATH);
	if (fd < 0)
		return false;
	known = fstat(fd, &status) == 0;
	close(fd);
	if (!known)
		return false;
	file->is_folder = S_ISDIR(status.st_mode);
	file->size = (long long) status.st_size;
	return file->is_folder || (S_ISREG(status.st_mode) && has_extension(name, format));
}

static bool
is_utf8(const char *name)
{
	json_t *text = json_string(name);

	json_decref(text);
	return text != NULL;
}

/* Read the names in an open directory, which is closed; false: session_fault was called. */
static bool
read_names(Session *session, int fd, Sorter *names)
{
	DIR *stream = fdopendir(fd);
	struct dirent *entry;
	bool good = true;

	if (stream == NULL)
	{
		session_fault(session, FAULT_IS_FILE, errno, NULL, "directory: %s", strerror(errno));
		close(fd);
		return false;
	}
	while (good && (entry = readdir(stream)) != NULL)
	{
		const char *values[] = {entry->d_name};

		if (entry->d_name[0] == '.' || !is_utf8(entry->d_name))
			continue;
		good = sorter_add(names, values) && !session_is_cancelled(session);
		if (!good)
			session_fault(session, FAULT_IS_BOUND, 0, NULL, "the names in a directory");
	}
	closedir(stream);
	sorter_sort(names);
	return good;
}

/*
 * The names of all files and folders in the directory that could be tables, sorted; a name
 * that is no UTF-8 cannot be told, and is left out.  False: session_fault was called.
 */
bool
files_list(Session *session, const Directory *directory, const FileFormat *format, Sorter *names)
{
	int fd = open_beneath(directory->fd, ".", O_RDONLY | O_DIRECTORY);

	(void) format;
	sorter_begin(names, "t", 1, MAX_NAMES_BYTES);
	if (fd >= 0)
		return read_names(session, fd, names);
	session_fault(session, FAULT_IS_FILE, errno, NULL, "directory \"%s\": %s", directory->path,
				  strerror(errno));
	return false;
}

/* ---- opening tables ------------------------------------------------------------------------------- */

/* Open a regular file; -1: it is none, or cannot be opened. */
static int
open_file(int directory, const char *name)
{
	struct stat status;
	int fd = open_beneath(directory, name, O_RDONLY);

	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)))
	{
		close(fd);
		return -1;
	}
	return fd;
}

static bool
is_compressed(const char *name)
{
	size_t length = strlen(name);

	return length > 3 && strcasecmp(name + length - 3, ".gz") == 0;
}

/* The first file of the format in a folder, by name, or in the first folder of it that has one. */
static int
open_first(Session *session, int folder, const FileFormat *format, int depth, bool *compressed)
{
	int copy = open_beneath(folder, ".", O_RDONLY | O_DIRECTORY);
	Sorter names;
	const char **row;
	int found = -1;

	sorter_begin(&names, "t", 1, MAX_NAMES_BYTES);
	if (copy >= 0 && read_names(session, copy, &names))
		for (int folders = 0; folders < 2 && found < 0; folders++)
		{
			names.next = 0;
			while (found < 0 && (row = sorter_next(&names)) != NULL)
			{
				int inner;

				if (row[0][0] == '_' || (folders == 1 && depth >= MAX_DEPTH))
					continue;
				if (folders == 0 && has_extension(row[0], format))
				{
					found = open_file(folder, row[0]);
					*compressed = is_compressed(row[0]);
				}
				else if (folders == 1 &&
						 (inner = open_beneath(folder, row[0], O_RDONLY | O_DIRECTORY)) >= 0)
				{
					found = open_first(session, inner, format, depth + 1, compressed);
					close(inner);
				}
			}
		}
	sorter_free(&names);
	return found;
}

/*
 * Open a table to read it, which is the caller's to close: the file, or the first one of a
 * folder.  -1: there is none, which is no fault for a folder without files.
 */
int
files_open(Session *session, const Directory *directory, const FileFormat *format, const char *name,
		   bool *compressed)
{
	TableFile file;
	int folder;
	int fd;

	*compressed = is_compressed(name);
	if (!files_find(directory, format, name, &file))
		return -1;
	if (!file.is_folder)
		return open_file(directory->fd, name);
	folder = open_beneath(directory->fd, name, O_RDONLY | O_DIRECTORY);
	if (folder < 0)
		return -1;
	fd = open_first(session, folder, format, 1, compressed);
	close(folder);
	return fd;
}
