# DqdsTest::Refusing: real servers that are configured to refuse, each in a different way.
package DqdsTest::Refusing;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(refusing_roles hba_first black_hole freeze thaw kill_server lock_catalog unlock_catalog);

# refusing_roles(REMOTE): roles, all with the password of REMOTE's login role, and databases that one cannot log in as or to:
# roles trusted and rejected (by pg_hba.conf), cleartext (is asked for the password in the clear), kerberos (for a ticket),
# laborious (for two million iterations of SCRAM), "no login", limited, expired, passwordless; databases closed "db", full_db, template_like.
sub refusing_roles
{
	my ($remote) = @_;
	my $password = remote_password($remote);
	$remote->safe_psql('postgres', <<"SQL");
CREATE ROLE trusted LOGIN PASSWORD '$password';
CREATE ROLE rejected LOGIN PASSWORD '$password';
CREATE ROLE cleartext LOGIN PASSWORD '$password';
CREATE ROLE kerberos LOGIN PASSWORD '$password';
CREATE ROLE laborious LOGIN PASSWORD 'SCRAM-SHA-256\$2000000:c2FsdHNhbHRzYWx0c2FsdA==\$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
CREATE ROLE "no login" NOLOGIN PASSWORD '$password';
CREATE ROLE limited LOGIN PASSWORD '$password' CONNECTION LIMIT 0;
CREATE ROLE expired LOGIN PASSWORD '$password' VALID UNTIL '2001-01-01';
CREATE ROLE passwordless LOGIN;
CREATE DATABASE "closed ""db""";
REVOKE CONNECT ON DATABASE "closed ""db""" FROM PUBLIC;
CREATE DATABASE full_db CONNECTION LIMIT 0;
CREATE DATABASE template_like ALLOW_CONNECTIONS false;
SQL
	hba_first(
		$remote,
		'host all trusted 127.0.0.1/32 trust',
		'host all rejected 127.0.0.1/32 reject',
		'host all cleartext 127.0.0.1/32 password',
		'host all kerberos 127.0.0.1/32 gss');
	return;
}

# hba_first(REMOTE, LINE…): puts the lines at the top of its pg_hba.conf and has them read.
sub hba_first
{
	my ($remote, @lines) = @_;
	my $hba  = $remote->data_dir . '/pg_hba.conf';
	my $rest = slurp_file($hba);
	open my $file, '>', $hba or die "$hba: $!";
	print $file map { "$_\n" } @lines;
	print $file $rest;
	close $file;
	reload_with($remote);
	return;
}

# black_hole(): a port of 127.0.0.1 to which no connection succeeds, as long as the result is kept: Linux drops connection
# requests when the queue is full, without an answer. Has ->{port}.
sub black_hole
{
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 0) or die "cannot listen: $!";
	my $port     = $listener->sockport;
	my @queue;
	poll_until(
		sub {
			push @queue, IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Blocking => 0);
			return !IO::Select->new($queue[-1])->can_write(0.3);
		},
		20) or die "a full queue drops nothing here\n";
	return { port => $port, listener => $listener, queue => \@queue };
}

# freeze(REMOTE): stops its processes: the kernel accepts connections for it, and nothing serves them. thaw(REMOTE): continues
# them. A server that a test leaves frozen is thawed at its end.
my %frozen;

sub freeze
{
	my ($remote) = @_;
	my ($pid) = split /\n/, slurp_file($remote->data_dir . '/postmaster.pid');
	kill 'STOP', $pid;
	$frozen{$pid} = 1;
	return;
}

sub thaw
{
	my ($remote) = @_;
	my ($pid) = split /\n/, slurp_file($remote->data_dir . '/postmaster.pid');
	kill 'CONT', $pid;
	delete $frozen{$pid};
	return;
}

# kill_server(REMOTE): kill -9 to its postmaster; it can be started again.
sub kill_server
{
	my ($remote) = @_;
	my ($pid) = split /\n/, slurp_file($remote->data_dir . '/postmaster.pid');
	$remote->kill9;
	poll_until(sub { !kill 0, $pid }) or die "the postmaster $pid is still there\n";
	return;
}

END { kill 'CONT', keys %frozen if %frozen }

# lock_catalog(SESSION): queries at the server of this session hang from now on; the session itself can still look.
# unlock_catalog(SESSION): they go on.
sub lock_catalog { $_[0]->must('BEGIN; LOCK TABLE pg_catalog.pg_namespace IN ACCESS EXCLUSIVE MODE'); return; }
sub unlock_catalog { $_[0]->must('ROLLBACK'); return; }

1;
