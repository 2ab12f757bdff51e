# DqdsTest::MariaDb: a real MariaDB server of Debian's packages, on 127.0.0.1.
#
#   my $mariadb = DqdsTest::MariaDb->start('shop', sql => 'CREATE DATABASE shop; …', tls => {cert => …, key => …});
#   my $model   = $mariadb->model(database => 'shop', user => 'bob');
#   my @rows    = $mariadb->query('SELECT …');        # as root, over its socket: lines, tab-separated
package DqdsTest::MariaDb;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Process;
use IPC::Run ();
use PostgreSQL::Test::Utils;

use constant { SERVER => '/usr/sbin/mariadbd', PASSWORD => 'crème & "brûlée"' };

# start(NAME, options): a running server with one user, bob, who may read everything and has the password PASSWORD.
#   sql     statements to begin with
#   tls     {cert, key}: files
#   config  [more lines of [mariadbd]]
sub start
{
	my ($class, $name, %opt) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless { dir => $dir, port => free_port() }, $class;

	# A server removes the temporary tables of others from a directory that it shares.
	mkdir "$dir/tmp" or die "$dir/tmp: $!";
	run_quietly('mariadb-install-db', '--no-defaults', "--datadir=$dir/data", "--tmpdir=$dir/tmp", '--auth-root-authentication-method=normal',
		'--skip-test-db');
	write_lines("$dir/my.cnf",
		'[mariadbd]', "datadir=$dir/data", "tmpdir=$dir/tmp", "socket=$dir/socket", "pid-file=$dir/pid", 'bind-address=127.0.0.1', "port=$self->{port}",
		'skip-name-resolve', 'character-set-server=utf8mb4', 'innodb-buffer-pool-size=32M', 'innodb-flush-log-at-trx-commit=0',
		'innodb-log-file-size=16M', 'max-connections=400',
		$opt{tls} ? ("ssl-cert=$opt{tls}{cert}", "ssl-key=$opt{tls}{key}") : 'skip-ssl',
		@{ $opt{config} // [] });
	$self->{process} = DqdsTest::Process->start("mariadb $name", "$dir/log", [ SERVER, "--defaults-file=$dir/my.cnf" ]);
	$self->{process}->await(qr/ready for connections/, 60);
	$self->query("DROP USER IF EXISTS ''\@'localhost'; CREATE USER bob\@'%' IDENTIFIED BY '" . quoted(PASSWORD) . "'; GRANT SELECT ON *.* TO bob\@'%'");
	$self->query($opt{sql}) if defined $opt{sql};
	return $self;
}

sub quoted { return $_[0] =~ s/(['\\])/\\$1/gr; }

sub port { return $_[0]{port}; }
sub dir  { return $_[0]{dir}; }
sub pid  { return $_[0]{process}->pid; }

# query(SQL): run as root, over the socket. Returns the lines of the answer; dies with what the server says.
sub query
{
	my ($self, $sql) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'mariadb', '--no-defaults', "--socket=$self->{dir}/socket", '--skip-ssl', '--user=root', '--default-character-set=utf8mb4', '-N', '-B' ],
		'<', \$sql, '>', \$out, '2>', \$err, IPC::Run::timeout(120)) or die "mariadb: $err";
	return split /\n/, $out;
}

# running(PIECE): how many queries with this piece of text the server is busy with.
sub running
{
	my ($self, $piece) = @_;
	return scalar grep { index($_, $piece) >= 0 } $self->query(q(SELECT info FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command = 'Query'));
}

# model(options): a connection model for bob, as JSON; options replace or add keys of its section; undef takes one away.
sub model
{
	my ($self, %opt) = @_;
	my $provider = delete $opt{provider} // 'mariadb';
	my %section = (host => '127.0.0.1', port => "$self->{port}", user => 'bob', password => PASSWORD, %opt);

	# JSON is made of characters.
	utf8::decode($_) foreach grep { defined } values %section;
	delete $section{$_} foreach grep { !defined $section{$_} } keys %section;
	return to_json({ provider_type => $provider, $provider => \%section });
}

sub stop { $_[0]{process}->stop; return; }

sub write_lines
{
	my ($name, @lines) = @_;
	open my $file, '>', $name or die "$name: $!";
	print $file map { "$_\n" } @lines;
	close $file or die "$name: $!";
	return;
}

sub run_quietly
{
	my ($out, $err) = ('', '');
	IPC::Run::run(\@_, '<', \'', '>', \$out, '2>', \$err, IPC::Run::timeout(120)) or die "@_: $out$err";
	return;
}

1;
