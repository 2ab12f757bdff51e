# DqdsTest::Soak::World: the servers of the soak, and the objects of the remote servers.
#
# There are three remote servers, each with unique names, so that mixed-up answers cannot look right: north is reached directly,
# south through PgBouncer, east through the test's own proxy. There are two control servers: one that suffers every fault, with
# the bridge in front, and one without faults (steady), so that the memory of its sessions can be measured all the time while
# the same remote servers fail. This module starts them; it neither loads nor breaks them.
#
# All names are UTF-8 bytes.
package DqdsTest::Soak::World;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Soak::Proxy;
use DqdsTest::Sql;
use Encode ();
use PostgreSQL::Test::Utils;

# So many tables has the wide schema: its listings are longer than what the bridge sends in one piece.
use constant WIDE => 600;

# So many has the long one, each with a long comment: with details, more than the 4 MB that the kernel may keep for a client
# that reads slowly.
use constant { LONG => 300, LONG_COMMENT => 20_000 };

# remote => the name of the connection that leads there
my %connection_name = (north => 'north "direct"', south => 'süd/pooler %2F', east => "östlich\\proxy \xF0\x9F\x98\x80");

# What each remote has in its schema, with the remote's name in place of @: name, kind, comment, columns. A column: name,
# definition, and what is listed for it: type, length, precision, scale, nullable, primary key.
my @shop = (
	[ '@ 100%_x\\', 'table', 'only in @',
		[ [ '@ "id"', 'bigint PRIMARY KEY', 'bigint', undef, undef, undef, 'f', 't' ],
		  [ 'wer_@', 'varchar(20) NOT NULL', 'character varying', 20, undef, undef, 'f', 'f' ] ] ],
	[ "@\nline", 'table', undef, [ [ "a\tb @", 'text', 'text', undef, undef, undef, 't', 'f' ] ] ],
	[ "@ \xF0\x9F\x98\x80", 'partitioned_table', "two\nlines of @",
		[ [ 'betrag @', 'numeric(10,2)', 'numeric', undef, 10, 2, 't', 'f' ] ] ],
	[ 'view of @', 'view', undef, [ [ 'wer_@', undef, 'character varying', 20, undef, undef, 't', 'f' ] ] ]);

sub shop_schema { return "$_[0] \"shop\" \xC3\xBC"; }
sub wide_schema { return "$_[0] wide"; }
sub long_schema { return "$_[0] long"; }
sub schemas     { return sort 'public', shop_schema($_[0]), wide_schema($_[0]), long_schema($_[0]); }
sub wide_table  { return sprintf '%s table %05d with a name of some length', @_; }

# shop(REMOTE): its tables, sorted as they are listed: {name, kind, comment, columns}.
sub shop
{
	my ($remote) = @_;
	my $fill   = sub { defined $_[0] ? $_[0] =~ s/\@/$remote/gr : undef };
	my @tables = map {
		my ($name, $kind, $comment, $columns) = @$_;
		my @columns = map { my ($column, @rest) = @$_; [ $fill->($column), @rest ] } @$columns;
		{ name => $fill->($name), kind => $kind, comment => $fill->($comment), columns => \@columns }
	} @shop;
	return sort { $a->{name} cmp $b->{name} } @tables;
}

sub ident { return '"' . ($_[0] =~ s/"/""/gr) . '"'; }

# json_string(BYTES): the text as a JSON string.
sub json_string { return to_json(Encode::decode('UTF-8', $_[0])); }

# --- The remotes -----------------------------------------------------------------------------------------

sub create_table
{
	my ($schema, $table, $source) = @_;
	my $name   = "$schema." . ident($table->{name});
	my @column = @{ $table->{columns} };
	my $first  = ident($column[0][0]);
	return "CREATE VIEW $name AS SELECT $first FROM $schema." . ident($source) . ';' if $table->{kind} eq 'view';
	return "CREATE TABLE $name (" . join(', ', map { ident($_->[0]) . " $_->[1]" } @column) . ')'
	  . ($table->{kind} eq 'partitioned_table' ? " PARTITION BY LIST ($first)" : '') . ';';
}

sub fill_remote
{
	my ($node, $remote) = @_;
	my ($schema, $wide, $long, $role) = map { ident($_) } shop_schema($remote), wide_schema($remote), long_schema($remote), $node->{dqds_role};
	my @tables = shop($remote);
	my ($source) = map { $_->{name} } grep { $_->{name} =~ /100%/ } @tables;
	my $sql = "CREATE SCHEMA $schema; CREATE SCHEMA $wide; CREATE SCHEMA $long; CREATE SCHEMA hidden; GRANT USAGE ON SCHEMA $schema, $wide, $long TO $role;";
	$sql .= create_table($schema, $_, $source) foreach sort { ($a->{kind} eq 'view') <=> ($b->{kind} eq 'view') } @tables;
	foreach my $table (grep { defined $_->{comment} } @tables)
	{
		$sql .= "COMMENT ON TABLE $schema." . ident($table->{name}) . ' IS ' . sql_literal($table->{comment}) . ';';
	}
	$sql .= "CREATE TABLE $wide." . ident(wide_table($remote, $_)) . ' ();' foreach 1 .. WIDE;
	$sql .= "CREATE TABLE $long.\"$_\" (); COMMENT ON TABLE $long.\"$_\" IS '" . 'x' x LONG_COMMENT . q(';) foreach 1 .. LONG;
	$sql .= "GRANT SELECT ON ALL TABLES IN SCHEMA $schema, $wide, $long TO $role;";
	$sql .= "CREATE TABLE hidden.secret (id int); CREATE TABLE $schema.not_for_reader (id int);";
	$node->safe_psql('postgres', $sql);
	return;
}

my $survives = 'restart_after_crash = on';

sub start_remote
{
	my ($remote) = @_;
	my $node = remote_server($remote, role => "${remote}_reader",
		conf => "$survives\nautovacuum = off\nmax_locks_per_transaction = 256");
	fill_remote($node, $remote);
	return $node;
}

# --- The control servers ----------------------------------------------------------------------------------

# The file of settings that a fault may change.
sub settings_file { return $_[0]->data_dir . '/soak.conf'; }

sub start_control
{
	my ($name) = @_;
	# The SQLSTATE in front of each line of the log.
	my $node = control_server($name, conf => "$survives\nlog_line_prefix = '%m [%p] %e %q%a '\n"
		  . "dqds.connect_timeout = '2s'\ndqds.query_timeout = '2s'\ninclude_if_exists = 'soak.conf'");
	$node->safe_psql('postgres', 'CREATE ROLE soak_sql LOGIN; CREATE ROLE soak_editor; CREATE ROLE soak_viewer');
	return $node;
}

# build: everything, running. Its members:
#   remote, control, steady => servers; remote by name
#   connections => [{name, remote, port}…] that work; refused, silent => those that do not
#   pooler, proxy, bridge, other_bridge => processes
#   token => {role => token}, passwords => [text…] that must never show
sub build
{
	my ($class) = @_;
	my $self = bless {}, $class;
	$self->{remote}{$_} = start_remote($_) foreach qw(north south east);
	$self->{pooler} = start_pgbouncer($self->{remote}{south}, 'transaction', "server_login_retry = 1\nmax_client_conn = 300");
	$self->{proxy}  = DqdsTest::Soak::Proxy->start($self->{remote}{east}->port);
	$self->{silent_server} = start_fake_server(sub { sysread $_[0], my $bytes, 1 while 1; });
	my %port = (north => $self->{remote}{north}->port, south => $self->{pooler}->port, east => $self->{proxy}->port);
	$self->{connections} = [ map { { name => $connection_name{$_}, remote => $_, port => $port{$_} } } qw(north south east) ];
	$self->{refused} = { name => 'refused', remote => 'north', port => free_port() };
	$self->{silent}  = { name => 'silent',  remote => 'north', port => $self->{silent_server}->port };
	$self->{passwords} = [ 'never-right-' . int rand 1e9, map { remote_password($_) } values %{ $self->{remote} } ];

	$self->{$_} = start_control($_) foreach qw(control steady);
	foreach my $node (@$self{qw(control steady)})
	{
		create_connection($node, $_->{name}, $self->model($_)) foreach $self->all_connections;
		grant_role($node, $_, level => /viewer/ ? 'viewer' : 'editor', connections => [ map { $_->{name} } $self->all_connections ])
		  foreach qw(soak_sql soak_editor soak_viewer);
	}
	$self->start_bridges;
	return $self;
}

sub all_connections { return (@{ $_[0]{connections} }, @{ $_[0] }{qw(refused silent)}); }

# model(CONNECTION, KEY => VALUE…): its model.
sub model
{
	my ($self, $connection, %more) = @_;
	# Few at once on one of them, so that busy is among the answers.
	$more{parallel_jobs_limit} //= 3 if $connection->{remote} eq 'north' && $connection->{name} =~ /direct/;
	return connection_model($self->{remote}{ $connection->{remote} }, port => "$connection->{port}", %more);
}

# The bridge that has to live through it all, and another that is itself killed now and then.
sub start_bridges
{
	my ($self) = @_;
	my $control     = $self->{control};
	my @connections = map { $_->{name} } $self->all_connections;
	# Few threads: each needs some memory of its own once, and 256 would take all the time to have been everywhere once.
	my @options = ('--threads', 32, '--pool-size', 8, '--request-timeout', 10);
	$self->{bridge} = start_bridge($control, connections => \@connections, options => \@options);
	$control->safe_psql('postgres', 'GRANT soak_editor, soak_viewer TO dqds_bridge');
	my $port = free_port();
	$self->{other_bridge} = start_bridge(undef, control_db => bridge_conninfo($control), options => [ @options, '--listen', "127.0.0.1:$port" ]);
	foreach my $role (qw(soak_editor soak_viewer))
	{
		$self->{token}{$role} = $control->safe_psql('postgres', "SELECT dqds_create_token('$role')");
	}
	return;
}

# secrets: every text that must not be in an answer or a log.
sub secrets
{
	my ($self) = @_;
	return (@{ $self->{passwords} }, values %{ $self->{token} });
}

# open_session(CONTROL server): a session as an editor.
sub open_session { return DqdsTest::Sql->connect($_[1], user => 'soak_sql'); }

1;
