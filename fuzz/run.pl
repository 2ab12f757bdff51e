# run.pl TARGET…: runs fuzz targets and reports the results. Only packaging/fuzz calls it: it needs the output of `make
# fuzz-build`, and the environment that is set there.
#
# A target is a test: it passes if it has run its time and found nothing.
use strict;
use warnings;

use DqdsTest;
use File::Basename;
use File::Copy;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Standard output is the log of PostgreSQL's test framework; this is shown to the caller.
my $out = Test::More->builder->output;

my $seconds = $ENV{FUZZ_SECONDS};
my $build   = 'fuzz/build';
my $work    = $PostgreSQL::Test::Utils::tmp_check;

# For the start, the seeds, and the rest at the end.
my $patience = 600;

# hosts: what may be connected to; PORT is that of the server itself. Patterns of names look nothing up but these names.
my %targets = (
	agent   => { code => 'src/agent', hosts => '127.0.0.1', in_server => 1 },
	http    => { code => 'bridge', hosts => 'localhost:PORT' },
	model   => { code => 'src',    hosts => 'nowhere.fuzz.invalid', in_server => 1 },
	replies => { code => 'src',    hosts => '127.0.0.1', in_server => 1 });

# A tool of the clang that the server's build files name.
my $makefile = dirname(qx{$ENV{PG_CONFIG} --pgxs}) . '/../Makefile.global';
my ($clang)  = slurp_file($makefile) =~ /^CLANG = (\S+)$/m or die "$makefile names no clang\n";

sub clang_file { my ($name) = @_; chomp(my $file = qx{$clang -print-file-name=$name}); return $file; }
sub clang_tool { my ($name) = @_; chomp(my $file = qx{$clang -print-prog-name=$name}); return $file; }

# The sanitizers' options. A huge allocation is refused, as by a machine that has no more memory: that is quicker.
my %sanitizers = (
	ASAN_OPTIONS => 'abort_on_error=1:handle_abort=0:detect_leaks=0:allocator_may_return_null=1:'
	  . 'max_allocation_size_mb=64:quarantine_size_mb=32',
	UBSAN_OPTIONS        => 'print_stacktrace=1',
	ASAN_SYMBOLIZER_PATH => clang_tool('llvm-symbolizer'));

# The server is not instrumented: so AddressSanitizer must be there before all else (packaging/instrument/early.c).
my $machine = (POSIX::uname())[4];
my $preload = clang_file("libclang_rt.asan-$machine.so") . ":$ENV{TESTDIR}/packaging/instrument/early.so";

# install(FILE): makes it the dqds.so of the private installation.
sub install
{
	my ($file) = @_;
	chomp(my $directory = qx{$ENV{PG_CONFIG} --pkglibdir});
	copy($file, "$ENV{FUZZ_TREE}$directory/dqds.so") or die "$file: $!";
	return;
}

# server(NAME): a throw-away server that is ready for the target of that name.
sub server
{
	my ($name) = @_;
	my $target = $targets{$name};
	local %ENV = (%ENV, %sanitizers, LD_PRELOAD => $preload, DQDS_SECRET_FUZZ => 'kept-aside-in-the-environment',
		LLVM_PROFILE_FILE => "$work/$name-%p.profraw") if $target->{in_server};
	my $node = control_server($name,
		tcp => 1, extension => 0,
		conf => "fsync = off\nautovacuum = off\nmax_wal_size = 4GB\nrestart_after_crash = off");
	my $hosts = $target->{hosts} =~ s/PORT/$node->port/er;
	$node->append_conf('postgresql.conf', "dqds.allowed_hosts = '$hosts'");
	$node->reload;
	$node->safe_psql('postgres', slurp_file('fuzz/setup.sql'));
	$node->safe_psql('postgres',
		q{CREATE PROCEDURE dqds_fuzz(target text, options text[]) LANGUAGE C AS '$libdir/dqds', 'dqds_fuzz'})
	  if $target->{in_server};
	unlink glob "$work/$name-*.profraw";    # of what set it up
	return $node;
}

# options(NAME): libFuzzer's, as a list. found/ gets what it finds, kept/NAME what reaches something new.
sub options
{
	my ($name) = @_;
	my $kept = "$ENV{FUZZ_KEPT}/$name";
	mkdir $_ foreach "$work/found", "$work/found/$name", $kept;
	my @input = $ENV{FUZZ_INPUT} ? $ENV{FUZZ_INPUT} : ("-max_total_time=$seconds", $kept, "$ENV{TESTDIR}/fuzz/corpus/$name");
	return ("-artifact_prefix=$work/found/$name/", "-dict=$ENV{TESTDIR}/fuzz/$name.dict", '-print_final_stats=1', '-print_funcs=0', @input);
}

# Runs the target in the server; returns libFuzzer's words, which are in the server's log.
sub run_in_server
{
	my ($name, $node) = @_;
	my $begin = -s $node->logfile;
	my $list  = join ',', map { sql_literal($_) } options($name);
	# The backend ends with libFuzzer, and takes the connection with it.
	my $ignored;
	IPC::Run::run(
		[ 'psql', '-qX', '-d', $node->connstr('postgres') . ' user=fuzzer', '-c', "CALL dqds_fuzz('$name', ARRAY[$list])" ],
		'<', \'', '>', \$ignored, '2>', \$ignored, IPC::Run::timeout($seconds + $patience));
	return slurp_file($node->logfile, $begin);
}

# The same for the bridge, which is a program of its own.
sub run_alone
{
	my ($name, $node) = @_;
	local %ENV = (%ENV, %sanitizers, FUZZ_CONTROL_DB => bridge_conninfo($node), LLVM_PROFILE_FILE => "$work/$name-%p.profraw");
	IPC::Run::run(
		[ "$build/$name", '-close_fd_mask=2', '-detect_leaks=0', options($name) ],
		'<', \'', '>', "$work/$name.log", '2>&1', IPC::Run::timeout($seconds + $patience));
	return slurp_file("$work/$name.log");
}

# coverage(NAME): the lines of the target's code that were run, in percent, file by file.
sub coverage
{
	my ($name) = @_;
	my $profile = "$work/$name.profdata";
	my @raw     = glob "$work/$name-*.profraw" or return 'no coverage was written';
	system_or_bail(clang_tool('llvm-profdata'), 'merge', '-o', $profile, @raw);
	my $object = $targets{$name}{in_server} ? "$build/dqds.so" : "$build/$name";
	my $report = qx{${\ clang_tool('llvm-cov')} report $object -instr-profile=$profile $targets{$name}{code}};
	my @files;
	foreach my $line (split /\n/, $report)
	{
		# File, then regions, functions, lines, branches: each with how many, how many missed, percent.
		my @column = split ' ', $line;
		next if @column < 10 || $column[9] !~ /%$/ || $column[7] == $column[8];
		push @files, sprintf '%s %.0f%%', basename($column[0]), $column[9];
	}
	return join ', ', @files;
}

# report(NAME, LOG): the figures of a run, and after a finding what is known of it.
sub report
{
	my ($name, $log) = @_;
	my ($total)  = $log =~ /\((\d+) inline 8-bit counters\)/;
	my ($runs)   = $log =~ /^stat::number_of_executed_units:\s*(\d+)/m;
	my ($rate)   = $log =~ /^stat::average_exec_per_sec:\s*(\d+)/m;
	my @edges    = $log =~ /\bcov: (\d+)/g;
	my @findings = glob "$work/found/$name/*";
	my $ended    = $ENV{FUZZ_INPUT} ? $log =~ /^Executed .* in \d+ ms$/m : $log =~ /^Done \d+ runs in \d+ second/m;

	if (ok($ended && !@findings, sprintf '%s: %d inputs, %d a second, %d of %d edges', $name, $runs // 0, $rate // 0, $edges[-1] // 0, $total // 0))
	{
		my $text = coverage($name) =~ s/(.{1,115})(?:, |$)/#   $1\n/gr;
		print $out "#   lines that were run:\n$text";
		return;
	}
	# From the report itself on, without the frames of the server and of libFuzzer.
	my ($told) = $log =~ /^((?:==\d+==\s*ERROR|ERROR:|.*runtime error:).*?)^(?:artifact_prefix|stat::)/ms;
	$told = join "\n", grep { !m{/bin/postgres\+|fuzzer::|/libc\.so|libc_start} } split /\n/, $told // substr $log, -3000;
	diag($told);
	diag("the input: $_") foreach @findings;
	return;
}

foreach my $name (@ARGV)
{
	install($targets{$name}{in_server} ? "$build/dqds.so" : 'dqds.so');
	print $out "# $name: $seconds s\n";
	my $ran = eval {
		my $node = server($name);
		report($name, $targets{$name}{in_server} ? run_in_server($name, $node) : run_alone($name, $node));
		$node->stop('immediate', fail_ok => 1);    # after a finding it has ended
		1;
	};
	fail("$name: it could not be run: $@") if !$ran;
}
done_testing();
