# record.pl: makes the recorded seeds of fuzz/corpus/replies: the answers of a real PostgreSQL and PgBouncer to dqds.
# Run by `packaging/fuzz record`, with the directory to write to.
#
# A relay between dqds and the server records what the server sends. A seed is three bytes of choice (fuzz/replies.c)
# and the server's bytes: from the AuthenticationOk on if the login succeeds, all of them if it does not.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

my ($target) = @ARGV;
my ($begin_login, $begin_password_in) = (1, 2);    # HostileBegin

my $remote  = remote_server('remote', conf => "max_connections = 20");
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $dir     = PostgreSQL::Test::Utils::tempdir('relay');

$remote->safe_psql('postgres', <<~'END');
	CREATE SCHEMA s;
	GRANT USAGE, CREATE ON SCHEMA s TO reader;
	SET ROLE reader;
	CREATE DOMAIN s.code AS varchar(12) NOT NULL;
	CREATE TABLE s.a (id bigint PRIMARY KEY, name varchar(40) NOT NULL, price numeric(10,2), at timestamp(3), tags text[], code s.code);
	COMMENT ON TABLE s.a IS 'all of them';
	COMMENT ON COLUMN s.a.price IS 'in €';
	INSERT INTO s.a SELECT i, 'n', 1, now(), '{}', 'x' FROM generate_series(1, 50) i;
	CREATE TABLE s.b (day date) PARTITION BY RANGE (day);
	CREATE TABLE s.b_2024 PARTITION OF s.b FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
	CREATE VIEW s."a ""view""" AS SELECT 1 AS "größe";
	CREATE MATERIALIZED VIEW s.m AS SELECT 1 AS x;
	RESET ROLE;
	ANALYZE s.a;
	CREATE ROLE locked NOLOGIN PASSWORD 'x';
	CREATE DATABASE closed ALLOW_CONNECTIONS false;
	CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0;
	END

# relay(PORT): a server that passes everything on to PORT, and keeps what comes back in a file for each connection.
sub relay
{
	my ($port, $name) = @_;
	return start_fake_server(
		sub {
			my ($client, $number) = @_;
			my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "relay: $!";
			open my $kept, '>', sprintf('%s/%s-%03d', $dir, $name, $number) or die "relay: $!";
			my $select = IO::Select->new($client, $server);
			while (1)
			{
				foreach my $from ($select->can_read(30))
				{
					sysread($from, my $bytes, 65536) or return;
					syswrite $kept, $bytes if $from == $server;
					syswrite $from == $server ? $client : $server, $bytes;
				}
			}
		});
}

# without_login(BYTES): from the AuthenticationOk on; undef where there is none.
sub without_login
{
	my ($bytes) = @_;
	my $at = index $bytes, "R\0\0\0\x08\0\0\0\0";
	return $at < 0 ? undef : substr $bytes, $at;
}

my $count = 0;

# record(NAME, CONNECTION, QUESTION, PORT, SQL, MODEL's overrides): runs SQL three times over a relay.
sub record
{
	my ($name, $connection, $question, $port, $query, %override) = @_;
	my $relay = relay($port, $name);
	my $model = connection_model($remote, port => '' . $relay->port, sslmode => 'disable', %override);
	create_connection($control, $name, $model);
	$sql->query(sprintf $query, $name) foreach 1 .. 3;
	$sql->query('SELECT dqds_close_idle()');
	my @streams = map { slurp_file($_) } sort glob "$dir/$name-*";
	my @inside  = map { without_login($_) // () } @streams;
	my $begin   = @inside ? $begin_password_in : $begin_login;
	write_seed($name, $begin, $connection, $question, join '', @inside ? @inside : @streams);
	$count++;
	return;
}

sub write_seed
{
	my ($name, $begin, $connection, $question, $bytes) = @_;
	open my $file, '>:raw', "$target/recorded-$name" or die "$target/recorded-$name: $!";
	print $file pack('CCC', $begin, $connection, $question), $bytes;
	close $file or die "$target/recorded-$name: $!";
	return;
}

# The numbers of the questions and connections are those of fuzz/replies.c.
my $port = $remote->port;
record('test',         0, 0,  $port, q{SELECT * FROM dqds_test_connection('%s')});
record('diagnosis',    0, 1,  $port, q{SELECT * FROM dqds_diagnose_connection('%s')});
record('schemas',      0, 2,  $port, q{SELECT * FROM dqds_list_schemas('%s', true)});
record('schemas-json', 0, 3,  $port, q{SELECT * FROM dqds_list_schemas_json('%s', false)});
record('tables',       0, 4,  $port, q{SELECT * FROM dqds_list_tables('%s', 's', NULL, 3)});
record('tables-json',  0, 6,  $port, q{SELECT * FROM dqds_list_tables_json('%s', 's', NULL, NULL, true)});
record('columns',      0, 8,  $port, q{SELECT * FROM dqds_list_columns('%s', 's')});
record('columns-of',   0, 9,  $port, q{SELECT * FROM dqds_list_columns('%s', 's', '{a,b}')});
record('import',       0, 10, $port, q{SELECT * FROM dqds_import_tables('%s', 's')});
record('writable',     1, 2,  $port, q{SELECT * FROM dqds_list_schemas('%s')}, properties => { target_session_attrs => 'read-write' });
record('ascii',        0, 4,  $port, q{SELECT * FROM dqds_list_tables('%s', 's')}, database => 'ascii');
record('redshift',     2, 2,  $port, q{SELECT * FROM dqds_list_schemas('%s')}, provider_type => 'redshift');
record('questdb',      3, 4,  $port, q{SELECT * FROM dqds_list_tables('%s', 's')}, provider_type => 'questdb');

my %refused = (
	password => { password => 'wrong' }, database => { database => 'nowhere' }, closed => { database => 'closed' },
	login => { user => 'locked', password => 'x' });
record("refused-$_", 0, 0, $port, q{SELECT * FROM dqds_test_connection('%s')}, %{ $refused{$_} }) foreach sort keys %refused;

my $bouncer = start_pgbouncer($remote);
record('pooler', 0, 4, $bouncer->port, q{SELECT * FROM dqds_list_tables('%s', 's')});
record('pooler-refused', 0, 0, $bouncer->port, q{SELECT * FROM dqds_test_connection('%s')}, password => 'wrong');

print { Test::More->builder->output } "$count seeds\n";
