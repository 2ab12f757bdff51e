# DqdsTest::Hostile: the list of hostile cases, and the checks after each of them.
#
# t/hostile_cases.txt is the list: a line for each case, with its id, the test file that has it, and the expected result. A test
# marks a case by hostile('id', sub {…}) around its checks, or by hostile => 'id' in a table whose rows it passes to hostile.
# 099_hostile_cases.pl compares the marks with the list. Whatever was sent, afterwards:
#
#   - the bridge is alive, and answers the health check quickly (the slowest answer is printed; only a hang is a failure);
#   - the session that a test watches is still the same, and works;
#   - no answer of the bridge holds a password, a connection string or SQL, nor does its log, nor a token; the log of the
#     control server holds no password of the remote;
#   - in the end descriptors and memory of the bridge are back where they were, and so are the sockets of the session.
#
#   hostile_watch(bridge => $bridge, control => $control, remote => $remote, sql => $sql);
#   hostile('length-twice', sub { sends('two Content-Lengths', …, 400) });
#   hostile_end();
package DqdsTest::Hostile;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(hostile hostile_watch hostile_session hostile_also hostile_end hostile_cases);

# Health is told within 100 ms on a machine that does nothing else; what is certain everywhere is that it does not hang.
use constant HEALTH_LIMIT => patience(2);

# hostile_cases(): the list: {id => {file, outcome}}.
sub hostile_cases
{
	my $list = __FILE__ =~ s{lib/DqdsTest/[^/]*$}{hostile_cases.txt}r;
	my %cases;
	foreach my $line (split /\n/, slurp_file($list))
	{
		next if $line =~ /^#|^$/;
		my ($id, $file, $outcome) = $line =~ /^([a-z0-9-]+) +(\S+\.pl) +(\S.*)$/ or die "$list: $line\n";
		die "$list: $id is there twice\n" if $cases{$id};
		$cases{$id} = { file => $file, outcome => $outcome };
	}
	return %cases;
}

my %list = hostile_cases();
my ($file) = $0 =~ m{([^/]+)$};
my (%watched, %before, @leaks, %done);
my ($slowest, $checked) = (0, 0);

# What may be in no answer: SQL of ours, and how the bridge logs in. Secrets are added to it.
my @forbidden = (qr/\bSELECT\b[^"]*\bFROM\b/, qr/OPERATOR\(pg_catalog/, qr/dqds_\w+_json\(/, qr/user=dqds_bridge/);

sub inspect
{
	my ($bytes) = @_;
	push @leaks, grep { $bytes =~ $_ } @forbidden;
	return;
}

# hostile_watch(bridge => PROCESS, control => NODE, options): what is looked at after each case from now on.
#   sql => SESSION: must go on working     remote => NODE: its password is secret     secrets => [TEXT…]: as well
# Without a bridge one is started.
sub hostile_watch
{
	my (%opt) = @_;
	%watched = %opt;
	$watched{bridge} //= start_bridge($watched{control}, level => 'admin');
	push @forbidden, map { qr/\Q$_\E/ } @{ $opt{secrets} // [] }, $opt{remote} ? remote_password($opt{remote}) : (), $opt{control}->host;
	$DqdsTest::Http::inspect = \&inspect;
	warm_up();
	%before = measure();
	return $watched{bridge};
}

# What is used once for the first time is not a leak, and what has died is found out when it is used: every thread of the
# bridge gets a request, and every control connection that it may have gets one of them.
sub warm_up
{
	my $locker = DqdsTest::Sql->connect($watched{control});
	# A standby takes no lock; then it is as many as there happen to be.
	$locker->query('BEGIN; LOCK TABLE dqds_connection IN ACCESS EXCLUSIVE MODE');
	my @sockets = map { open_socket($watched{bridge}) } 1 .. 256;
	foreach my $socket (@sockets) { syswrite $socket, "GET /api/connections/none/basic HTTP/1.1\r\nHost: localhost\r\n\r\n"; }
	my $waiting = q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dqds-bridge' AND wait_event_type = 'Lock');
	poll_until(sub { ($locker->query($waiting)->{rows}[0]{count} // 32) >= 32 }, 3);
	$locker->close;
	read_all($_, 20) foreach @sockets;
	return;
}

# hostile_session(SESSION): this is the session to look at from now on; undef: none.
sub hostile_session { ($watched{sql}) = @_; return; }

# hostile_also(TEXT…): these are secrets, too.
sub hostile_also { push @forbidden, map { qr/\Q$_\E/ } @_; return; }

# Descriptors without those of control connections, which come and go with the load; resident memory in kB; the sockets of the
# session's backend, but for idle remote sessions.
sub measure
{
	my $sockets = 0;
	if (my $sql = $watched{sql})
	{
		$sql->must('SELECT dqds_close_idle()');
		$sockets = grep { (readlink($_) // '') =~ /^socket:/ } glob '/proc/' . $sql->pid . '/fd/*';
	}
	my $pid       = $watched{bridge}->pid;
	my $all       = () = glob "/proc/$pid/fd/*";
	my $logged_in = $watched{control}->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dqds-bridge'));
	my ($memory) = slurp_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
	return (descriptors => $all - $logged_in, memory => $memory, sockets => $sockets);
}

# Health, told quickly: good or not, for on a busy machine the control database may be slow to answer the bridge. It must be
# good within some seconds.
sub health_fault
{
	my ($bridge) = @_;
	my $fault;
	my $good = poll_until(
		sub {
			my $began  = time;
			my $answer = http($bridge, GET => '/api/ishealthy', {}, undef, 10);
			my $took   = time - $began;
			$slowest = $took if $took > $slowest;
			$checked++;
			$fault = sprintf 'health: %s after %.1f s', $answer->{error} // $answer->{status}, $took;
			return 1 if $took > HEALTH_LIMIT || defined $answer->{error};
			$fault = undef if $answer->{status} == 200;
			return $answer->{status} == 200;
		},
		10);
	return $fault;
}

# What is not well; undef: nothing.
sub unwell
{
	my ($bridge, $sql) = @watched{qw(bridge sql)};
	return 'the bridge does not run' if !$bridge->running;
	my $fault = health_fault($bridge);
	return $fault if defined $fault;
	my @leaked = splice @leaks;
	return "an answer held $leaked[0]" if @leaked;
	return if !$sql;
	my $ping = eval { $sql->query('SELECT 1 AS one', 10) };
	return 'the session is gone' if !$ping || $ping->{ended} || ($ping->{rows}[0]{one} // '') ne '1';
	return;
}

# hostile(ID, SUB, bridge => sub { another one to look at afterwards }): SUB has the checks of this case; there must be some, and all
# must pass.
sub hostile
{
	my ($id, $checks, %opt) = @_;
	local $watched{bridge} = $opt{bridge} // $watched{bridge};
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	die "the case $id is not in hostile_cases.txt for $file\n" if ($list{$id}{file} // '') ne $file;
	my $builder = Test::More->builder;
	my $from    = $builder->current_test;
	$checks->();
	local $watched{bridge} = $opt{bridge}->() if $opt{bridge};
	my @results = ($builder->summary)[ $from .. $builder->current_test - 1 ];
	my $fault   = !@results ? 'nothing was checked' : (grep { !$_ } @results) ? 'it failed' : unwell();
	is($fault, undef, "[hostile: $id] $list{$id}{outcome}");
	$done{$id} = 1 if !defined $fault;
	return;
}

# hostile_end(memory => 8192): the bridge is as it was, but for so many kB; its log has nothing in it that it must not have. To
# be called while it runs.
sub hostile_end
{
	my (%opt) = @_;
	my $limit = $opt{memory} // 8_192;
	is(unwell(), undef, 'in the end all is well');
	# Control connections that have died are found out when they are used, that of health included.
	warm_up();
	my %now;
	ok(poll_until(sub { http($watched{bridge}, GET => '/api/ishealthy'); %now = measure(); $now{descriptors} <= $before{descriptors} }, 15), "hostile: descriptors are back ($before{descriptors}, then $now{descriptors})")
	  or diag(join ' ', map { readlink($_) // '' } glob '/proc/' . $watched{bridge}->pid . '/fd/*');
	# The heaps of the threads breathe.
	memory_below($now{memory}, $before{memory} + $limit, "hostile: memory is back ($before{memory} kB, then $now{memory} kB)");
	ok(poll_until(sub { %now = measure(); $now{sockets} <= $before{sockets} }, 15), "hostile: so are the sockets of the session ($before{sockets}, then $now{sockets})") if $watched{sql};
	unlike(slurp_file($watched{control}->logfile), qr/\Q@{[ remote_password($watched{remote}) ]}\E/, 'hostile: the log of the control server holds no password') if $watched{remote};
	# What is in quotation marks in the log is what clients have sent.
	my @lines = map { s/"(?:[^"\\]|\\.)*"/""/gr } split /\n/, $watched{bridge}->log;
	my @bad   = grep { my $line = $_; grep { $line =~ $_ } @forbidden, qr/dqds_[0-9a-f]{64}/, qr/\bhost(?:addr)?=/ } @lines;
	is(join("\n", @bad), '', 'hostile: the log holds no secret, no SQL and no connection string');
	diag(sprintf '%d hostile cases; slowest of %d answers about health %.0f ms', scalar keys %done, $checked, 1000 * $slowest);
	record() if Test::More->builder->is_passing;
	$DqdsTest::Http::inspect = undef;
	%watched = ();
	return;
}

# For the count at the end of the whole run: a file for each case that has passed.
sub record
{
	return if !defined $ENV{TESTDATADIR};
	my $dir = "$ENV{TESTDATADIR}/hostile";
	mkdir $dir;
	foreach my $id (keys %done)
	{
		open my $out, '>', "$dir/$id" or die "$dir/$id: $!";
		printf $out "%.0f\n", 1000 * $slowest;
		close $out;
	}
	return;
}

1;
