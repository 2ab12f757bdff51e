# DqdsTest: code shared by the TAP tests, on top of PostgreSQL::Test::Cluster.
#
# It starts real servers (a control database with dqds, remote databases, PgBouncer, the bridge, a scripted TCP server) and
# exports the functions of DqdsTest::Http and DqdsTest::Under. Everything that it starts ends with the test, however that ends
# (DqdsTest::Process). Every wait is bounded. It makes no assertions: those belong in the tests.
#
# Text and bytes: SQL, JSON and HTTP bodies are UTF-8 byte strings everywhere; only from_json decodes.
#
#   use DqdsTest;
#   my $remote  = remote_server('remote');
#   my $control = control_server('control');
#   create_connection($control, 'shop', connection_model($remote));
#   my $bridge  = start_bridge($control, connections => ['shop']);
#   my $answer  = http($bridge, GET => '/api/datasource/connections/shop/schemas');
#   is($answer->{status}, 200);
package DqdsTest;

use strict;
use warnings;

use DqdsTest::Http;
use DqdsTest::Process;
use DqdsTest::Under;
use Exporter 'import';
use IO::Socket::INET;
use JSON::PP ();
use POSIX    ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time sleep);

our @EXPORT = (
	qw(control_server remote_server standby_of wide_server remote_password connection_model create_connection grant_role),
	qw(start_bridge bridge_conninfo run_bridge health_of start_pgbouncer pgbouncer_version start_fake_server free_port),
	qw(reload_with restart_at_once has_extension has_library create_wrapper to_json from_json sql_literal poll_until line_differences),
	@DqdsTest::Http::EXPORT, @DqdsTest::Under::EXPORT);

# --- Helpers -----------------------------------------------------------------------------------------

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# to_json(DATA): JSON as UTF-8 bytes, keys sorted. from_json(BYTES): the data; dies if BYTES are not JSON.
sub to_json   { return $json->encode($_[0]); }
sub from_json { return $json->decode($_[0]); }

# sql_literal(TEXT): TEXT as an SQL string constant.
sub sql_literal
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return $text =~ s/\\/\\\\/g ? " E'$text'" : "'$text'";
}

# poll_until(SUB, SECONDS = 30): calls SUB until it returns true; returns that, or false when the time is over.
sub poll_until
{
	my ($check, $seconds) = @_;
	my $end = time + patience($seconds // 30);
	while (1)
	{
		my $result = $check->();
		return $result if $result;
		return         if time > $end;
		sleep 0.02;
	}
}

# line_differences(GOT, EXPECTED): the lines of two texts that the other one lacks, in whatever order; '' when there are none.
sub line_differences
{
	my ($got, $expected) = @_;
	my %count;
	$count{$_}++ foreach split /\n/, $got;
	$count{$_}-- foreach split /\n/, $expected;
	my @different = map { ($count{$_} > 0 ? 'too much: ' : 'missing: ') . $_ } grep { $count{$_} } sort keys %count;
	splice @different, 20, @different - 20, '…' if @different > 20;
	return join "\n", @different;
}

# free_port(): an unused TCP port of 127.0.0.1, reserved among tests that run at the same time.
sub free_port { return PostgreSQL::Test::Cluster::get_free_port(); }

# --- Servers -----------------------------------------------------------------------------------------

my %password_of;    # name of a remote server => password of its login role

# What Cluster->new wants to know of an installation that is not the one in PATH.
sub installation { return $_[0] ? (install_path => $_[0]) : (); }

# A running cluster, on its socket for the tests (superuser, no password) and, with tcp, on 127.0.0.1 with SCRAM.
sub new_server
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, installation($opt{installation}));
	$node->init(
		allows_streaming => $opt{streaming},
		extra            => [ '--no-locale', '--encoding=UTF8' ]);
	# log_statement: a test that looks for secrets in the log wants to see what dqds writes, not what the test sent.
	$node->append_conf('postgresql.conf', "log_statement = none\nmax_connections = 100");
	# At the end of a backend valgrind looks through all its memory.
	$node->append_conf('postgresql.conf', 'shared_buffers = 8MB') if under() eq 'valgrind';
	if ($opt{tcp})
	{
		# Versions before 14 would store passwords for md5.
		$node->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'\npassword_encryption = 'scram-sha-256'");
		open my $hba, '>', $node->data_dir . '/pg_hba.conf' or die "pg_hba.conf: $!";
		print $hba "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
		close $hba;
	}
	$node->append_conf('postgresql.conf', $opt{conf}) if defined $opt{conf};
	$node->start;
	return $node;
}

# control_server(NAME, options): a running PostgreSQL::Test::Cluster with dqds in its database postgres.
#   conf => lines for postgresql.conf (log_statement is none unless it says otherwise)
#   tcp => 1: listens on 127.0.0.1 as well, with SCRAM (so that it can be its own remote)
#   streaming => 1: a standby may follow it
#   installation => where another PostgreSQL is, with dqds in it
#   extension => 0: without CREATE EXTENSION
sub control_server
{
	my ($name, %opt) = @_;
	my $node = new_server($name, %opt);
	$node->safe_psql('postgres', 'CREATE EXTENSION dqds') if $opt{extension} // 1;
	return $node;
}

# remote_server(NAME, options): a running cluster that plays a remote source, on 127.0.0.1 with SCRAM passwords. It has
# a login role (role => 'reader') with a random password; tests work as superuser through the socket, as usual. The
# environment may name an installation of another version of PostgreSQL to take for it; its ->pg_version tells.
#   conf => lines for postgresql.conf
#   role => name of the login role
sub remote_server
{
	my ($name, %opt) = @_;
	# It has no dqds, so it need not run under sanitizers or valgrind.
	local $ENV{DQDS_TEST_REMOTE} = 1;
	my $node = new_server($name, %opt, tcp => 1, installation => $ENV{DQDS_REMOTE_INSTALLATION});
	$node->{dqds_role}    = $opt{role} // 'reader';
	$password_of{ $name } = join '', map { sprintf '%04x', int rand 65536 } 1 .. 6;
	my $role = $node->{dqds_role} =~ s/"/""/gr;
	$node->safe_psql('postgres', qq(CREATE ROLE "$role" LOGIN PASSWORD '$password_of{$name}'));
	return $node;
}

# standby_of(REMOTE, NAME): a hot standby of it, from a backup that is taken now, in the same installation; not started.
sub standby_of
{
	my ($remote, $name) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name, installation($ENV{DQDS_REMOTE_INSTALLATION}));
	$remote->backup('base');
	$standby->init_from_backup($remote, 'base', has_streaming => 1);
	return $standby;
}

# reload_with(NODE, LINES = none): adds lines to its postgresql.conf, has all its configuration files read, and waits for
# that: the postmaster reads them before it takes the next connection.
sub reload_with
{
	my ($node, $lines) = @_;
	$node->append_conf('postgresql.conf', $lines) if defined $lines;
	my $before = -s $node->logfile;
	$node->reload;
	$node->wait_for_log(qr/received SIGHUP/, $before);
	return;
}

# restart_at_once(NODE): stops it as a crash would, and starts it.
sub restart_at_once
{
	my ($node) = @_;
	$node->stop('immediate');
	$node->start;
	return;
}

# has_extension(NAME): can it be created in a control server? Not every installation comes with those of contrib, or with pg_cron.
sub has_extension
{
	my ($name) = @_;
	chomp(my $share = `$ENV{PG_CONFIG} --sharedir`);
	return -e "$share/extension/$name.control";
}

# has_library(NAME): the same of a module that is only loaded.
sub has_library
{
	my ($name) = @_;
	chomp(my $libraries = `$ENV{PG_CONFIG} --pkglibdir`);
	return -e "$libraries/$name.so";
}

# create_wrapper(CONTROL, EXTENSION): the foreign data wrapper of postgres_fdw or dblink. In an installation that comes without
# them, one of the same name whose validator, in a library of the same name, takes any option: dqds does not ask for more.
sub create_wrapper
{
	my ($control, $extension) = @_;
	return $control->safe_psql('postgres', "CREATE EXTENSION $extension") if has_extension($extension);
	my $wrapper = $extension eq 'dblink' ? 'dblink_fdw' : $extension;
	chomp(my ($include, $libraries) = (`$ENV{PG_CONFIG} --includedir-server`, `pg_config --pkglibdir`));
	my $source = PostgreSQL::Test::Utils::tempdir($extension) . '/validator.c';
	write_file($source, <<"C");
#include "postgres.h"
#include "fmgr.h"
PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(${wrapper}_validator);
Datum ${wrapper}_validator(PG_FUNCTION_ARGS) { PG_RETURN_VOID(); }
C
	system($ENV{CC} // 'cc', '-shared', '-fPIC', '-I', $include, '-o', "$libraries/$extension.so", $source) == 0 or die "no validator for $wrapper\n";
	$control->safe_psql('postgres', "CREATE FUNCTION ${wrapper}_validator(text[], oid) RETURNS void LANGUAGE c STRICT AS '\$libdir/$extension';"
		  . "CREATE FOREIGN DATA WRAPPER $wrapper VALIDATOR ${wrapper}_validator");
	return;
}

# remote_password(REMOTE): the password of its login role.
sub remote_password { return $password_of{ $_[0]->name }; }

# wide_server(NAME, SCHEMA, COUNT, COLUMNS = ''): a remote_server whose login role owns a SCHEMA of COUNT tables with these columns
# (100,000 without any take about 10 seconds). Their names sort differently by code point than by alphabet. Returns the server and, as a
# reference to an array, the names in the order of their bytes.
sub wide_server
{
	my ($name, $schema, $count, $columns) = @_;
	$columns //= '';
	my $node = remote_server($name, conf => "wal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\nmax_locks_per_transaction = 256");
	my ($role, $ident) = map { '"' . ($_ =~ s/"/""/gr) . '"' } $node->{dqds_role}, $schema;
	$node->safe_psql('postgres', "CREATE SCHEMA $ident AUTHORIZATION $role");
	# Two sessions at once, each in transactions of 5,000 tables, since every table is locked until the end of its own.
	my @sessions = map {
		my $sql = "DO \$\$ BEGIN FOR i IN 1 .. $count LOOP IF i % 2 = $_ THEN"
		  . " EXECUTE format('CREATE TABLE %I ($columns)', (ARRAY['a','B','_','é','Z','😀'])[1 + i % 6] || substr(md5(i::text), 1, 4) || i);"
		  . " END IF; IF i % 10000 = 0 THEN COMMIT; END IF; END LOOP; END \$\$";
		my @commands = map { ('-c', $_) } "SET SESSION AUTHORIZATION $role", "SET search_path = $ident", $sql;
		IPC::Run::start([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), @commands ], '<', '/dev/null')
	} 0, 1;
	foreach my $session (@sessions) { $session->finish or die "the tables of $name were not created\n"; }
	my @names = split /\n/, $node->safe_psql('postgres', "SELECT relname FROM pg_class WHERE relnamespace = '$ident'::regnamespace");
	return ($node, [ sort @names ]);
}

# connection_model(REMOTE, KEY => VALUE…): a connection model for REMOTE as JSON, of provider postgresql (database
# postgres, its login role). Keys of the provider's section go there, all others to the top; undef leaves a key out.
# REMOTE may be undef: then host, port and so on are up to the caller.
my %section_key = map { $_ => 1 }
  qw(host port database user password sslmode options properties postgresql_engine_type redshift_authentication_mode);

sub connection_model
{
	my ($remote, %override) = @_;
	my %section;
	%section = (
		host     => '127.0.0.1',
		port     => '' . $remote->port,
		database => 'postgres',
		user     => $remote->{dqds_role},
		password => remote_password($remote)) if $remote;
	my %top = (provider_type => 'postgresql');
	foreach my $key (keys %override)
	{
		my $part = $section_key{$key} ? \%section : \%top;
		$part->{$key} = $override{$key};
		delete $part->{$key} unless defined $override{$key};
	}
	$top{ $top{provider_type} } //= \%section if defined $top{provider_type};
	return to_json(\%top);
}

# create_connection(CONTROL, NAME, MODEL): registers it as superuser.
sub create_connection
{
	my ($control, $name, $model) = @_;
	$control->safe_psql('postgres',
		'SELECT dqds_create_connection(' . sql_literal($name) . ', ' . sql_literal($model) . ')');
	return;
}

# grant_role(CONTROL, ROLE, options): makes ROLE (NOLOGIN) where it is missing, and grants it
#   level => 'editor' (nothing if undef), connections => [NAME…]
sub grant_role
{
	my ($control, $role, %opt) = @_;
	my $ident = '"' . ($role =~ s/"/""/gr) . '"';
	my $name  = sql_literal($role);
	my $sql   = '';
	$sql .= "CREATE ROLE $ident NOLOGIN;"
	  unless $control->safe_psql('postgres', "SELECT 1 FROM pg_roles WHERE rolname = $name");
	$sql .= 'SELECT dqds_grant(' . sql_literal($opt{level}) . ', ' . sql_literal($ident) . ');' if defined $opt{level};
	$sql .= 'SELECT dqds_grant_connection(' . sql_literal($_) . ', ' . sql_literal($ident) . ');'
	  foreach @{ $opt{connections} // [] };
	$control->safe_psql('postgres', $sql) if $sql;
	return;
}

# start_pgbouncer(REMOTE, MODE = 'transaction', CONF = '', DATABASES = '*'): PgBouncer in front of REMOTE for its login role
# and its databases; CONF are more lines for [pgbouncer]. Returns a DqdsTest::Process with ->port.
sub start_pgbouncer
{
	my ($remote, $mode, $conf, $databases) = @_;
	my $dir  = PostgreSQL::Test::Utils::tempdir('pgbouncer');
	my $port = free_port();
	my ($role, $password) = map { s/"/""/gr } $remote->{dqds_role}, remote_password($remote);
	write_file("$dir/users", qq("$role" "$password"\n));
	write_file(
		"$dir/pgbouncer.ini",
		join "\n",
		'[databases]',
		($databases // '*') . ' = host=127.0.0.1 port=' . $remote->port,
		'[pgbouncer]',
		'listen_addr = 127.0.0.1',
		"listen_port = $port",
		'unix_socket_dir =',
		'auth_type = scram-sha-256',
		"auth_file = $dir/users",
		'pool_mode = ' . ($mode // 'transaction'),
		$conf // '', '');
	my $process = DqdsTest::Process->start('pgbouncer', "$dir/log", [ 'pgbouncer', "$dir/pgbouncer.ini" ]);
	$process->{port} = $port;
	$process->await(qr/process up/, 20);
	return $process;
}

# pgbouncer_version(): as a number that can be compared: 1.024 for 1.24.
sub pgbouncer_version
{
	my ($major, $minor) = `pgbouncer --version` =~ /^PgBouncer (\d+)\.(\d+)/m or die "pgbouncer does not tell its version\n";
	return sprintf '%d.%03d', $major, $minor;
}

# start_fake_server(SUB, ADDRESS = 127.0.0.1, PORT = any): listens there and calls SUB->(socket, number of the connection from 1) for
# each connection, in a process of its own; the connection is closed when SUB returns. For servers that keep silent,
# lie or break off. Returns a DqdsTest::Process with ->port.
sub start_fake_server
{
	my ($serve, $address, $port) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => $address // '127.0.0.1', LocalPort => $port // 0, Listen => 128, ReuseAddr => 1)
	  or die "cannot listen: $!";
	my $process = DqdsTest::Process->start(
		'fake server',
		undef,
		sub {
			my $count = 0;
			$SIG{CHLD} = 'IGNORE';
			# The whole group goes when the test stops this process.
			while (1)
			{
				my $socket = $listener->accept or next;
				$count++;
				my $pid = fork // die "fork: $!";
				if ($pid == 0)
				{
					$SIG{CHLD} = 'DEFAULT';
					$SIG{PIPE} = 'IGNORE'; # a client may disconnect in the middle
					$listener->close;
					eval { $serve->($socket, $count) };
					print STDERR "fake server: $@" if $@;
					close $socket;
					POSIX::_exit(0);
				}
				close $socket;
			}
		});
	$process->{port} = $listener->sockport;
	close $listener;
	return $process;
}

# --- The bridge --------------------------------------------------------------------------------------

sub bridge_program { return $ENV{DQDS_BRIDGE} // 'bridge/dqds-bridge'; }

# start_bridge(CONTROL, options): a running bridge on a port of its own, for the database postgres of CONTROL, logged in
# as the role dqds_bridge. Returns a DqdsTest::Process with ->port.
#   anonymous => 'dqds_anonymous': the role of requests without a token; undef: none
#   level => 'editor', connections => [NAME…]: what that role is granted (level undef: nothing)
#   control_db => a conninfo string in place of CONTROL, which then may be undef; no roles are made or granted
#     (for a standby: control_db => bridge_conninfo($standby))
#   options => [more options], env => {more environment}
sub start_bridge
{
	my ($control, %opt) = @_;
	my $anonymous = exists $opt{anonymous} ? $opt{anonymous} : 'dqds_anonymous';
	my $level     = exists $opt{level}     ? $opt{level}     : 'editor';
	my $control_db = $opt{control_db} // bridge_conninfo($control);
	if (!defined $opt{control_db})
	{
		grant_role($control, $anonymous, level => $level, connections => $opt{connections}) if defined $anonymous;
		$control->safe_psql('postgres', 'CREATE ROLE dqds_bridge LOGIN NOINHERIT')
		  unless $control->safe_psql('postgres', "SELECT 1 FROM pg_roles WHERE rolname = 'dqds_bridge'");
		$control->safe_psql('postgres', 'GRANT "' . ($anonymous =~ s/"/""/gr) . '" TO dqds_bridge')
		  if defined $anonymous;
	}
	my @command = (bridge_program(), '--listen', '127.0.0.1:0', '--control-db', $control_db);
	push @command, '--anonymous-role', $anonymous if defined $anonymous;
	push @command, @{ $opt{options} // [] };

	my $log = PostgreSQL::Test::Utils::tempdir('bridge') . '/log';
	my $process = DqdsTest::Process->start('bridge', $log, \@command, $opt{env});
	my ($port) = $process->await(qr{listening on http://127\.0\.0\.1:(\d+)}, 30);
	$process->{port} = $port;
	return $process;
}

# bridge_conninfo(NODE): how the bridge reaches the database postgres of NODE.
sub bridge_conninfo
{
	my ($node) = @_;
	return sprintf "host=%s port=%d dbname=postgres user=dqds_bridge", $node->host, $node->port;
}

# run_bridge(ARGUMENT…): runs the bridge to its end, for --version, --check and unusable options. Returns exit status
# (undef if it had to be killed after 30 seconds), standard output, standard error.
sub run_bridge
{
	my (@arguments) = @_;
	my ($out, $err) = ('', '');
	my $ended = eval {
		IPC::Run::run([ bridge_program(), @arguments ], '<', \'', '>', \$out, '2>', \$err, IPC::Run::timeout(patience(30)));
		1;
	};
	return ($ended ? $? >> 8 : undef, $out, $err);
}

# health_of(BRIDGE, SECONDS = 60 for an answer): the answer about its health. The control database has 80 ms to answer, which
# can be too short on a busy machine: then the check is repeated.
sub health_of
{
	my ($bridge, $seconds) = @_;
	my $answer;
	poll_until(sub { ($answer = http($bridge, GET => '/api/ishealthy', {}, undef, $seconds))->{status} == 200 }, 5);
	return $answer;
}

sub write_file
{
	my ($name, $text) = @_;
	open my $file, '>', $name or die "$name: $!";
	chmod 0600, $name;
	print $file $text;
	close $file or die "$name: $!";
	return;
}

1;
