/*
 * library_alone.c
 *		The baseline of the agent's listings: the client library of MariaDB in one process, and nothing else.
 *
 * library_alone PORT USER PASSWORD FILE COUNT: logs in at 127.0.0.1, and
 * sends the queries of FILE, one in each line, one after the other; does that
 * COUNT times over one connection, after two times that do not count.  It
 * takes the rows as the agent's driver does, and prints the median of the
 * milliseconds.
 */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_QUERIES 8
#define MAX_COUNT   1000
#define NOT_COUNTED 2

static char queries[MAX_QUERIES][8192];
static int nqueries;

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1000 + (double) now.tv_nsec / 1e6;
}

static int
fail(MYSQL *mysql)
{
	fprintf(stderr, "%s\n", mysql_error(mysql));
	return 1;
}

static int
read_queries(const char *name)
{
	FILE *file = fopen(name, "r");

	if (file == NULL)
		return 0;
	while (nqueries < MAX_QUERIES && fgets(queries[nqueries], sizeof(queries[0]), file) != NULL)
		queries[nqueries][strcspn(queries[nqueries], "\n")] = '\0', nqueries++;
	fclose(file);
	return nqueries > 0;
}

/* Send a query and take its rows, one after the other; returns their bytes, -1: it has failed. */
static long
ask(MYSQL *mysql, const char *query)
{
	MYSQL_RES *result;
	MYSQL_ROW row;
	long bytes = 0;

	if (mysql_query(mysql, query) != 0 || (result = mysql_use_result(mysql)) == NULL)
		return -1;
	while ((row = mysql_fetch_row(result)) != NULL)
	{
		const unsigned long *lengths = mysql_fetch_lengths(result);

		for (unsigned int i = 0; i < mysql_num_fields(result); i++)
			bytes += row[i] == NULL ? 0 : (long) lengths[i];
	}
	mysql_free_result(result);
	return mysql_errno(mysql) == 0 ? bytes : -1;
}

static int
compare(const void *a, const void *b)
{
	double left = *(const double *) a;
	double right = *(const double *) b;

	return (left > right) - (left < right);
}

int
main(int argc, char **argv)
{
	static double took[MAX_COUNT];
	MYSQL *mysql = mysql_init(NULL);
	unsigned int protocol = MYSQL_PROTOCOL_TCP;
	int count = argc == 6 ? atoi(argv[5]) : 0;

	if (mysql == NULL || count < 1 || count > MAX_COUNT || !read_queries(argv[4]))
		return 2;
	mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (mysql_real_connect(mysql, "127.0.0.1", argv[2], argv[3], NULL, (unsigned) atoi(argv[1]),
						   NULL, 0) == NULL)
		return fail(mysql);
	for (int i = -NOT_COUNTED; i < count; i++)
	{
		double began = now_ms();

		for (int j = 0; j < nqueries; j++)
			if (ask(mysql, queries[j]) < 0)
				return fail(mysql);
		if (i >= 0)
			took[i] = now_ms() - began;
	}
	mysql_close(mysql);
	qsort(took, (size_t) count, sizeof(double), compare);
	printf("%.4f\n", took[count / 2]);
	return 0;
}
