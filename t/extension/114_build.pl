# How dqds is built: which PostgreSQL the scripts choose, and what the bridge is compiled and linked with. No server is started.
use strict;
use warnings;

use DqdsTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir('build');

# output_of(COMMAND…): what it prints, both streams; dies if it does not end.
sub output_of
{
	my $out = '';
	IPC::Run::run([@_], '<', '/dev/null', '>&', \$out, IPC::Run::timeout(60));
	chomp $out;
	return $out;
}

# An executable file with that text.
sub program
{
	my ($name, $text) = @_;
	my ($parent) = $name =~ m{^(.*)/};
	system('mkdir', '-p', $parent) == 0 or die "mkdir: $?";
	append_to_file($name, "#!/bin/sh\n$text\n");
	chmod 0755, $name or die "$name: $!";
	return $name;
}

# --- The version of PostgreSQL ---------------------------------------------------------------------------------------

# What a function of packaging/lib.sh prints, with that environment.
sub of_lib
{
	my ($call, %env) = @_;
	local @ENV{ keys %env } = values %env;
	delete local $ENV{PG_CONFIG} if !exists $env{PG_CONFIG};
	return output_of('bash', '-c', ". packaging/lib.sh; $call");
}

my $include = "$dir/include";
is(of_lib("installed_major '$include'"), '', 'no headers at all');
foreach my $case ([ 13 => '', 'a version that is too old' ], [ 16 => 16, 'the only one' ], [ 15 => 16, 'an older one beside it' ], [ 9.6 => 16, 'no number' ], [ 18 => 18, 'the highest one' ])
{
	my ($version, $expected, $what) = @$case;
	program("$include/$version/server/postgres.h", '');
	is(of_lib("installed_major '$include'"), $expected, "headers: $what");
}
system('mkdir', '-p', "$include/19/server", "$include/internal");
is(of_lib("installed_major '$include'"), 18, 'headers: a directory without them');

program("$dir/apt/apt-cache", q(test "$*" = 'depends postgresql' && printf 'postgresql\n  Depends: postgresql-17\n |Depends: debconf\n  Suggests: postgresql-doc\n'));
is(of_lib('apt_major', PATH => "$dir/apt:$ENV{PATH}"), 17, 'the version of the package postgresql');
program("$dir/no-apt/apt-cache", 'exit 100');
is(of_lib('apt_major', PATH => "$dir/no-apt:$ENV{PATH}"), '', 'apt knows no such package');

my $own = program("$dir/own/pg_config", 'echo PostgreSQL 16beta2');
is(of_lib('pg_major; choose_pg_config; echo $PG_CONFIG', PATH => "$dir/own:$ENV{PATH}"), "16\n$own", 'a pg_config of its own, first in PATH');
my $named = program("$dir/named/pg_config", 'echo PostgreSQL 18.4');
is(of_lib('pg_major; choose_pg_config; echo $PG_CONFIG', PATH => "$dir/own:$ENV{PATH}", PG_CONFIG => $named), "18\n$named", 'PG_CONFIG comes before it');
like(of_lib('v=$(pg_major) || echo failed', PG_CONFIG => "$dir/none/pg_config"), qr{\Q$dir/none/pg_config\E cannot be run.*failed}s, 'PG_CONFIG that does not run');

# --- The bridge: what the caller says counts, and headers and library of libpq are of one installation --------------------------------

# The commands that would build the bridge: [compile one file, link].
sub commands
{
	my ($environment, @arguments) = @_;
	local @ENV{ keys %$environment } = values %$environment;
	my @lines = split /\n/, output_of('make', '-n', '-B', @arguments, 'bridge/dqds-bridge');
	return (grep({ m{-c -o bridge/text\.o} } @lines), grep { m{-o bridge/dqds-bridge} } @lines);
}

my $config = $ENV{PG_CONFIG};
my ($compile, $link) = commands({});
chomp(my ($libpq_include, $libpq_lib) = (`$config --includedir`, `$config --libdir`));
like($compile, qr/-O2 -g -fstack-protector-strong/, 'the bridge is optimized and hardened by itself');
like($compile, qr/-I\Q$libpq_include\E /, 'with the headers of the libpq that pg_config names');
like($link, qr/-L\Q$libpq_lib\E .*-lpq/, 'and with its library');

my %flags = (CFLAGS => '-O1 -DOF_CFLAGS', CPPFLAGS => '-DOF_CPPFLAGS', LDFLAGS => '-Wl,-z,noexecstack');
foreach my $way ([ 'the environment', \%flags ], [ 'the command line', {}, map { "$_=$flags{$_}" } keys %flags ])
{
	my ($what, @how) = @$way;
	($compile, $link) = commands(@how);
	like($compile, qr/-O1 -DOF_CFLAGS/, "CFLAGS of $what");
	unlike($compile, qr/-O2|FORTIFY/, "CFLAGS of $what take the place of our own");
	like($compile, qr/-DOF_CPPFLAGS/, "CPPFLAGS of $what");
	like($link, qr/-Wl,-z,noexecstack/, "LDFLAGS of $what");
}

# Another libpq than that of the system: both are its own.
my $other = program("$dir/other/pg_config", qq{case \$1 in --includedir) echo /opt/pg/include ;; --libdir) echo /opt/pg/lib ;; *) exec $config "\$@" ;; esac});
($compile, $link) = commands({}, "PG_CONFIG=$other");
like($compile, qr{-I/opt/pg/include }, 'headers of another libpq');
like($link, qr{-L/opt/pg/lib }, 'and its library');

done_testing();
