# Small leaks: a name pattern matches no literal address, in any spelling; and a test reveals that a connection with some name
# exists only to roles that may use it or create connections.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Names;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote');
my $control = with_names(sub { control_server('control') });
my $sql     = DqdsTest::Sql->connect($control);
my $port    = $remote->port;
$sql->must(q(SELECT dqds_close_idle(); SET dqds.connect_timeout = '5s'));
set_names('fc-db.test' => ['127.0.0.1'], 'cafe.test' => ['127.0.0.1']);

sub code_of
{
	my ($host) = @_;
	my ($row) = $sql->rows('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, host => $host)) . '::text)');
	return $row->{error_code} // $row->{connection_test_result};
}

# --- Patterns and addresses ---------------------------------------------------------------------------------------

# [denied, allowed, host, may it be connected to]
foreach my $row (
	[ '', 'fc*',        'fc00::1',          0 ],
	[ '', 'f*, *.test', 'fd00::abcd',       0 ],
	[ '', 'fe80*',      'fe80::1%lo',       0 ],
	[ '', '0x*, *x7f*', '0x7f.1',           0 ],
	[ '', '*f*',        '::ffff:127.0.0.1', 0 ],
	[ '', '*.1',        '127.1',            0 ],
	[ '', 'fc*',        'fc-db.test',       1 ],
	[ '', '*',          '127.0.0.1',        1 ],
	[ '', "*:$port",    '0x7f.1',           1 ],
	[ '', '*:1',        '127.0.0.1',        0 ],
	[ 'c*',      '*', 'cafe.test', 0 ],
	[ '0x*',     '*', '0x7f.1',    1 ],
	[ "*:$port", '*', '0x7f.1',    0 ])
{
	my ($denied, $allowed, $host, $may) = @$row;
	# Some of these would be refused as patterns, if they looked like addresses.
	next if $sql->query("SET dqds.allowed_hosts = '$allowed'")->{error} || $sql->query("SET dqds.denied_hosts = '$denied'")->{error};
	my $got = code_of($host);
	if ($may) { is($got, 'SUCCESS', "denied '$denied', allowed '$allowed': $host"); }
	else      { is($got, 'target_not_allowed', "denied '$denied', allowed '$allowed': $host"); }
}
$sql->must('RESET dqds.allowed_hosts; RESET dqds.denied_hosts');

# --- Names that are taken --------------------------------------------------------------------------------------------

create_connection($control, 'payroll', connection_model($remote));
$control->safe_psql('postgres', <<'SQL');
CREATE ROLE operator LOGIN;
CREATE ROLE granted LOGIN;
CREATE ROLE editor LOGIN;
SELECT dqds_grant('operator', 'operator'), dqds_grant('operator', 'granted'), dqds_grant('editor', 'editor'), dqds_grant_connection('payroll', 'granted');
SQL
foreach my $case ([ operator => 'SUCCESS' ], [ granted => 'CONNECTION_ALREADY_EXISTS' ], [ editor => 'CONNECTION_ALREADY_EXISTS' ], [ undef, 'CONNECTION_ALREADY_EXISTS' ])
{
	my ($who, $expected) = @$case;
	my $session = DqdsTest::Sql->connect($control, $who ? (user => $who) : ());
	foreach my $name ('payroll', 'free')
	{
		my $model = sql_literal(connection_model($remote, connection_name => $name)) . '::text';
		my $label = $who // 'a superuser';
		is($session->value("SELECT connection_test_result FROM dqds_test_connection($model)"), $name eq 'free' ? 'SUCCESS' : $expected, "$label: a model of the name $name");
		is($session->value("SELECT connection_test_result FROM dqds_test_connection($model, false)"), 'SUCCESS', "$label: $name, where names do not matter");
		my $json = join '', $session->column('SELECT * FROM dqds_test_connection_json(' . sql_literal(connection_model($remote, connection_name => $name)) . ', true, false)');
		like($json, $name eq 'free' ? qr/"SUCCESS"/ : qr/"$expected"/, "$label: $name, for the bridge");
	}
}

done_testing();
