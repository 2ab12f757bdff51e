# DqdsTest::Layers: whether the files of src, of bridge or of agent call only what their layer may call, by their objects.
#
# The linker's symbols tell who calls whom. A folder of src that is not in the list below but holds a wire has the layer of
# src/postgres; any other one has to be added to the list. It must not know what a file is for.
#
#   layers_hold('src');                            # tests, in the current directory
#   layers_hold('src', $copy, 'the copy');         # in another one; the names of the tests begin with this
package DqdsTest::Layers;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(layers_hold);

# The layers, from the top to the bottom. A file of src belongs to the one of its folder; those of src itself are above all.
my @src_layers = qw(functions listing arguments registry engine postgres event wire model base);

# The bridge is flat, so each of its files is named.
my @bridge_layers = (
	[qw(main)], [qw(serve)], [qw(answer health parameters)], [qw(call http_server options)], [qw(access pool seats)], [qw(caller framing router)],
	[qw(control_open http)], [qw(bulkhead control error routes)], [qw(address descriptor log watchdog)], [qw(statements text)]);

# A module of the agent, which is a folder, is above the program, whose files are named.
my @agent_layers = ([], [qw(main)], [qw(modules)], [qw(session)], [qw(frames gate gate_gnutls gate_roots gate_tls sorter text)]);

my %src_layer    = map { $src_layers[$_] => $_ } 0 .. $#src_layers;
my %bridge_layer = map { my $layer = $_; map { $_ => $layer } @{ $bridge_layers[$layer] } } 0 .. $#bridge_layers;
my %agent_layer  = map { my $layer = $_; map { $_ => $layer } @{ $agent_layers[$layer] } } 0 .. $#agent_layers;

# wires_of(DIRECTORY): the folders of its src that hold a wire, which is a constant of type Wire that other files can name.
sub wires_of
{
	my ($directory) = @_;
	my %wires = map { m{/src/(\w+)/\w+\.c$} ? ($1 => 1) : () } grep { slurp_file($_) =~ /^const Wire \w+ = \{/m } glob "$directory/src/*/*.c";
	return sort keys %wires;
}

# layer_of(FILE, LAYERS): its number, counted from the top; -1 is above all; undef: it has none.
sub layer_of
{
	my ($file, $layers) = @_;
	return $layers->{$1} if $file =~ m{^src/(\w+)/};
	return -1 if $file =~ m{^src/};
	return 0 if $file =~ m{^agent/\w+/};
	return $agent_layer{$1} if $file =~ m{^agent/(\w+)};
	my ($name) = $file =~ m{^bridge/(\w+)};
	return $bridge_layer{ $name // '' };
}

# calls_of(DIRECTORY, OBJECT…): {file => {the file that it calls => [symbols]}}
sub calls_of
{
	my ($directory, @objects) = @_;
	my (%home, %used, %calls);
	my ($symbols) = run_command([ 'nm', '-A', '-P', map { "$directory/$_" } @objects ]);
	foreach (split /\n/, $symbols)
	{
		my ($file, $name, $type) = m{^\Q$directory\E/(\S+)\.o: (\S+) (\S)} or die "nm says: $_\n";
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

# The files below a directory that fit one of the patterns, by their names in it.
sub files { my ($directory, @patterns) = @_; return sort map { s{^\Q$directory\E/}{}r } map { glob "$directory/$_" } @patterns; }

# layers_hold(PART, DIRECTORY, WHAT): tests the part, which is src, bridge or agent and has been compiled.
sub layers_hold
{
	my ($part, $directory, $what) = @_;
	$directory //= '.';
	$what = defined $what ? "$what, $part" : $part;
	my @wires   = $part eq 'src' ? wires_of($directory) : ();
	my %layers  = ((map { $_ => $src_layer{postgres} } @wires), %src_layer);
	my $layer   = sub { return layer_of($_[0], \%layers) };
	my @objects = files($directory, "$part/*.o", "$part/*/*.o");
	my @sources = files($directory, "$part/*.c", "$part/*/*.c");
	is(join(' ', map { s/\.o$/.c/r } @objects), "@sources", "$what: each file has been compiled");
	my @homeless = grep { !defined $layer->($_) } @sources;
	is("@homeless", '', "$what: each file has a layer in the lists of t/lib/DqdsTest/Layers.pm, or holds a wire") or return;
	my $calls = calls_of($directory, @objects);
	cmp_ok(scalar keys %$calls, '>', 5, "$what: files call each other");

	my (@up, @across);
	foreach my $file (sort keys %$calls)
	{
		my ($folder) = $file =~ m{^src/(\w+)/};
		foreach my $other (sort keys %{ $calls->{$file} })
		{
			push @up, "$file calls $other: @{ $calls->{$file}{$other} }" if $layer->($other) < $layer->($file);
			push @across, "$file calls $other" if grep { defined $folder && $folder eq $_ } @wires and grep { $other =~ m{^src/$_/} && $_ ne $folder } @wires;
		}
	}
	is(join("\n", @up), '', "$what: no file calls a layer above its own");
	my @circle = grep { reaches($calls, $_)->{$_} } sort keys %$calls;
	is("@circle", '', "$what: no circle");

	# A header without a file of its own name is of no layer: it holds a type or two.
	my @includes;
	foreach my $file (grep { -e "$directory/" . s/\.h$/.c/r || $part eq 'src' } files($directory, $part eq 'src' ? 'src/*/*.[ch]' : ("$part/*.[ch]", "$part/*/*.[ch]")))
	{
		my @headers = slurp_file("$directory/$file") =~ /^#include "([^"]+\.h)"/mg;
		foreach my $header (map { "$part/$_" } @headers)
		{
			next if !-e "$directory/$header" || !defined $layer->($header);
			push @includes, "$file includes $header" if $layer->($header) < $layer->($file);
			my ($folder, $included) = map { m{^src/(\w+)/} ? $1 : '' } $file, $header;
			push @across, "$file includes $header" if $folder ne $included and 2 == grep { $folder eq $_ || $included eq $_ } @wires;
		}
	}
	is(join("\n", @includes), '', "$what: no file includes the header of a layer above its own");
	return if $part ne 'src';

	# The engine names the wires in one place, no wire knows another, and libpq is known to its own wire only.
	is(join("\n", @across), '', "$what: no wire knows another one (@wires)");
	my $is_wire = sub { my ($file) = @_; return grep { $file =~ m{^src/$_/} } @wires };
	is(join(' ', grep { m{^src/engine/} && grep { $is_wire->($_) } keys %{ $calls->{$_} } } sort keys %$calls), 'src/engine/wires',
		"$what: of the engine the table of wires alone names a wire");
	is(join(' ', grep { !m{^src/postgres/} && slurp_file("$directory/$_") =~ /#include [<"](?:libpq-fe\.h|openssl)/ } files($directory, 'src/*/*.[ch]')), '',
		"$what: libpq and OpenSSL are included in src/postgres only");
	return;
}

1;
