# An import looks up each of its rows a few times, however many tables there are already: the planner of the control server,
# which knows little of what arrives, must not compare all with all. What is counted is not time, but searches in indexes.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use Test::More;

use constant { TABLES => 30_000, SEARCHES => 20 };    # SEARCHES: of a row, at most

my ($remote) = wide_server('wide', 'wide', TABLES, 'a integer');
my $control  = control_server('control');
my $sql      = DqdsTest::Sql->connect($control);
create_connection($control, 'wide', connection_model($remote));

# Searches in the indexes of imported tables and columns, of all transactions that have ended.
sub searches
{
	$sql->must('SELECT pg_stat_force_next_flush()');
	return $sql->value(q(SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_indexes WHERE relname IN ('dqds_imported_table', 'dqds_imported_column')));
}

foreach my $status (qw(imported unchanged))
{
	my $before = searches();
	is_deeply([ map { "$_->{status} $_->{count}" } $sql->rows(q(SELECT status, count(*) FROM dqds_import_tables('wide', 'wide') GROUP BY status)) ],
		[ "$status " . TABLES ], "all tables are $status");
	my $searches = searches() - $before;
	cmp_ok($searches, '>=', TABLES, "$status: searches are counted");
	cmp_ok($searches, '<=', 2 * TABLES * SEARCHES, "$status: in linear number");
	note("$status: $searches searches");
}

$control->stop;
$remote->stop('immediate');
done_testing();
