# Completeness: a schema of 100,000 tables is returned whole and sorted, and is never cut off silently: a limit applies only
# if it is requested. (For REST, see 023_rest_complete.pl.)
use strict;
use warnings;

use DqdsTest;
use Test::More;

my $count = 100_000;
my ($remote, $names) = wide_server('wide', 'wide', $count);
my $control = control_server('control');
create_connection($control, 'wide', connection_model($remote));
is(scalar @$names, $count, 'there are that many tables');

sub lines { return [ split /\n/, $control->safe_psql('postgres', $_[0]) ]; }

# Not is_deeply: it would take its time.
my $got = lines(q{SELECT table_name FROM dqds_list_tables('wide', 'wide')});
is(scalar @$got, $count, 'all tables come back');
ok(join("\n", @$got) eq join("\n", @$names), 'in the order of their code points');

is_deeply(lines(q{SELECT table_name FROM dqds_list_tables('wide', 'wide', NULL, 7)}), [ @$names[0 .. 6] ], 'a limit gives the first ones');
is_deeply(lines(q{SELECT table_name FROM dqds_list_tables('wide', 'wide', '', 100000) OFFSET 99998}), [ @$names[-2, -1] ],
	'a limit as high as there are tables cuts nothing');
my @some = grep { /ab/ } @$names;
is_deeply(lines(q{SELECT table_name FROM dqds_list_tables('wide', 'wide', 'ab')}), \@some, 'a substring gives all that contain it');
is_deeply(lines(q{SELECT table_name FROM dqds_list_tables('wide', 'wide', 'ab', 3)}), [ @some[0 .. 2] ], 'and with a limit the first of those');
is_deeply(lines(q{SELECT table_name FROM dqds_list_tables('wide', 'wide') LIMIT 3; SELECT dqds_close_idle()}), [ @$names[0 .. 2], 1 ],
	'a LIMIT of the query leaves the session well');

# As the bridge asks for them: pieces that make one document.
is_deeply(
	lines(q{SELECT count(*) > 100, max(length(piece)) < 64 * 1024 FROM dqds_list_tables_json('wide', 'wide', NULL, NULL, true) AS piece}),
	['t|t'], 'the JSON comes in many small pieces');
$got = lines(q{SELECT element ->> 'tableName' FROM (SELECT string_agg(piece, '')::json AS document
	FROM dqds_list_tables_json('wide', 'wide', NULL, NULL, false) AS piece) AS d, json_array_elements(document) AS element});
ok(join("\n", @$got) eq join("\n", @$names), 'and is whole and sorted too');

# The import takes them all, and then all are known to be imported.
is_deeply(lines(q{SELECT status, count(*) FROM dqds_import_tables('wide', 'wide') GROUP BY status}), ["imported|$count"], 'the whole schema is imported');
is_deeply(lines(q{SELECT already_imported, count(*) FROM dqds_list_tables('wide', 'wide') GROUP BY 1}), ["t|$count"], 'every table is known to be');

$control->stop;
$remote->stop('immediate');
done_testing();
