# The documents say what is there: each table of functions, settings, options, routes, keys and messages in doc/ is compared
# with the catalog of a server that has the extension, or with the table of the source that decides. A row that is missing, one
# too many, another type or another default is a failure; so is a link that leads nowhere.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Documents;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

# same(WHAT, DOCUMENTED, FOUND): two hashes of texts; differences are shown by their keys.
sub same
{
	my ($what, $documented, $found) = @_;
	my $lines = sub { my ($hash) = @_; return join "\n", map { "$_: " . ($hash->{$_} // '') } sort keys %$hash };
	cmp_ok(scalar keys %$found, '>', 0, "$what: there are " . keys %$found);
	is(line_differences($lines->($documented), $lines->($found)), '', "$what: documented as they are");
	return;
}

# --- Pages and links -------------------------------------------------------------------------------------------

my @pages = pages();
my %anchor = map { my $page = $_; map { ("$page#$_" => 1) } anchors($page) } @pages;
my %index = map { $_ => 1 } links('doc/README.md');
foreach my $page (@pages)
{
	my $lines = () = page_text($page) =~ /\n/g;
	cmp_ok($lines, '<=', $page eq 'README.md' ? 249 : 400, "$page: short enough");
	like(page_text($page), qr/^# .+\n\n[^#\n|`]/, "$page: begins with a title and what it is for");
	ok($page !~ m{^doc/(?!README)(.*)} || $index{$1}, "$page: is in the index");
	my $prose = page_text($page) =~ s/<!-- errors-table begin.*errors-table end -->//sr;
	is(join(' ', $prose =~ /\b(?:nobody|somebody|everybody|whoever|whom|anew|he|his|him)\b/gi), '', "$page: plain words");
	my ($folder) = $page =~ m{^(.*/)?};
	foreach my $link (grep { !/^https?:/ } links($page))
	{
		my ($file, $anchor) = split /#/, $link;
		my $target = $file eq '' ? $page : ($folder // '') . $file;
		1 while $target =~ s{[^/]+/\.\./}{};
		ok(-e $target && (!defined $anchor || $anchor{"$target#$anchor"}), "$page: the link to $link leads there");
	}
}

# --- Functions and views -------------------------------------------------------------------------------------------

my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my @reference = qw(doc/sql.md doc/sql-registry.md doc/sql-access.md);

# What each section of the reference that is named after an object says of it.
my (%documented, %says);
foreach my $page (@reference)
{
	my $text = page_text($page);
	while ($text =~ /^### (dqds_\w+)\n(.*?)(?=^##|\z)/msg)
	{
		my ($name, $section) = ($1, $2);
		ok(!$documented{$name}, "$name: documented once");
		my ($level)   = $section =~ /^Level: (\w+)/m;
		my ($returns) = $section =~ /^Level: .*Returns ([\w\[\]]+)\./m;
		$documented{$name} = { level => $level // '', returns => $returns // 'rows' };
		ok($section =~ /^```sql\n(?:.*\n)*?.*\b$name\b/m, "$name: has an example");
	}
	foreach my $table (tables($page))
	{
		my $name = $table->{section};
		next unless $documented{$name};
		$documented{$name}{ $table->{columns}[0] } = join "\n", map { my $row = $_; join ' ', map { $row->{$_} } grep { $_ ne 'meaning' } @{ $table->{columns} } } @{ $table->{rows} };
	}
}
foreach my $name (keys %documented)
{
	my $object = $documented{$name};
	$says{$name} = "level $object->{level}, returns $object->{returns}";
	foreach my $kind (qw(argument column))
	{
		my $number = 0;
		$says{ sprintf '%s, %s %02d', $name, $kind, $number++ } = $_ foreach split /\n/, $object->{$kind} // '';
	}
}

# The functions that users call: in the schema of the extension, opened by a level or open to all.
my @functions = $sql->rows(<<'SQL');
SELECT p.proname AS name, p.oid, p.pronargs, p.proretset AND p.proargmodes IS NOT NULL AS rows, pg_get_function_result(p.oid) AS result,
	(SELECT level FROM dqds_level_objects() o WHERE o.kind = 'function' AND o.name = p.proname) AS level, n.nspname AS schema
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dqds'
SQL
my @views = $sql->rows(<<'SQL');
SELECT c.relname AS name, c.oid, c.relkind AS kind, (SELECT level FROM dqds_level_objects() o WHERE o.kind = 'view' AND o.name = c.relname) AS level
FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dqds'
WHERE c.relkind IN ('v', 'r')
SQL
my %open = map { $_ => 1 } qw(dqds_close_idle dqds_connection_model);

# The arguments and the columns of all functions: position, name, type, default as a text.
my %parameters;
push @{ $parameters{ $_->{oid} }{ $_->{mode} eq 't' ? 'column' : 'argument' } }, $_ foreach $sql->rows(<<'SQL');
SELECT p.oid, a.n, coalesce(p.proargmodes[a.n], 'i') AS mode, p.proargnames[a.n] AS name, format_type(a.type, NULL) AS type,
	(p.pronargs - p.pronargdefaults) < a.n AS has_default, pg_get_function_arg_default(p.oid, a.n::int) AS value
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dqds'
	CROSS JOIN LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a (type, n)
ORDER BY p.oid, a.n
SQL

my (%found, %type, %default, %columns);
foreach my $function (@functions)
{
	my $name = $function->{name};
	next if $function->{schema} eq 'pg_catalog' || !($function->{level} || $open{$name});
	my $parameters = $parameters{ $function->{oid} } // {};
	$found{$name} = 'level ' . ($function->{level} // 'everyone') . ', returns ' . ($function->{rows} eq 't' ? 'rows' : $function->{result});
	foreach my $argument (@{ $parameters->{argument} // [] })
	{
		my $place = sprintf '%s, argument %02d', $name, $argument->{n} - 1;
		$found{$place} = $argument->{name};
		$type{$place}{ $argument->{type} } = 1;
		$default{$place} = $argument->{value} =~ s/::[\w\[\]]+$//r =~ s/^'(.*)'$/$1/r if $argument->{has_default} eq 't';
	}
	my @columns = map { "$_->{name} $_->{type}" } @{ $parameters->{column} // [] };
	$columns{$name} = \@columns if @columns > @{ $columns{$name} // [] };
}
# Overloads for one argument come in this order in the documents.
my %rank = (text => 1, json => 2, jsonb => 3, 'text[]' => 0, regrole => 0, interval => 0, bigint => -2, integer => -1);
$found{$_} .= ' ' . join(', ', sort { $rank{$a} <=> $rank{$b} } keys %{ $type{$_} }) . ' ' . ($default{$_} // 'required') foreach keys %type;
foreach my $view (grep { $_->{kind} eq 'v' } @views)
{
	$found{ $view->{name} } = 'level ' . ($view->{level} // 'everyone') . ', returns rows';
	$columns{ $view->{name} } = [ map { "$_->{name} $_->{type}" } $sql->rows("SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute WHERE attrelid = $view->{oid} AND attnum > 0 ORDER BY attnum") ];
}
foreach my $name (keys %columns)
{
	my $number = 0;
	$found{ sprintf '%s, column %02d', $name, $number++ } = $_ foreach @{ $columns{$name} };
}
same('functions and views', \%says, \%found);

my %others = map { $_ => 1 } map { split /, /, $_->{names} } table_rows('doc/sql-access.md', 'what');
my %other_found = map { $_ => 1 } grep { !$documented{$_} } (map { $_->{name} } @functions, @views), 'dqds_role';
same('objects that are not for users', \%others, \%other_found);

# --- Settings and options ------------------------------------------------------------------------------------------

$sql->must(q(LOAD 'dqds'));
my %context = (user => 'user', superuser => 'superuser');
same('settings',
	{ map { $_->{setting} => "$_->{default}, $_->{context}" } table_rows('doc/settings.md', 'setting') },
	{ map { $_->{name} => $_->{value} . ', ' . $context{ $_->{context} } } $sql->rows(q(SELECT name, context, current_setting(name) AS value FROM pg_settings WHERE name LIKE 'dqds.%')) });

my $options = slurp_file('bridge/options.c');
my ($option_table) = $options =~ /option_table\[\] = \{(.*?)\n\};/s or BAIL_OUT('bridge/options.c has no table of options');
my %option;
while ($option_table =~ /\{"(--[\w-]+)", (NULL|"\w+"), (NULL|"[^"]*"), OPTION_\w+,\s*[\w()]+, (NULL|"[^"]*")/g)
{
	my ($flag, $variable, $value, $fallback) = ($1, map { s/^"|"$//gr =~ s/^NULL$//r } $2, $3, $4);
	$fallback = '' if $variable eq '';
	$option{$flag} = join ', ', $variable, $value, $flag eq '--control-db' ? 'required' : $fallback;
}
same('options of the bridge', { map { $_->{option} => join ', ', @$_{qw(variable value default)} } table_rows('doc/settings.md', 'option') }, \%option);

# --- Routes ----------------------------------------------------------------------------------------------------------

my $routes  = slurp_file('bridge/routes.c') =~ s{/\*.*?\*/}{}gsr;
my %level   = map { $_->{name} => $_->{level} // 'everyone' } @functions;
my %route;
while ($routes =~ /\{"([A-Z]+)", "(\/[^"]*)",\s*\{"(\w+)",\s*(NULL|(?:"[^"]*"\s*)+)\},\s*ANSWER_\w+, (\d+), .*?WAITS_\w+,\s*\{(.*?)\}\}\}?,\n/gs)
{
	my ($method, $path, $operation, $statement, $status, $parameters) = ($1, $2, $3, $4, $5, $6);
	my (@names, @query);
	while ($parameters =~ /\{FROM_(\w+), "(\w+)", TYPE_\w+, (?:NULL|"(\w+)")/g)
	{
		push @names, $2 if $1 eq 'PATH';
		push @query, $2 . (defined $3 ? "=$3" : '') if $1 eq 'QUERY';
	}
	$path =~ s/\{\}/'{' . shift(@names) . '}'/ge;
	my ($function) = $statement =~ /pg_catalog\.(dqds_\w+)/;
	$route{$operation} = join ' ', $method, $path, join(', ', @query), $status, defined $function ? $level{$function} : 'none';
}
is(scalar keys %route, scalar(() = $routes =~ /ANSWER_\w+, \d+/g), 'every route of the table was read');
same('routes', { map { $_->{operation} => join ' ', @$_{ 'method', 'path', 'parameters of the query', 'status', 'level' } } table_rows('doc/rest.md', 'operation') }, \%route);

# --- Keys of a model ---------------------------------------------------------------------------------------------------

# Which rows there are is read from the tables of the sources; what a key or provider does, from the answers of a test of a model.
sub rows_of { my ($source, $table) = @_; my ($rows) = $source =~ /\b$table\[\w*\] = \{(.*?)\n?\};/s or die "there is no table $table\n"; return $rows; }
my $keys_source     = source_text('model_keys.c');
my $provider_source = source_text('provider.c');
my @providers;
foreach my $row (split /\n(?=\s*\[)/, rows_of($provider_source, 'providers'))
{
	my ($name)     = $row =~ /\{"(\w+)"/ or next;
	my ($port)     = $row =~ /default_port = (\d+)/;
	my ($database) = $row =~ /default_database = "(\w+)"/;
	push @providers, { name => $name, port => $port // '', database => $database // '' };
}

# tested(PROVIDER, MEMBERS…): what a test says of a model of it, whose section has these members beside what it cannot do without.
$sql->must(q(SET dqds.denied_hosts = '*'));
sub answered
{
	my ($provider, %members) = @_;
	my $model = to_json({ provider_type => $provider, $provider => \%members });
	my ($row) = $sql->rows('SELECT error_code, error_message, hint, warnings FROM dqds_test_connection(' . sql_literal($model) . '::text)');
	return $row;
}
my %base;
sub tested
{
	my ($provider, %members) = @_;
	my $base = $base{$provider} //= {};
	while (answered($provider, %$base)->{error_message} =~ /^"$provider\.(\w+)" is missing/)
	{
		$base->{$1} = { files_format_type => 'csv', directories => { s => '/' } }->{$1} // 'h';
	}
	return answered($provider, %$base, %members);
}
foreach my $provider (grep { $_->{name} ne 'duckdb' } @providers)
{
	like(tested($provider->{name})->{error_message}, qr/^connections to "[\w.]+" port $provider->{port} are not allowed$/, "$provider->{name}: its default port is the one of the table");
}

my $model = 'doc/connection-model.md';
my ($provider_table) = grep { $_->{section} eq 'Provider types' && $_->{columns}[1] eq 'default port' } tables($model);
same('provider types',
	{ map { $_->{provider_type} => join ', ', $_->{'default port'}, $_->{'default database'} =~ s/^the user's name$//r } @{ $provider_table->{rows} } },
	{ map { $_->{name} => join ', ', $_->{port}, $_->{database} } @providers });
same('provider types in README', { map { map { ($_ => 1) } split /, /, $_->{provider_type} } table_rows('README.md', 'provider_type') }, { map { ($_->{name} => 1) } @providers });

# those_of(TEXT): what a cell says of providers, as a sorted list: "all", "all but A, B" or "A, B".
my @names = sort map { $_->{name} } @providers;
sub those_of
{
	my ($text) = @_;
	my %named = map { $_ => 1 } $text =~ s/^all(?: but )?//r =~ /\w+/g;
	return join ' ', $text =~ /^all/ ? grep { !$named{$_} } @names : sort keys %named;
}

my ($top) = grep { $_->{section} eq 'Keys at the top' } tables($model);
same('keys at the top', { map { $_->{key} => 1 } @{ $top->{rows} } }, { map { $_ => 1 } rows_of($keys_source, 'top_keys') =~ /"(\w+)"/g });

my ($section) = grep { $_->{section} eq 'Keys of the section' } tables($model);
my $section_source = source_text('section_keys.c');
my (%key, %json_type);
my %value_of = (STRING => '1', STRING_OR_NUMBER => '1', BOOLEAN => JSON::PP::true, OBJECT => {});
my %type_of  = (STRING => 'string', STRING_OR_NUMBER => 'string or number', BOOLEAN => 'boolean', OBJECT => 'object');
foreach my $row (split /\n(?=\t\{)/, rows_of($section_source, 'section_keys'))
{
	my ($key)  = $row =~ /\{"?(\w+)"?,/ or next;
	my ($type) = $row =~ /\bOF_(\w+)/ ? $1 : 'STRING';
	$key = 'foreign_server' if $key eq 'FOREIGN_SERVER';
	next if defined $json_type{$key};
	$json_type{$key} = $type_of{$type};
	$key{$key} = join ' ', grep { my $answer = tested($_, $key => $value_of{$type}); ("$answer->{error_message} " . ($answer->{warnings} // '')) !~ /"$_\.$key\\?"[^;]* is not known/ } @names;
}
same('keys of the section', { map { ($_->{key} => "$_->{type}: " . those_of($_->{providers})) } @{ $section->{rows} } }, { map { ($_ => "$json_type{$_}: $key{$_}") } keys %key });

my %must_be = map { $_->{key} => $_->{'what it must be'} } @{ $section->{rows} };
my $hint_of = sub { my ($key) = @_; return $sql->value('SELECT hint FROM dqds_test_connection(' . sql_literal(connection_model(undef, host => 'h', user => 'u', $key => 'x')) . '::text)') };
my ($sslmodes) = $hint_of->('sslmode') =~ /one of (.*)\.$/;
my @sslmodes = split /, /, $sslmodes;
my $engines  = $hint_of->('postgresql_engine_type') =~ s/^It must be one of (.*), (.*)\.$/$1 or $2/r;
like($must_be{sslmode}, qr/^\Q$sslmodes\E,/, 'sslmode: its values are those of the model');
like($must_be{postgresql_engine_type}, qr/^\Q$engines\E\./, 'postgresql_engine_type: likewise');
same('sslmodes in doc/security.md', { map { $_->{sslmode} =~ s/ .*//r => 1 } table_rows('doc/security.md', 'sslmode') }, { map { $_ => 1 } @sslmodes });

my (%spelling, %written);
my $synonyms = rows_of($keys_source, 'synonyms');
push @{ $spelling{ $2 // 'foreign_server' } }, $1 while $synonyms =~ /\{"(\w+)", (?:"(\w+)"|FOREIGN_SERVER)/g;
my ($spelled) = grep { $_->{columns}[1] eq 'spellings that are recognized' } tables($model);
same('spellings of keys', { map { $_->{key} => $_->{'spellings that are recognized'} } @{ $spelled->{rows} } }, { map { $_ => join ', ', @{ $spelling{$_} } } keys %spelling });

my $properties_source = source_text('properties.c');
my %words = map { $_ => join ', ', rows_of($properties_source, $_) =~ /"([\w.-]+)"/g } qw(bindings encryptions attributes tls_versions);
my %kind  = (TEXT => 'text', SECRET => 'text', CONNECT_TIMEOUT => '1 to 3600', MILLISECONDS => '1 to 3600000', BOOLEAN => 'boolean', INTEGER => '0 to 999999999', CLEARTEXT => 'boolean', SSL => 'boolean');
my (%property, %of_others);
foreach my $row (split /\n(?=\t\{)/, rows_of($properties_source, 'properties'))
{
	my ($name, $set) = $row =~ /\{"(\w+)",\s*(.*?), /s or next;
	my $kind;
	if ($row =~ /_TLS\((\w+)\)/) { my @words = rows_of($properties_source, $1) =~ /\{"([\w-]+)"/g; $kind = $words[0] =~ /^(?:true|false)$/ ? 'boolean' : join ', ', @words; }
	elsif ($row =~ /PROPERTY_WORD,\s*(\w+)/) { $kind = $words{$1}; }
	else { ($kind) = map { $kind{$_} } $row =~ /PROPERTY_(\w+)/; }
	$property{$name} = $kind if $set =~ /LIBPQ|ALL_PROVIDERS|WITH_TLS_OR_NOT/;
	push @{ $of_others{$name} }, $kind if $set !~ /^LIBPQ_PROVIDERS$/;
}
same('properties', { map { $_->{property} => $_->{value} } table_rows($model, 'property') }, \%property);
my %documented_of;
foreach my $row (table_rows($model, 'property of'))
{
	$documented_of{$_}{ $row->{'property of'} } = 1 foreach split / /, those_of($row->{providers});
	ok((grep { $_ eq $row->{value} } @{ $of_others{ $row->{'property of'} } // [] }), "$row->{'property of'} of $row->{providers}: its value is that of the table");
}
foreach my $name (grep { !/^(?:postgresql|questdb|redshift)$/ } @names)
{
	my ($list) = tested($name, properties => { 'no such property' => 1 })->{hint} =~ /^Properties that may be set: (.*)\.$/;
	is(join(', ', sort keys %{ $documented_of{$name} }), join(', ', sort split /, /, $list), "properties of $name");
}

# --- Levels, messages -------------------------------------------------------------------------------------------------------

is(join(' ', map { $_->{level} } table_rows('doc/security.md', 'level')), join(' ', $sql->column('SELECT level FROM dqds_level_objects() GROUP BY level ORDER BY min(rank)')), 'levels: documented in their order');
my @levels = $sql->column('SELECT level FROM dqds_level_objects() GROUP BY level ORDER BY min(rank)');
is($sql->query(q(SELECT dqds_grant('none', current_user::text)))->{error}{hint}, 'Levels are ' . join(', ', @levels[ 0 .. $#levels - 1 ]) . " and $levels[-1].", 'levels: a hint names all');
like(slurp_file($_), qr/\b\Q@{[ join ', ', @levels[ 0 .. $#levels - 1 ] ]}\E(?:,| or) $levels[-1]\b/, "levels: $_ names all") foreach qw(doc/sql.md doc/sql-access.md);

my ($table) = run_command([ $^X, 'packaging/errors-table' ]);
my ($messages) = page_text('doc/errors.md') =~ /<!-- errors-table begin -->\n(.*?)\n?<!-- errors-table end -->/s;
is(line_differences($messages // '', $table), '', 'messages: doc/errors.md has those of the sources; after a change run packaging/errors-table --write');
my %in_source = map { ($_ => 1) } source_text('error_codes.h') =~ /"(QD\d{3})", "\w+"/g;
same('error codes', { map { $_->{SQLSTATE} => 1 } table_rows('doc/errors.md', 'error_code') }, \%in_source);

# --- Where to change what ---------------------------------------------------------------------------------------------------

# A name without a folder is in that of the one before it.
foreach my $row (table_rows('doc/developing.md', 'to change'))
{
	my ($folder, @names) = ('', $row->{files} =~ /`([^`]+)`/g);
	@names = $row->{files} if !@names;    # a cell that is one name has lost its marks
	foreach my $name (map { s/ .*//r } @names)
	{
		if ($name =~ /^(\w+)\(\)$/) { like(slurp_file('sql/dqds--1.1.sql'), qr/FUNCTION \S*\b$1\(/, "$row->{'to change'}: $name is there"); next; }
		$folder = $1 if $name =~ m{^(.*/)};
		ok((grep { -e } glob $name =~ m{/} || -e $name ? $name : "$folder$name"), "$row->{'to change'}: $name is there");
	}
}
cmp_ok(scalar(table_rows('doc/developing.md', 'to change')), '>', 10, 'and there are rows');

$sql->close;
$control->stop;
# The fuzz target of the bridge has a list of its own, from the contract.
{
	my $routes = sub { return join "\n", sort map { s/^\+//r } slurp_file($_[0]) =~ m{\{"\+?((?:GET|POST|PUT|DELETE|PATCH)", "/api[^"]*)"}g };
	is($routes->('fuzz/http_request.c'), $routes->('bridge/routes.c'), 'the fuzz target knows the routes of the bridge');
}
done_testing();
