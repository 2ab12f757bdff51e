# The role of requests without a token becomes a superuser while the bridge runs: no request runs as that role any more, and
# none of their commands is executed; requests with a token are still served. If the login role becomes a superuser, no
# request is served at all. Only --allow-superuser allows either.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $model   = connection_model($remote);
create_connection($control, $_, $model) foreach qw(shop other);
grant_role($control, 'operator', level => 'operator', connections => ['shop']);
my $bridge  = start_bridge($control, level => 'admin', connections => ['shop']);
my $allowed = start_bridge($control, level => 'admin', options => ['--allow-superuser']);
my $sql     = DqdsTest::Sql->connect($control);
$sql->must('GRANT operator TO dqds_bridge');
my $token   = { Authorization => 'Bearer ' . $sql->value(q(SELECT dqds_create_token('operator'))) };
my $schemas = '/api/datasource/connections/shop/schemas';
my @requests = (
	[ GET    => '/api/connections' ],
	[ GET    => '/api/connections/shop/basic' ],
	[ GET    => $schemas ],
	[ GET    => "$schemas/public/tables" ],
	[ POST   => '/api/datasource/testconnection', $model ],
	[ POST   => '/api/connections/new/basic', $model ],
	[ PUT    => '/api/connections/shop/basic', connection_model($remote, note => 'changed') ],
	[ POST   => '/api/jobs/importtables', to_json({ connectionName => 'shop', schemaName => 'public' }) ],
	[ DELETE => '/api/connections/other' ]);

sub state_of { return to_json([ $sql->rows('SELECT connection_name, model FROM dqds_connections ORDER BY 1') ]); }

foreach ($bridge, $allowed)
{
	is(http($_, GET => $schemas)->{status}, 200, 'no superuser: served');
}
my $before = state_of();
$sql->must('ALTER ROLE dqds_anonymous SUPERUSER');
foreach my $row (@requests)
{
	my ($method, $target, $body) = @$row;
	my $answer = http($bridge, $method => $target, {}, $body);
	is(answer_fault($answer, 503, $method), undef, "a superuser: $method $target: 503");
	is($answer->{json}{message}, 'the role of this request cannot be taken on: it does not exist, or it or the login role of the bridge is a superuser', 'which says why');
}
is(state_of(), $before, 'a superuser: nothing was done');
my $lines = () = $bridge->log =~ /error the role of a request cannot be taken on: it does not exist, or it or the login role is a superuser, which needs --allow-superuser$/mg;
is($lines, scalar @requests, 'a superuser: a line in the log for each');
is(http($bridge, GET => $schemas, $token)->{status}, 200, 'a superuser: a request with a token is served');
is(http($bridge, GET => $schemas)->{status}, 503, 'a superuser: and does not leave its role to one without');
is(http($bridge, GET => '/api/ishealthy')->{status} == 0, '', 'a superuser: health is told');
is(http($allowed, GET => $schemas)->{status}, 200, '--allow-superuser: served');

$sql->must('ALTER ROLE dqds_anonymous NOSUPERUSER');
is(http($bridge, GET => $schemas)->{status}, 200, 'no superuser any more: served again');

# The login role: what runs as another role could become it again.
$before = state_of();
$sql->must('ALTER ROLE dqds_bridge SUPERUSER');
foreach my $row (@requests)
{
	my ($method, $target, $body) = @$row;
	foreach my $headers ({}, $token)
	{
		my $what   = "the login role a superuser: $method $target " . (%$headers ? 'with a token' : 'without one');
		my $answer = http($bridge, $method => $target, $headers, $body);
		is(answer_fault($answer, 503, $method), undef, "$what: 503");
		is($answer->{json}{message}, 'the role of this request cannot be taken on: it does not exist, or it or the login role of the bridge is a superuser', 'which says why');
	}
}
is(state_of(), $before, 'the login role a superuser: nothing was done');
is(http($allowed, GET => $schemas, $_)->{status}, 200, 'the login role a superuser: --allow-superuser: served') foreach {}, $token;
$sql->must('ALTER ROLE dqds_bridge NOSUPERUSER');
is(http($bridge, GET => $schemas, $_)->{status}, 200, 'the login role no superuser any more: served again') foreach {}, $token;
is($_->stop, 0, 'status 0') foreach $bridge, $allowed;
done_testing();
