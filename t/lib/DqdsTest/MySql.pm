# DqdsTest::MySql: a real MySQL server, on 127.0.0.1, from where packaging/test-providers has unpacked it (MYSQL_HOME).
#
#   my $mysql = DqdsTest::MySql->start('shop', sql => 'CREATE DATABASE shop; …', tls => {ca => …, cert => …, key => …});
#
# Its methods are those of DqdsTest::MariaDb, whose client program it uses as well.
package DqdsTest::MySql;

use strict;
use warnings;

use parent 'DqdsTest::MariaDb';

use DqdsTest;
use DqdsTest::Process;
use PostgreSQL::Test::Utils;

# The tables of MySQL's own plug-in that rewrites queries, as its documentation has them.
use constant REWRITER => <<'SQL';
CREATE DATABASE query_rewrite;
CREATE TABLE query_rewrite.rewrite_rules (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, pattern VARCHAR(5000) COLLATE utf8mb4_bin NOT NULL,
 pattern_database VARCHAR(20) COLLATE utf8mb4_bin, replacement VARCHAR(5000) COLLATE utf8mb4_bin NOT NULL, enabled ENUM('YES', 'NO') COLLATE utf8mb4_bin NOT NULL DEFAULT 'YES',
 message VARCHAR(1000) COLLATE utf8mb4_bin, pattern_digest VARCHAR(64), normalized_pattern VARCHAR(100));
INSTALL PLUGIN rewriter SONAME 'rewriter.so';
CREATE FUNCTION load_rewrite_rules RETURNS STRING SONAME 'rewriter.so';
SQL

# start(NAME, options): a running server with one user, bob, who may read everything and has the password of DqdsTest::MariaDb.
#   sql     statements to begin with
#   tls     {ca, cert, key}: files; without them it makes its own
#   config  [more lines of [mysqld]]
sub start
{
	my ($class, $name, %opt) = @_;
	my $home = $ENV{MYSQL_HOME} // die "MYSQL_HOME does not say where MySQL is\n";
	my $dir  = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless { dir => $dir, port => free_port() }, $class;
	# It is a newer Debian's, and needs the C library of that.
	my $libraries = "$home/usr/lib/x86_64-linux-gnu";
	my @server    = ("$libraries/ld-linux-x86-64.so.2", '--library-path', $libraries, "$home/usr/sbin/mysqld", "--defaults-file=$dir/my.cnf");

	DqdsTest::MariaDb::write_lines("$dir/my.cnf",
		'[mysqld]', "basedir=$home/usr", "lc-messages-dir=$home/usr/share/mysql", "plugin-dir=$home/usr/lib/mysql/plugin", "datadir=$dir/data",
		"socket=$dir/socket", "pid-file=$dir/pid", 'bind-address=127.0.0.1', "port=$self->{port}", 'mysqlx=OFF', 'skip-name-resolve',
		'secure-file-priv=NULL', 'disable-log-bin', 'innodb-buffer-pool-size=64M', 'innodb-redo-log-capacity=64M', 'innodb-flush-log-at-trx-commit=0',
		$opt{tls} ? ("ssl-ca=$opt{tls}{ca}", "ssl-cert=$opt{tls}{cert}", "ssl-key=$opt{tls}{key}") : (),
		@{ $opt{config} // [] });
	DqdsTest::MariaDb::run_quietly(@server, '--initialize-insecure');
	$self->{process} = DqdsTest::Process->start("mysql $name", "$dir/log", \@server);
	$self->{process}->await(qr/ready for connections\./, 120);
	$self->query("CREATE USER bob\@'%' IDENTIFIED BY '" . DqdsTest::MariaDb::quoted(DqdsTest::MariaDb::PASSWORD()) . "'; GRANT SELECT ON *.* TO bob\@'%'");
	$self->query($opt{sql}) if defined $opt{sql};
	return $self;
}

# model(options): as of DqdsTest::MariaDb.
sub model
{
	my ($self, %opt) = @_;
	return $self->SUPER::model(provider => 'mysql', %opt);
}

# hold(PIECE): from now on the queries that were asked before and have this piece of text last two minutes.
sub hold
{
	my ($self, $piece) = @_;
	my $held = $self->{held}++;

	$self->query(REWRITER) if !$held;
	$self->query(q(INSERT INTO query_rewrite.rewrite_rules (pattern, replacement) SELECT query_sample_text, 'SELECT SLEEP(120)')
		  . " FROM performance_schema.events_statements_summary_by_digest WHERE query_sample_text LIKE '%MAX_EXECUTION_TIME%$piece%'; SELECT load_rewrite_rules()");
	return;
}

# release: what was held lasts no longer, and what was asked is forgotten.
sub release
{
	my ($self) = @_;
	$self->query('DELETE FROM query_rewrite.rewrite_rules; SELECT load_rewrite_rules(); TRUNCATE performance_schema.events_statements_summary_by_digest');
	return;
}

1;
