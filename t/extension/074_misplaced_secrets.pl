# A connection model, a URI or a connection string that is given as the name of a connection by mistake may contain a
# password. The error does not repeat it, and the statement does not get into the server's log, whichever function was called.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $secret  = 'never-2-be-logged';
create_connection($control, 'known', to_json({ provider_type => 'postgresql', postgresql => { host => '127.0.0.1', port => '1', user => 'u' } }));

my @mistakes = (
	'{"postgresql": {"host": "h", "passw": "never-2-be-logged"}}', ' {"x": "never-2-be-logged"', '["never-2-be-logged"]', '"never-2-be-logged"', 'postgresql://u:never-2-be-logged@h/d',
	'jdbc:postgresql://h/d?user=u&x=never-2-be-logged', 'host=h user=u PWD=never-2-be-logged', 'Password: never-2-be-logged', 'PassWD never-2-be-logged', 'my Pwd never-2-be-logged',
	'the SECRET never-2-be-logged', 'Bearer TOKEN never-2-be-logged', 'x = never-2-be-logged');
# Every function of the extension's C code that takes the name of a connection; NAME stands for the name.
my @calls = (
	'dqds_test_connections(ARRAY[NAME])', q(dqds_test_connections(ARRAY['known', NAME])), 'dqds_drop_connection(NAME)', q(dqds_rename_connection(NAME, 'x')), 'dqds_rename_connection(NAME, NAME)',
	'dqds_list_schemas_json(NAME, false)', q(dqds_list_tables_json(NAME, 's', NULL, NULL, false)), 'dqds_drop_connection_json(NAME)',
	q(dqds_import_tables_json(json_build_object('connectionName', NAME, 'schemaName', 's')::text, NULL)), q(dqds_update_connection(NAME, '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}')),
	'dqds_list_schemas(NAME)', q(dqds_list_tables(NAME, 's')), q(dqds_list_columns(NAME, 's')), 'dqds_test_connection(NAME)', 'dqds_diagnose_connection(NAME)', q(dqds_import_tables(NAME, 's')),
	q(dqds_unimport_tables(NAME, 's')), q(dqds_list_constraints(NAME, 's')), q(dqds_list_indexes(NAME, 's', 't')), q(dqds_view_definition(NAME, 's', 'v')),
	map { "dqds_list_${_}_json(NAME, 's', 't')" } qw(columns constraints indexes));

sub log_since { return slurp_file($control->logfile, $_[0]); }

foreach my $call (@calls)
{
	my (@shown, @logged);
	my $errors = 0;
	foreach my $name (@mistakes)
	{
		my $from    = -s $control->logfile;
		my $literal = sql_literal($name);
		my $answer  = $sql->query('SELECT * FROM ' . $call =~ s/NAME/$literal/gr);
		# Text that begins with a brace is a model for some functions: then it is the failure of a test.
		$errors++ if $answer->{error} || ($answer->{rows}[0] // {})->{error_code} || ($answer->{rows}[0] // {})->{status};
		push @shown,  $name if to_json($answer) =~ /\Q$secret\E/;
		push @logged, $name if log_since($from) =~ /\Q$secret\E/;
	}
	is($errors, scalar @mistakes, "$call: an error for each");
	is(join("\n", @shown),  '', 'that does not show it');
	is(join("\n", @logged), '', 'and does not log it');
}

# A new name that cannot be one, or is taken.
{
	my $from = -s $control->logfile;
	is($sql->query(qq(SELECT dqds_rename_connection('known', '{"x": "$secret"}')))->{error}{sqlstate}, 'QD020', 'a new name that is a model');
	is($sql->query(qq(SELECT dqds_create_connection('{"x": "$secret"}', '{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}')))->{error}{sqlstate}, 'QD020', 'the same for a new connection');
	unlike(log_since($from), qr/\Q$secret\E/, 'not logged');
}
# Other names are shown and logged as ever.
{
	my $from = -s $control->logfile;
	like($sql->query(q(SELECT dqds_drop_connection('a plain name')))->{error}{message}, qr/"a plain name"/, 'a plain name is shown');
	like(log_since($from), qr/STATEMENT: .*a plain name/, 'and its statement logged');
}

done_testing();
