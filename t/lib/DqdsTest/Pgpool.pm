# DqdsTest::Pgpool: pgpool-II in front of a remote server.
package DqdsTest::Pgpool;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Process;
use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_pgpool pgpool_version);

use constant PGPOOL => '/usr/sbin/pgpool';

# pgpool_version(): as a number that can be compared: 4.003 for 4.3.
sub pgpool_version
{
	my ($major, $minor) = qx(${\ PGPOOL} --version 2>&1) =~ /version (\d+)\.(\d+)/ or die "pgpool does not tell its version\n";
	return sprintf '%d.%03d', $major, $minor;
}

# start_pgpool(REMOTE, PASSWORDS, HBA = none, CONF = ''): pgpool-II in front of the server REMOTE, or of a port of 127.0.0.1. PASSWORDS
# is {role => password} of those that it logs in; HBA are lines for the top of its pool_hba.conf, in which all others have to
# use SCRAM; CONF are more lines for pgpool.conf. Returns a DqdsTest::Process with ->port.
sub start_pgpool
{
	my ($remote, $passwords, $hba, $conf) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my ($port, $control_port) = (free_port(), free_port());
	my %file = (
		pool_passwd     => join('', map { "$_:TEXT$passwords->{$_}\n" } sort keys %$passwords),
		'pool_hba.conf' => join('', map { "$_\n" } @{ $hba // [] }, 'host all all 127.0.0.1/32 scram-sha-256'),
		'pcp.conf'      => '',
		'pgpool.conf'   => join("\n",
			"listen_addresses = '127.0.0.1'",
			"port = $port",
			"pcp_listen_addresses = ''",
			"pcp_port = $control_port",
			(map { "$_ = '$dir'" } qw(socket_dir unix_socket_directories pcp_socket_dir wd_ipc_socket_dir logdir)),
			"pid_file_name = '$dir/pid'",
			"backend_clustering_mode = 'raw'",
			"backend_hostname0 = '127.0.0.1'",
			'backend_port0 = ' . (ref $remote ? $remote->port : $remote),
			"backend_flag0 = 'DISALLOW_TO_FAILOVER'",
			'enable_pool_hba = on',
			"pool_passwd = 'pool_passwd'",
			'num_init_children = 4',
			$conf // '', ''));
	foreach my $name (keys %file)
	{
		open my $file, '>', "$dir/$name" or die "$dir/$name: $!";
		chmod 0600, "$dir/$name";
		print $file $file{$name};
		close $file;
	}
	my $process = DqdsTest::Process->start('pgpool', "$dir/log",
		[ PGPOOL, '-n', '-f', "$dir/pgpool.conf", '-a', "$dir/pool_hba.conf", '-F', "$dir/pcp.conf" ]);
	$process->{port} = $port;
	$process->await(qr/pgpool-II successfully started/, 20);
	return $process;
}

1;
