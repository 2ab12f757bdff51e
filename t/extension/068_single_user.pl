# Single-user mode has no postmaster whose end could be waited for: listings work there as well.
use strict;
use warnings;

use DqdsTest;
use IPC::Run;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
$remote->safe_psql('postgres', 'CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO reader');
create_connection($control, 'remote', connection_model($remote));
$control->stop;

my ($bin) = map { chomp; $_ } qx(pg_config --bindir);
my ($out, $err) = ('', '');
my $listing = q(SELECT string_agg(schema_name, ' ') AS schemas FROM dqds_list_schemas('remote'));
my $sockets = q(SELECT count(*) AS sockets FROM pg_ls_dir('/proc/self/fd'));
my $input   = "$listing\n$listing\n" . ("$sockets\n$listing\n" x 3) . "$sockets\n";
IPC::Run::run([ "$bin/postgres", '--single', '-D', $control->data_dir, 'postgres' ], '<', \$input, '>', \$out, '2>', \$err, IPC::Run::timeout(120));
is(scalar(() = $out =~ /schemas = "public shop"/g), 5, 'five listings, five answers') or diag("$out\n$err");
unlike($err, qr/ERROR/, 'without an error');
my @sockets = $out =~ /sockets = "(\d+)"/g;
is($sockets[-1], $sockets[0], 'and without more descriptors each time') or diag("@sockets");

done_testing();
