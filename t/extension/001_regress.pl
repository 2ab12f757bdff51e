# Runs the SQL tests (sql/, expected/) with pg_regress against a server that also listens on 127.0.0.1, so that the tests can
# use their own server as the remote one. On failure the differences are shown.
use strict;
use warnings;

use DqdsTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $control = control_server('regress', tcp => 1, extension => 0);

# `make installcheck` knows the list of the tests; pg_regress finds the server by the environment.
$ENV{PGHOST} = $control->host;
$ENV{PGPORT} = $control->port;
my ($out, $err) = ('', '');
my $passed = IPC::Run::run([ 'make', '--no-print-directory', 'installcheck' ], '<', '/dev/null', '>', \$out, '2>', \$err);
note($out);

ok($passed && $out =~ /All \d+ tests passed/, 'pg_regress')
  or diag($out, $err, -e 'regression.diffs' ? slurp_file('regression.diffs') : '');

$control->stop;
done_testing();
