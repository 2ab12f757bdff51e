# Settings that only a superuser may change do not lose their values when another role sets them in its connection string,
# before the module is loaded: whatever their type, such a session connects to nothing. The same applies to an invalid value
# in the configuration file.
use strict;
use warnings;

use DqdsTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control', conf => "dqds.max_parallel = 3\ndqds.max_cached_sessions = 0\ndqds.max_answer_size = '2MB'");
$control->safe_psql('postgres', q(CREATE ROLE operator LOGIN; SELECT dqds_grant('operator', 'operator')));
my $test = 'SELECT error_code, connection_test_result, error_message FROM dqds_test_connection(' . sql_literal(connection_model($remote)) . '::text)';

sub ask
{
	my ($options, @more) = @_;
	local $ENV{PGOPTIONS} = $options;
	my ($status, $out, $err) = $control->psql('postgres', $test, extra_params => [@more]);
	return $out;
}
my @operator = (-U => 'operator');

# All settings that only superusers may change, so that a new one is not forgotten.
my @settings = split /\n/, $control->safe_psql('postgres', q(LOAD 'dqds'; SELECT name FROM pg_settings WHERE name LIKE 'dqds.%' AND context = 'superuser' ORDER BY 1));
is("@settings", 'dqds.agent dqds.allowed_hosts dqds.denied_hosts dqds.duckdb_directories dqds.duckdb_library dqds.max_answer_size dqds.max_cached_sessions dqds.max_parallel dqds.odbc_drivers dqds.secret_env_prefix dqds.ssl_root_certs', 'the settings of superusers');
is(ask('', @operator), '|SUCCESS|', 'without any of them named, all is well');
foreach my $setting (@settings)
{
	my $value = $control->safe_psql('postgres', "LOAD 'dqds'; SELECT replace(replace(current_setting('$setting'), ',', ''), ' ', '')");
	$value = '127.0.0.2' if $setting =~ /hosts/;
	foreach my $spelling ($setting, uc $setting)
	{
		is(ask("-c $spelling=$value", @operator), "target_not_allowed|FAILURE|the setting \"$setting\" could not be applied in this session", "$spelling=$value by another role");
	}
	isnt(ask("-c $setting=$value"), "target_not_allowed|FAILURE|the setting \"$setting\" could not be applied in this session", "$setting by a superuser");
}
is(ask("-c dqds.$_=5s", @operator), '|SUCCESS|', "dqds.$_ is for all") foreach qw(connect_timeout query_timeout session_idle_timeout);

foreach my $bad ("max_parallel = 'three'", "max_parallel = '0'", "max_answer_size = '256 parsecs'", "max_cached_sessions = '-1'")
{
	my ($name) = $bad =~ /^(\w+)/;
	$control->append_conf('postgresql.conf', "dqds.$bad");
	$control->reload;
	ok(poll_until(sub { $control->safe_psql('postgres', "SELECT current_setting('dqds.$name')") eq ($bad =~ s/.* = '?|'$//gr) }, 10), "$bad in the configuration file");
	is(ask('', @operator), "target_not_allowed|FAILURE|the setting \"dqds.$name\" could not be applied in this session", 'connects to nothing');
	$control->append_conf('postgresql.conf', "dqds.$name = " . ($name eq 'max_answer_size' ? "'2MB'" : 3));
	$control->reload;
	ok(poll_until(sub { ask('', @operator) eq '|SUCCESS|' }, 10), 'until it is mended');
}

done_testing();
