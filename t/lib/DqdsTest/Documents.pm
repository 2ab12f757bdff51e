# DqdsTest::Documents: what README.md and the pages in doc/ hold, for tests that compare it with dqds.
#
# It reads Markdown as far as these pages use it: headings, tables, fenced code, links. It must not know what a page says.
#
#   my @pages  = pages();                          # ('README.md', 'doc/README.md', …)
#   my @rows   = table_rows('doc/settings.md', 'setting');    # of tables whose first column has that name: ({setting => …}, …)
#   my @blocks = code_blocks('doc/recipes.md');    # ({mark => 'sql', text => …, line => 12, after => TEXT of the block behind it}, …)
package DqdsTest::Documents;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(pages page_text headings anchors links tables table_rows code_blocks source_text);

sub pages { return ('README.md', sort glob 'doc/*.md'); }

sub page_text { return slurp_file($_[0]); }

# page_lines(PAGE): its lines outside of fenced code, each [number, text].
sub page_lines
{
	my ($page) = @_;
	my ($number, $fenced, @lines) = (0, 0);
	foreach my $line (split /\n/, page_text($page))
	{
		$number++;
		if ($line =~ /^```/) { $fenced = !$fenced; next; }
		push @lines, [ $number, $line ] if !$fenced;
	}
	return @lines;
}

# headings(PAGE): [level, text], in their order.
sub headings
{
	my ($page) = @_;
	return map { $_->[1] =~ /^(#+) (.*)$/ ? [ length $1, $2 ] : () } page_lines($page);
}

# anchors(PAGE): what a link may name behind #, as GitHub makes it of headings.
sub anchors
{
	my ($page) = @_;
	return map { lc($_->[1]) =~ s/[^\w\- ]//gr =~ tr/ /-/r } headings($page);
}

# links(PAGE): the targets of its links.
sub links
{
	my ($page) = @_;
	my @links;
	foreach my $line (page_lines($page)) { push @links, $line->[1] =~ /\[[^\]]*\]\(([^)\s]+)\)/g; }
	return @links;
}

# A row of a table as cells, without the marks of code around a whole cell.
sub cells
{
	my ($line) = @_;
	$line =~ s/^\s*\|//;
	return map { s/^\s+|\s+$//gr =~ s/^`([^`]*)`$/$1/r =~ s/\\\|/|/gr } split /(?<!\\)\|/, $line =~ s/\|\s*$//r, -1;
}

# tables(PAGE): {section => the heading before it, columns => […], rows => [{column => cell}, …]}, in their order.
sub tables
{
	my ($page) = @_;
	my ($section, $table, @tables) = ('');
	foreach my $line (map { $_->[1] } page_lines($page))
	{
		if ($line =~ /^#+ (.*)$/) { $section = $1; }
		if ($line !~ /^\|/) { $table = undef; next; }
		if (!$table)
		{
			$table = { section => $section, columns => [ cells($line) ], rows => [] };
			push @tables, $table;
		}
		elsif ($line !~ /^\|[-|: ]+$/)
		{
			my %row;
			@row{ @{ $table->{columns} } } = cells($line);
			push @{ $table->{rows} }, \%row;
		}
	}
	return @tables;
}

# table_rows(PAGE, COLUMN): the rows of all tables whose first column has this name.
sub table_rows
{
	my ($page, $column) = @_;
	return map { @{ $_->{rows} } } grep { $_->{columns}[0] eq $column } tables($page);
}

# code_blocks(PAGE): fenced blocks: mark, text, line, and as after the text of the unmarked block that follows, if there is one.
sub code_blocks
{
	my ($page) = @_;
	my ($number, $block, $between, @blocks) = (0, undef, '');
	foreach my $line (split /\n/, page_text($page))
	{
		$number++;
		if ($line =~ /^```(\w*)$/ && !$block) { $block = { mark => $1, text => '', line => $number }; }
		elsif ($line =~ /^```$/)
		{
			$blocks[-1]{after} = $block->{text} if $block->{mark} eq '' && @blocks && $blocks[-1]{mark} ne '' && $between !~ /\S/;
			push @blocks, $block;
			($block, $between) = (undef, '');
		}
		elsif ($block) { $block->{text} .= "$line\n"; }
		else           { $between .= $line; }
	}
	return @blocks;
}

# source_text(NAME): the source of that name below src, without its comments.
sub source_text
{
	my ($name) = @_;
	my ($file, @more) = grep { -e } glob "src/$name src/*/$name";
	die "there is not one source $name below src\n" if !defined $file || @more;
	return slurp_file($file) =~ s{/\*.*?\*/}{}gsr;
}

1;
