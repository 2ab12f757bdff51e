# Figures 14: an import of a large schema, and what it takes in a control server of PostgreSQL 18, whose planner chooses other plans,
# where one was named or found (packaging/bench).
package Figures::Import;

use strict;
use warnings;

use Bench;
use DqdsTest;
use DqdsTest::Sql;
use List::Util qw(min);
use Test::More;

use constant { COUNT => 100_000, ROUNDS => 3, SECONDS => 600 };

sub figures
{
	my ($remote) = wide_server('import_remote', 'wide', COUNT, 'a integer, b text');
	my %control = (here => control_server('import_control'));
	$control{18} = control_server('import_control_18', installation => $ENV{BENCH_INSTALLATION_18}) if $ENV{BENCH_INSTALLATION_18};
	my $here = $control{here}->pg_version->major;
	my $result = in_turns(min(rounds(), ROUNDS), map { my $node = $control{$_}; ($_ => sub { import_once($node, $remote) }) } sort keys %control);
	my @figures = against_fixed('14a', "import of 100,000 tables with two columns each, PostgreSQL $here", 'ms', undef, $result->{here});
	if ($result->{18}) { push @figures, compare('14b', "the same, PostgreSQL 18; PostgreSQL $here", 'ms', [ '<=', 2 ], @$result{qw(18 here)}); }
	else               { print { Test::More->builder->output } "no figure 14b: no other PostgreSQL 18 was named (BENCH_18) or found\n"; }
	$remote->stop('immediate');
	return @figures;
}

# Milliseconds of an import into a registry that does not know the tables.
sub import_once
{
	my ($control, $remote) = @_;
	create_connection($control, 'wide', connection_model($remote));
	my $sql = DqdsTest::Sql->connect($control);
	my $took = timed(
		sub {
			my $answer = $sql->query(q(SELECT status, count(*) FROM dqds_import_tables('wide', 'wide') GROUP BY status), SECONDS);
			my $got = join ' ', map { "$_->{status} $_->{count}" } @{ $answer->{rows} };
			die "the import: $got" if $got ne 'imported ' . COUNT;
		});
	$sql->must(q(SELECT dqds_drop_connection('wide')));
	$sql->close;
	return $took;
}

1;
