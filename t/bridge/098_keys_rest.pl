# The columns, constraints and indexes of one table over REST: the same as in SQL, in camelCase and without NULLs, for names
# of all kinds; with the statuses of the other listings, and equally complete.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $version = $remote->pg_version;
my $sql     = DqdsTest::Sql->connect($control);

my @odd = (qq(Odd/"schema" 100%_\\ ?#;+ \xF0\x9F\x98\x80), q(it's {a,"b"} &x=y), "two\nlines \xD9\x85", '..', '%2F', 'NULL');
sub quoted { return '"' . ($_[0] =~ s/"/""/gr) . '"'; }
$remote->safe_psql('postgres', 'CREATE SCHEMA ' . quoted($_) . '; GRANT USAGE ON SCHEMA ' . quoted($_) . ' TO reader') foreach @odd;
$remote->safe_psql('postgres', sprintf 'CREATE TABLE %s.%s (%s integer PRIMARY KEY); GRANT SELECT ON %1$s.%2$s TO reader', map { quoted($_) } @odd[ $_, -1 - $_, $_ ]) foreach 0 .. $#odd;
$remote->safe_psql('postgres', q{
	CREATE SCHEMA shop; CREATE SCHEMA ref; GRANT USAGE ON SCHEMA shop, ref TO reader;
	CREATE TABLE ref.country (code char(2) PRIMARY KEY);
	CREATE TABLE shop.orders (id bigint, line integer, country char(2) REFERENCES ref.country, amount numeric(10,2) NOT NULL CONSTRAINT positive CHECK (amount > 0), note varchar(40), PRIMARY KEY (line, id));
	COMMENT ON COLUMN shop.orders.note IS 'said "by" whom';
	CREATE INDEX orders_amount ON shop.orders (abs(amount), note) WHERE line > 0;
	CREATE TABLE shop.bare (); CREATE TABLE shop.hidden (id integer PRIMARY KEY);
	CREATE VIEW shop.seen AS SELECT id FROM shop.orders;
	GRANT SELECT ON shop.orders, shop.bare, shop.seen TO reader});
create_connection($control, 'shop', connection_model($remote));
create_connection($control, 'questdb', to_json({ provider_type => 'questdb', questdb => { host => '127.0.0.1', port => '1', user => 'u', password => 'p', database => 'd' } }));
create_connection($control, 'other', connection_model($remote));
create_connection($control, 'broken', connection_model($remote, database => 'nowhere'));
my $bridge = start_bridge($control, level => 'operator', connections => [qw(shop questdb broken)]);
my $viewer = start_bridge($control, anonymous => 'a_viewer', level => 'viewer', connections => ['shop']);
my $base   = '/api/datasource/connections';

sub get { return http($bridge, GET => "$base/$_[0]"); }

# --- Said once in full ----------------------------------------------------------------------------------------

my %place = (connectionName => 'shop', schemaName => 'shop', tableName => 'orders');
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my @columns = (
	{ %place, ordinalPosition => 1, columnName => 'id', columnType => 'bigint', nullable => $no, primaryKey => $yes },
	{ %place, ordinalPosition => 2, columnName => 'line', columnType => 'integer', nullable => $no, primaryKey => $yes },
	{ %place, ordinalPosition => 3, columnName => 'country', columnType => 'character', length => 2, nullable => $yes, primaryKey => $no },
	{ %place, ordinalPosition => 4, columnName => 'amount', columnType => 'numeric', precision => 10, scale => 2, nullable => $no, primaryKey => $no },
	{ %place, ordinalPosition => 5, columnName => 'note', columnType => 'character varying', length => 40, nullable => $yes, primaryKey => $no, comment => 'said "by" whom' });
my $answer = get('shop/schemas/shop/tables/orders/columns');
is(answer_fault($answer, 200), undef, 'columns: 200 with its headers');
# What further columns dqds_list_columns has comes behind these.
my %first = map { %$_ } @columns;
is_deeply([ map { my $row = $_; +{ map { ($_ => $row->{$_}) } grep { exists $first{$_} } keys %$row } } @{ $answer->{json} } ], \@columns, 'columns');

$answer = get('shop/schemas/shop/tables/orders/constraints');
is(answer_fault($answer, 200), undef, 'constraints: 200 with its headers');
is_deeply(
	$answer->{json},
	[   {   %place, constraintName => 'orders_country_fkey', constraintType => 'foreign_key', columnNames => ['country'], referencedSchema => 'ref', referencedTable => 'country',
			referencedColumns => ['code'], definition => 'FOREIGN KEY (country) REFERENCES ref.country(code)' },
		{ %place, constraintName => 'orders_pkey', constraintType => 'primary_key', columnNames => [qw(line id)], definition => 'PRIMARY KEY (line, id)' },
		{ %place, constraintName => 'positive',    constraintType => 'check',       columnNames => ['amount'],    definition => 'CHECK (amount > 0::numeric)' } ],
	'constraints');
is($answer->{body} =~ s/,\{.*//sr,
	'[{"connectionName":"shop","schemaName":"shop","tableName":"orders","constraintName":"orders_country_fkey","constraintType":"foreign_key","columnNames":["country"],'
	  . '"referencedSchema":"ref","referencedTable":"country","referencedColumns":["code"],"definition":"FOREIGN KEY (country) REFERENCES ref.country(code)"}',
	'in this order, without blanks');

$answer = get('shop/schemas/shop/tables/orders/indexes');
is(answer_fault($answer, 200), undef, 'indexes: 200 with its headers');
is_deeply(
	$answer->{json},
	[   {   %place, indexName => 'orders_amount', method => 'btree', isUnique => $no, isPrimary => $no, isValid => $yes, columnNames => [ 'abs(amount)', 'note' ], includedColumns => [], predicate => 'line > 0',
			definition => 'CREATE INDEX orders_amount ON shop.orders USING btree (abs(amount), note) WHERE line > 0' },
		{   %place, indexName => 'orders_pkey', method => 'btree', isUnique => $yes, isPrimary => $yes, isValid => $yes, columnNames => [qw(line id)], includedColumns => [],
			definition => 'CREATE UNIQUE INDEX orders_pkey ON shop.orders USING btree (line, id)' } ],
	'indexes');

# --- As SQL has them --------------------------------------------------------------------------------------------

# as_sql(LIST, SCHEMA, TABLE): what SQL says, with its columns in camelCase.
sub as_sql
{
	my ($list, $schema, $table) = @_;
	my ($rows) = $sql->column("SELECT coalesce(json_agg(t), '[]') FROM dqds_list_$list('shop', " . sql_literal($schema) . ', ARRAY[' . sql_literal($table) . ']) t');
	return [ map { my $row = $_; +{ map { (s/_(\w)/uc $1/ger => $row->{$_}) } grep { defined $row->{$_} } keys %$row } } @{ from_json($rows) } ];
}

foreach my $pair ([qw(shop orders)], [qw(shop bare)], [qw(shop seen)], [qw(shop hidden)], [qw(pg_catalog pg_class)], [qw(information_schema tables)], map { [ @odd[ $_, -1 - $_ ] ] } 0 .. $#odd)
{
	my ($schema, $table) = @$pair;
	foreach my $list (qw(columns constraints indexes))
	{
		my $target = 'shop/schemas/' . encode_segment($schema) . '/tables/' . encode_segment($table) . "/$list";
		my $got    = get($target);
		is("$got->{status} " . ($got->{error} // 'whole'), '200 whole', "$target: 200");
		is_deeply($got->{json}, as_sql($list, $schema, $table), "$target: as SQL has it");
		is(scalar @{ $got->{json} }, 1, "$target: one") if $schema !~ /^(shop|pg_catalog|information_schema)$/;
	}
}
foreach my $list (qw(columns constraints indexes))
{
	foreach my $unknown ('shop/schemas/shop/tables/nope', 'shop/schemas/nope/tables/orders', 'shop/schemas/shop/tables/Orders', 'shop/schemas/shop/tables/hidden', 'shop/schemas/shop/tables/' . 'x' x 300, 'shop/schemas/shop/tables/%7Borders%7D')
	{
		my $got = get("$unknown/$list");
		is(answer_fault($got, 200) // "$got->{body}", '[]' . ($got->{body} =~ /\n\z/ ? "\n" : ''), substr("$unknown/$list", 0, 60) . ': 200 []');
	}

	# --- Statuses ---------------------------------------------------------------------------------------------------

	my $table = "schemas/shop/tables/orders/$list";
	my $whole = get("shop/$table");
	my $head  = http($bridge, HEAD => "$base/shop/$table");
	is("$head->{status} '$head->{body}'", "200 ''", "$list: HEAD has no body");
	is_deeply({ %{ $head->{headers} }, date => '' }, { %{ $whole->{headers} }, date => '' }, "$list: HEAD has the headers of GET");
	foreach my $method (qw(POST PUT DELETE))
	{
		my $refused = http($bridge, $method => "$base/shop/$table", {}, $method eq 'DELETE' ? undef : '{}');
		is("$refused->{status} " . ($refused->{headers}{allow} // ''), '405 GET, HEAD', "$list: $method: 405 with Allow");
	}
	my ($unknown, $forbidden) = map { my $name = $_; my $got = get("$name/$table"); is(answer_fault($got, 404), undef, "$list of the connection $name: 404"); $got->{json}{message} =~ s/$name/NAME/r } qw(nope other);
	is($unknown, $forbidden, "$list: unknown and forbidden read alike");
	is(answer_fault(http($viewer, GET => "$base/shop/$table"), 403), undef, "$list: a viewer: 403");
	is(answer_fault(get("shop/$table/"), 404), undef, "$list: a slash behind it: 404");
	is(answer_fault(get("shop/schemas/shop/tables//$list"), 404), undef, "$list: no name: 404");
	is(answer_fault(get("shop/schemas/shop/tables/%zz/$list"), 400), undef, "$list: a bad escape: 400");
	is(answer_fault(get("shop/$table?x=%41&limit=no"), 200), undef, "$list: unknown parameters are ignored");
	my $failed = get("broken/$table");
	is("$failed->{status} $failed->{json}{errorCode}", '400 database_not_found', "$list: a failure of the source: 400");
	next if $list eq 'columns';
	$failed = get("questdb/$table");
	is("$failed->{status} $failed->{json}{errorCode}", '400 unsupported_provider', "$list of QuestDB: 400 unsupported_provider");
}

# --- Long answers ---------------------------------------------------------------------------------------------------

$remote->safe_psql('postgres', q{DO $$ BEGIN EXECUTE 'CREATE TABLE shop.wide (' || (SELECT string_agg(format('c%s integer CONSTRAINT k%s CHECK (c%s > 0)', i, i, i), ', ') FROM generate_series(1, 300) AS i) || ')'; END $$;
	GRANT SELECT ON shop.wide TO reader});
foreach my $list ([ columns => 300 ], [ constraints => 300 ], [ indexes => 0 ])
{
	my $got = get("shop/schemas/shop/tables/wide/$list->[0]");
	is("$got->{status} " . ($got->{error} // 'whole'), '200 whole', "$list->[0] of a wide table");
	is(scalar @{ $got->{json} }, $list->[1], "all of them");
	my %seen = map { (($_->{columnName} // $_->{constraintName}) => 1) } @{ $got->{json} };
	is(scalar keys %seen, $list->[1], 'each once');
}

$_->stop foreach $bridge, $viewer;
$sql->close;
$control->stop;
$remote->stop('immediate');
done_testing();
