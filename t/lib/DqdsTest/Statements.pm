# DqdsTest::Statements: the SQL in the sources of dqds, for tests that read it.
#
# A source is read as C: comments are left out, and string constants that follow each other are one. It must not know what the
# SQL is for.
#
#   my @strings    = sql_strings('bridge/routes.c');
#   my %of_family  = remote_queries();    # (POSTGRES => ['SELECT …', …], …)
#   my @calls      = calls_in(slurp_file('README.md'));
package DqdsTest::Statements;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(sql_strings remote_queries calls_in parameter_types);

my $string_constant = qr/"(?:[^"\\\n]|\\.)*"/;
my $sql_like        = qr/^\s*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|SET|RESET|CALL|BEGIN|COMMIT|DO|VALUES|GRANT|REVOKE|CREATE|ALTER|DROP|COPY|LOCK|TRUNCATE|NOTIFY|LISTEN|PREPARE|EXECUTE|DECLARE|FETCH)\s+\S/;

# The text of string constants that follow each other.
sub joined
{
	my ($constants) = @_;
	my $text = join '', map { substr $_, 1, -1 } $constants =~ /$string_constant/g;
	$text =~ s/\\(.)/$1/g;
	return $text;
}

# sql_strings(FILE): the string constants of a C source that look like SQL.
sub sql_strings
{
	my ($file) = @_;
	my $source = slurp_file($file);
	$source =~ s{/\*.*?\*/}{}gs;
	my @strings;
	push @strings, joined($1) while $source =~ /($string_constant(?:\s*$string_constant)*)/g;
	return grep { /$sql_like/ } @strings;
}

# remote_queries(): the queries of src/postgres/dialect.c by family, in the order of the questions. They are put together by the C
# preprocessor, so a test without a compiler fails.
sub remote_queries
{
	my $dir = PostgreSQL::Test::Utils::tempdir('dialect');
	mkdir "$dir/postgres" or die "$dir/postgres: $!";
	foreach my $path ('src/postgres/dialect.c', glob 'src/postgres/*_sql.h')
	{
		open my $copy, '>', $dir . ($path =~ s/^src//r) or die "$path: $!";
		print $copy slurp_file($path) =~ s/^#include (?!".*_sql\.h").*\n//mgr;
		close $copy;
	}
	my @compiler = split ' ', $ENV{CC} // 'cc';
	my ($source) = run_command([ @compiler, '-E', '-P', '-I', $dir, "$dir/postgres/dialect.c" ]);
	my ($table) = $source =~ /\} queries\[.*?\] = \{(.*?)\n?\};/s or die "src/postgres/dialect.c has no table of queries\n";
	my %queries;
	while ($table =~ /\[FAMILY_(\w+)\] = (.*?)(?=\[FAMILY_|\z)/gs)
	{
		my ($family, $rows) = ($1, $2);
		push @{ $queries{$family} }, joined($1) while $rows =~ /\{\s*($string_constant(?:\s*$string_constant)*)\s*,\s*\d+\s*\}/g;
	}
	return %queries;
}

# calls_in(TEXT): the calls dqds_…(…) in it, with their arguments.
sub calls_in
{
	my ($text) = @_;
	my @calls;
	push @calls, $1 while $text =~ /\b(dqds_\w+\((?:[^()']|'(?:[^']|'')*'|\([^()]*\))*\))/g;
	return @calls;
}

# parameter_types(STATEMENT): the types that $1, $2, … are cast to, in this order; dies where one is never cast.
sub parameter_types
{
	my ($statement) = @_;
	my %type;
	$type{$1} //= $2 while $statement =~ /\$(\d+)::((?:\w+\.)?\w+(?:\[\])?)/g;
	my ($last) = sort { $b <=> $a } 0, $statement =~ /\$(\d+)/g;
	return map { $type{$_} // die "\$$_ has no type: $statement\n" } 1 .. $last;
}

1;
