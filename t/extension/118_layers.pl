# What may call what: no file of src or of bridge calls a file of a layer above its own, no files call each other in a circle,
# and no file includes the header of a layer above. The linker's symbols tell who calls whom. doc/developing.md draws the layers.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

# The layers, from the top to the bottom. A file of src belongs to the one of its folder; those of src itself are above all.
my @src_layers = qw(functions listing arguments registry engine postgres event wire model base);

# The bridge is flat, so each of its files is named.
my @bridge_layers = (
	[qw(main)], [qw(serve)], [qw(answer health parameters)], [qw(call http_server options)], [qw(access pool seats)], [qw(caller framing router)],
	[qw(control_open http)], [qw(bulkhead control error routes)], [qw(address descriptor log watchdog)], [qw(statements text)]);

my %src_layer    = map { $src_layers[$_] => $_ } 0 .. $#src_layers;
my %bridge_layer = map { my $layer = $_; map { $_ => $layer } @{ $bridge_layers[$layer] } } 0 .. $#bridge_layers;

# layer_of(FILE): its number, counted from the top; -1 is above all.
sub layer_of
{
	my ($file) = @_;
	return $src_layer{$1} // die "$file: src has no layer $1\n" if $file =~ m{^src/(\w+)/};
	return -1 if $file =~ m{^src/};
	my ($name) = $file =~ m{^bridge/(\w+)} or die "$file: of no layer\n";
	return $bridge_layer{$name} // die "$file: is in no layer of this test's list\n";
}

# calls(OBJECT…): {file => {the file that it calls => [symbols]}}
sub calls
{
	my (@objects) = @_;
	my (%home, %used, %calls);
	my ($symbols) = run_command([ 'nm', '-A', '-P', @objects ]);
	foreach (split /\n/, $symbols)
	{
		my ($file, $name, $type) = /^(\S+)\.o: (\S+) (\S)/ or die "nm says: $_\n";
		$home{$name} = $file if $type =~ /^[TDBRGSCVW]$/;
		push @{ $used{$file} }, $name if $type eq 'U';
	}
	foreach my $file (keys %used)
	{
		foreach my $name (@{ $used{$file} })
		{
			push @{ $calls{$file}{ $home{$name} } }, $name if defined $home{$name} && $home{$name} ne $file;
		}
	}
	return \%calls;
}

# reaches(CALLS, FROM): the files that a file calls, directly or not.
sub reaches
{
	my ($calls, $from) = @_;
	my (%seen, @next);
	@next = keys %{ $calls->{$from} // {} };
	while (defined(my $file = shift @next))
	{
		push @next, keys %{ $calls->{$file} // {} } if !$seen{$file}++;
	}
	return \%seen;
}

foreach my $part (qw(src bridge))
{
	my @objects = sort glob $part eq 'src' ? 'src/*.o src/*/*.o' : 'bridge/*.o';
	my @sources = sort glob $part eq 'src' ? 'src/*.c src/*/*.c' : 'bridge/*.c';
	is(join(' ', map { s/\.o$/.c/r } @objects), "@sources", "$part: each file has been compiled");
	my $calls = calls(@objects);
	cmp_ok(scalar keys %$calls, '>', 10, "$part: files call each other");

	my @up;
	foreach my $file (sort keys %$calls)
	{
		foreach my $other (sort keys %{ $calls->{$file} })
		{
			push @up, "$file calls $other: @{ $calls->{$file}{$other} }" if layer_of($other) < layer_of($file);
		}
	}
	is(join("\n", @up), '', "$part: no file calls a layer above its own");

	my @circle = grep { reaches($calls, $_)->{$_} } sort keys %$calls;
	is("@circle", '', "$part: no circle");

	# A header without a file of its own name is of no layer: it holds a type or two.
	my @includes;
	foreach my $file (grep { -e s/\.h$/.c/r || $part eq 'src' } sort glob $part eq 'src' ? 'src/*/*.[ch]' : 'bridge/*.[ch]')
	{
		my @headers = slurp_file($file) =~ /^#include "([^"]+\.h)"/mg;
		foreach my $header (map { $part eq 'src' ? "src/$_" : "bridge/$_" } @headers)
		{
			next if !-e $header || ($part eq 'bridge' && !defined $bridge_layer{ $header =~ m{/(\w+)\.h$} ? $1 : '' });
			push @includes, "$file includes $header" if layer_of($header) < layer_of($file);
		}
	}
	is(join("\n", @includes), '', "$part: no file includes the header of a layer above its own");
}

# The engine names a wire in one place, and libpq is known to its own wire only.
my $calls = calls(sort glob 'src/*/*.o');
is(join(' ', grep { m{^src/engine/} && grep { m{^src/postgres/} } keys %{ $calls->{$_} } } sort keys %$calls), 'src/engine/wires', 'of the engine the table of wires alone names a wire');
is(join(' ', grep { !m{^src/postgres/} && slurp_file($_) =~ /#include [<"](?:libpq-fe\.h|openssl)/ } sort glob 'src/*/*.[ch]'), '', 'libpq and OpenSSL are included in src/postgres only');
done_testing();
