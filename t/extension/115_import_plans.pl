# An import looks up each of its rows a few times, however many tables there are already, and whatever the statistics of the
# control server say about them: its planner must never compare all with all. What is counted is not time, but the rows that the
# plans of an import have gone through, as auto_explain reports them; in an installation without it, those that were read from
# the two tables.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

# ROWS: what a plan goes through for one table, at most, over all its steps. All with all would be TABLES for each.
use constant { TABLES => 6_000, ROWS => 200 };

my ($remote) = wide_server('wide', 'wide', TABLES, 'a integer');
my $control  = control_server('control');
my $sql      = DqdsTest::Sql->connect($control);
my $other    = DqdsTest::Sql->connect($control);
my @stored   = qw(dqds_imported_table dqds_imported_column);

create_connection($control, 'wide', connection_model($remote));
# Only this test decides when statistics are made.
$sql->must("ALTER TABLE $_ SET (autovacuum_enabled = false)") foreach @stored;
my $explained = has_library('auto_explain');
$sql->must("LOAD 'auto_explain'") if $explained;
$sql->must("SET $_") foreach !$explained ? () : map { "auto_explain.$_" } 'log_min_duration = 0', 'log_nested_statements = on', 'log_analyze = on',
  'log_timing = off', 'log_format = json', 'log_level = log';

# The rows that the plans logged since OFFSET have gone through: what each step returned, and what it compared in vain.
sub rows_since
{
	my ($offset) = @_;
	my $log  = slurp_file($control->logfile, $offset);
	my $rows = 0;
	while ($log =~ /plan:\n((?:\t.*\n)+)/g)
	{
		my @steps = (decode_json($1)->{Plan});
		while (my $step = shift @steps)
		{
			my $each = $step->{'Actual Rows'} // 0;
			$each += $step->{$_} foreach grep { /^Rows Removed by / } keys %$step;
			$rows += $each * ($step->{'Actual Loops'} // 0);
			push @steps, @{ $step->{Plans} // [] };
		}
	}
	return $rows;
}

# What was read from the two tables so far, by transactions that have ended.
sub rows_read
{
	$sql->must('SELECT pg_stat_force_next_flush()');
	return $sql->value(q(SELECT sum(seq_tup_read + coalesce(idx_scan, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables WHERE relname LIKE 'dqds\_imported\_%'));
}

# mark(), and then rows_from(MARK): the rows gone through in between.
sub mark      { return $explained ? -s $control->logfile : rows_read(); }
sub rows_from { my ($mark) = @_; return $explained ? rows_since($mark) : rows_read() - $mark; }

sub is_linear
{
	my ($name, $statement, @expected) = @_;
	my $mark = mark();
	is_deeply([ map { "@$_{qw(status count)}" } $sql->rows($statement) ], \@expected, "$name: the result");
	my $rows = rows_from($mark);
	cmp_ok($rows, '>=', TABLES, "$name: the plans are seen");
	cmp_ok($rows, '<=', TABLES * ROWS, "$name: the rows gone through are linear in the tables");
	note("$name: $rows rows");
	return;
}

my $import = q(SELECT status, count(*) FROM dqds_import_tables('wide', 'wide') GROUP BY status ORDER BY status);
my $forget = q(SELECT 'forgotten' AS status, dqds_unimport_tables('wide', 'wide') AS count);

sub all_steps
{
	my ($when) = @_;
	is_linear("$when, known", $import, 'unchanged ' . TABLES);
	$sql->must('UPDATE dqds_imported_table SET comment = id::text');
	$sql->must('UPDATE dqds_imported_column SET ordinal_position = ordinal_position + 1');
	is_linear("$when, changed", $import, 'updated ' . TABLES);
	is_linear("$when, forgotten", $forget, 'forgotten ' . TABLES);
	is_linear("$when, new", $import, 'imported ' . TABLES);
	return;
}

is_linear('first import', $import, 'imported ' . TABLES);
all_steps('never analyzed');
$sql->must("ANALYZE $_") foreach @stored;
all_steps('analyzed');

# Statistics of the middle of an import: many pages, of which no row is committed.
is_linear('emptied', $forget, 'forgotten ' . TABLES);
$sql->must("VACUUM $_") foreach @stored;
$sql->must('BEGIN');
$sql->must($import);
$other->must("ANALYZE $_") foreach @stored;
$sql->must('COMMIT');
is($sql->value(q(SELECT sum(reltuples) FROM pg_class WHERE relname LIKE 'dqds\_imported\_%' AND relkind = 'r')),
	0, 'the statistics say that nothing is there');
all_steps('statistics of an empty table');

is_linear('imported for its end', $import, 'unchanged ' . TABLES);
my $mark = mark();
$sql->must(q(SELECT dqds_drop_connection('wide')));
cmp_ok(rows_from($mark), '<=', TABLES * ROWS, 'removing the connection is linear as well');

$_->stop('immediate') foreach $control, $remote;
done_testing();
