# `make installcheck` passes on servers as Debian makes them, whatever their port, with TLS or without it, and whatever the encoding
# of their own databases is; and it writes into the current directory only.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Tls;
use Cwd qw(getcwd);
use IO::Socket::INET;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $project = getcwd();
my $tls     = PostgreSQL::Test::Utils::tempdir('tls');
new_certificate($tls, 'server', names => 'DNS:localhost');

# Ports that are written in the expected output, where they are the defaults of providers; one that is free here, or any.
my ($known) = grep { IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_, Listen => 1) } 5432, 5439, 8812;

foreach my $case (
	[ 'sql_ascii', $known, [ '--encoding=SQL_ASCII', '--locale=C' ], "ssl = on\nssl_cert_file = '$tls/server.crt'\nssl_key_file = '$tls/server.key'" ],
	[ 'latin1', undef, [ '--encoding=LATIN1', '--locale=C' ], 'ssl = off' ])
{
	my ($name, $port, $options, $settings) = @$case;
	my $node = PostgreSQL::Test::Cluster->new($name, defined $port ? (port => $port) : ());
	$node->init(extra => $options);
	# As in Debian's pg_hba.conf, but that the local user is not asked for.
	open my $hba, '>', $node->data_dir . '/pg_hba.conf' or die "pg_hba.conf: $!";
	print $hba "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n";
	close $hba;
	$node->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'\n$settings");
	$node->start;
	my $what = join ', ', 'port ' . $node->port, $node->safe_psql('template1', q(SELECT current_setting('ssl'), pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template1'));

	my $results = PostgreSQL::Test::Utils::tempdir('results');
	my $before  = join ' ', glob "$project/regression.* $project/results/*";
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	my $out = '';
	my $passed = IPC::Run::run([ 'make', '--no-print-directory', '-C', $results, '-f', "$project/Makefile", 'installcheck' ], '<', '/dev/null', '>&', \$out);
	ok($passed && $out =~ /All \d+ tests passed/, "make installcheck: $what")
	  or diag($out, -e "$results/regression.diffs" ? slurp_file("$results/regression.diffs") : '');
	is(join(' ', glob "$project/regression.* $project/results/*"), $before, 'the directory of the sources is as it was');
	$node->stop;
}

done_testing();
