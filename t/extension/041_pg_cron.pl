# Scheduled tests: pg_cron runs dqds_test_connection into a table, as a role that is not a superuser and may not read a
# password. The statements are taken from README; only the schedule is changed, to the start of the server.
use strict;
use warnings;

use DqdsTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'pg_cron is not installed with this server' if !has_extension('pg_cron');

# --- The recipe of README ----------------------------------------------------------------------------

my ($settings, $as_superuser, $as_monitor) = slurp_file('README.md') =~ /^### On a schedule\n.*?```\n(.*?)```.*?```\n(.*?)```.*?```\n(.*?)```/ms
  or BAIL_OUT('README.md has no recipe for pg_cron');
$settings =~ s/'dqds'/'postgres'/;

my $remote  = remote_server('remote');
my $control = control_server('control', conf => $settings);
create_connection($control, 'prod', connection_model($remote));
create_connection($control, 'withheld', connection_model($remote));
$control->safe_psql('postgres', $as_superuser);

sub as_monitor { return $control->safe_psql('postgres', $_[0], extra_params => [ '-U', 'dqds_monitor' ]); }

my $job = $control->safe_psql('postgres', $as_monitor);
is(as_monitor('SELECT username, schedule FROM cron.job'), 'dqds_monitor|*/5 * * * *', 'the job is scheduled for its maker');

# Another one, for a connection that the role may not use.
as_monitor(q{SELECT cron.schedule('test withheld', '@reboot', $$SELECT * FROM dqds_test_connection('withheld')$$)});

# --- It runs -----------------------------------------------------------------------------------------

$control->safe_psql('postgres', "UPDATE cron.job SET schedule = '\@reboot'");

# runs(TITLE, EXPECTED): restarts the control server and waits for the job's row.
sub runs
{
	my ($title, $expected) = @_;
	$control->safe_psql('postgres', 'TRUNCATE connection_log, cron.job_run_details');
	$control->restart;
	ok(poll_until(sub { as_monitor('SELECT count(*) FROM connection_log') }), "$title: the job has run");
	is(as_monitor(q{SELECT connection_name, result, error_code, elapsed_ms > 0, age(tested_at) < '1 day' FROM connection_log}), $expected,
		"$title: its row tells the outcome");
	ok(poll_until(sub { as_monitor(q{SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')}) == 2 }),
		"$title: pg_cron took note of the end of both jobs");
	is(as_monitor("SELECT status FROM cron.job_run_details WHERE jobid = $job"), 'succeeded', "$title: the one as a success");
	like(as_monitor("SELECT status, return_message FROM cron.job_run_details WHERE jobid <> $job"),
		qr/^failed\|ERROR:\s+connection "withheld" does not exist/, "$title: the other as a failure, since the role may not use that connection");
	return;
}

runs('background worker', 'prod|SUCCESS||t|t');

$control->append_conf('postgresql.conf', 'cron.use_background_workers = off');
$control->safe_psql('postgres', 'UPDATE cron.job SET nodename = ' . sql_literal($control->host));
runs('connection of its own', 'prod|SUCCESS||t|t');

# A source that is down gives an ordinary result.
$remote->stop;
runs('source away', 'prod|FAILURE|connection_refused|t|t');

my $password = remote_password($remote);
unlike(slurp_file($control->logfile), qr/$password/, 'no password in the log of the control server');

$control->stop;
done_testing();
