# A refusal says what is missing: for each route and each level that is too low, the answer names the level that PostgreSQL's
# own privileges require, with the command that grants it, and that command helps. Requests without a token do not learn the
# name of a role. A connection that does not exist gives the same answer as one that the role may not use, including the hint.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $model   = connection_model($remote);
create_connection($control, $_, $model) foreach 'shop', 'closed';

# A route, and the function that it calls: from the bridge's own table.
my %function = slurp_file('bridge/routes.c') =~ /\{"([a-z]\w+)",\s*"SELECT (?:\w+ FROM )?pg_catalog\.(dqds_\w+)/g;
my %call     = (
	testConnection             => [ POST => '/api/datasource/testconnection', $model ],
	getRemoteDataSourceSchemas => [ GET => '/api/datasource/connections/shop/schemas' ],
	getRemoteDataSourceTables  => [ GET => '/api/datasource/connections/shop/schemas/s/tables' ],
	getRemoteDataSourceColumns => [ GET => '/api/datasource/connections/shop/schemas/s/tables/t/columns' ],
	getRemoteDataSourceConstraints => [ GET => '/api/datasource/connections/shop/schemas/s/tables/t/constraints' ],
	getRemoteDataSourceIndexes => [ GET => '/api/datasource/connections/shop/schemas/s/tables/t/indexes' ],
	getAllConnections          => [ GET => '/api/connections' ],
	getConnectionBasic         => [ GET => '/api/connections/shop/basic' ],
	getConnection              => [ GET => '/api/connections/shop' ],
	getSchemas                 => [ GET => '/api/connections/shop/schemas' ],
	getTables                  => [ GET => '/api/connections/shop/schemas/s/tables' ],
	createConnectionBasic      => [ POST => '/api/connections/new%20ROLE/basic', $model ],
	updateConnectionBasic      => [ PUT => '/api/connections/new%20ROLE/basic', $model ],
	deleteConnection           => [ DELETE => '/api/connections/new%20ROLE' ],
	importTables               => [ POST => '/api/jobs/importtables', to_json({ connectionName => 'shop', schemaName => 's' }) ],
	getJob                     => [ GET => '/api/jobs/jobs/1' ],
	waitForJob                 => [ GET => '/api/jobs/jobs/1/wait' ]);
my @missing = grep { !$call{$_} } sort keys %function;
is("@missing", '', 'each route of the bridge is tried');

# The levels that PostgreSQL's privileges know, by function.
my %level_of = map { $_->{name} => $_->{level} } $sql->rows(q(SELECT name, level FROM dqds_level_objects() WHERE kind = 'function'));
my $rank     = 0;
my %rank     = map { $_ => $rank++ } qw(nobody viewer operator editor admin);

my $anonymous = start_bridge($control, anonymous => 'quiet', level => undef);
my $bridge    = start_bridge($control, anonymous => undef);
sub role_with_token
{
	my ($role, $level) = @_;
	my $ident = '"' . ($role =~ s/"/""/gr) . '"';
	grant_role($control, $role, level => $level, connections => ['shop']);
	$sql->must("GRANT $ident TO dqds_bridge");
	return $sql->value('SELECT dqds_create_token(' . sql_literal($ident) . '::regrole)');
}

# Each route as a role of each level.
my $refusals = 0;
foreach my $level (sort { $rank{$a} <=> $rank{$b} } grep { $_ ne 'admin' } keys %rank)
{
	my $role  = $level eq 'nobody' ? q(it's "Odd") : "the $level";
	my $token = role_with_token($role, $level eq 'nobody' ? undef : $level);
	foreach my $route (sort keys %function)
	{
		my $wanted = $level_of{ $function{$route} };
		next if $rank{$level} >= $rank{$wanted};
		my ($method, $target, $body) = @{ $call{$route} };
		my $refused = http($bridge, $method => $target =~ s/ROLE/$level/r, { Authorization => "Bearer $token" }, $body);
		my $literal = sql_literal('"' . ($role =~ s/"/""/gr) . '"') =~ s/^ //r;
		is(answer_fault($refused, 403, $method), undef, "$route as $level: 403");
		is($refused->{json}{message}, qq(role "$role" needs the level $wanted, which an admin grants with dqds_grant('$wanted', $literal)), "$route as $level: needs $wanted");
		$refusals++;

		my $unnamed = http($anonymous, $method => $target =~ s/ROLE/$level/r, {}, $body);
		is(answer_fault($unnamed, 403, $method), undef, "$route without a token: 403");
		is($unnamed->{json}{message}, "this needs the level $wanted, which an admin grants with dqds_grant('$wanted', ROLE)", "$route without a token: needs $wanted, and no role is named");
		unlike($unnamed->{raw}, qr/quiet/, "$route without a token: nowhere");
	}
}
cmp_ok($refusals, '>', 20, "$refusals refusals of roles with tokens");

# The command in the message helps.
foreach my $role ('plain', 'Mixed Case', q(o'clock), 'user', 'x"y')
{
	my $token = role_with_token($role, undef);
	my @get   = (GET => '/api/datasource/connections/shop/schemas', { Authorization => "Bearer $token" });
	my ($command) = (http($bridge, @get)->{json}{message} // '') =~ /grants with (dqds_grant\(.*\))$/;
	ok(defined $command, "role <$role> is refused, and told a command") or next;
	$sql->must("SELECT $command");
	is(answer_fault(http($bridge, @get), 200), undef, "which helps: $command");
}

# A level is there, but not the right to this connection: the hint belongs to that, and not to a level.
my $editor = role_with_token('second editor', 'editor');
my $not_owner = http($bridge, DELETE => '/api/connections/shop', { Authorization => "Bearer $editor" });
is(answer_fault($not_owner, 403, 'DELETE'), undef, 'to delete what belongs to another: 403');
is($not_owner->{json}{message}, 'must be owner of connection "shop". Admins may change it, too, and give it another owner with dqds_set_connection_owner.', 'and who may');

# Not there, and not for this role: word for word the same, and what would help.
foreach my $target ('NAME', 'NAME/basic', 'NAME/schemas', 'NAME/schemas/s/tables')
{
	my ($closed, $absent) = map {
		my $answer = http($bridge, GET => '/api/connections/' . $target =~ s/NAME/$_/r, { Authorization => "Bearer $editor" });
		is(answer_fault($answer, 404), undef, "$target of $_: 404");
		$answer->{body} =~ s/"timestamp":\d+//r =~ s/$_/NAME/gr
	} qw(closed absent);
	is($closed, $absent, "$target: both read alike");
	like($absent, qr/"message":"connection \\"NAME\\" does not exist\. The view dqds_connections shows the connections that you may use; an admin grants the use of others with dqds_grant_connection\."/, "$target: and say what would help");
}

# The function reveals nothing else.
is($sql->value(q(SELECT count(dqds_missing_level(proname::text, true)) FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname !~ '^dqds')), 0, 'for a superuser nothing is missing');
my $nobody = DqdsTest::Sql->connect($control, user => 'dqds_bridge');
is($nobody->value(q(SELECT count(dqds_missing_level(proname::text, true)) FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname !~ '^dqds')), 0, 'functions of PostgreSQL have no level');
is($nobody->value(q(SELECT dqds_missing_level('dqds_forget_role', true))), undef, 'nor have internal ones');
is($nobody->query('SELECT dqds_missing_level(NULL, true)')->{error}{sqlstate}, '22004', 'NULL is an error');
done_testing();
