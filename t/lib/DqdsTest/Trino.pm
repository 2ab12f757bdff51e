# DqdsTest::Trino: a real Trino or Presto server, on 127.0.0.1, that `make test-providers` has downloaded.
#
#   plan skip_all => … unless DqdsTest::Trino->available('trino');   # TRINO_HOME or PRESTO_HOME, and a Java
#   my $server = DqdsTest::Trino->start('trino', tls => {cert => …, key => …});
#
# It has the catalogs tpch, with its schemas of samples, and memory. Over HTTP any user is let in without a password; over HTTPS,
# which Trino has here, ada has the password PASSWORD.
# The Java is that of TRINO_JAVA_HOME, or PRESTO_JAVA_HOME, or JAVA_HOME.
package DqdsTest::Trino;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Http;
use DqdsTest::Process;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

use constant PASSWORD => 'crème & "brûlée"';

my %main = (trino => 'io.trino.server.TrinoServer', presto => 'com.facebook.presto.server.PrestoServer');
my %java = (trino => [ '-XX:+EnableDynamicAgentLoading', '--enable-native-access=ALL-UNNAMED' ], presto => []);

# Trino does without this module where a small Java has none.
use constant VECTOR => 'jdk.incubator.vector';

sub home { my ($kind) = @_; return $ENV{ uc($kind) . '_HOME' }; }

sub java
{
	my ($kind) = @_;
	my $home = $ENV{ uc($kind) . '_JAVA_HOME' } // $ENV{JAVA_HOME} // '';
	return "$home/bin/java";
}

sub has_vector { my ($kind) = @_; return $kind eq 'trino' && `'@{[ java($kind) ]}' --list-modules` =~ /^\Q@{[VECTOR]}\E\b/m; }

sub available { my ($class, $kind) = @_; return defined home($kind) && -d home($kind) . '/lib' && -x java($kind); }

sub start
{
	my ($class, $kind, %opt) = @_;
	my $dir  = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless { kind => $kind, port => free_port(), tls_port => $opt{tls} ? free_port() : undef }, $class;
	my $tls  = $opt{tls} ? $self->tls_lines($dir, $opt{tls}) : '';

	mkdir "$dir/$_" foreach qw(data etc etc/catalog);
	DqdsTest::write_file("$dir/etc/config.properties",
		"coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port=$self->{port}\ndiscovery.uri=http://127.0.0.1:$self->{port}\n"
		  . ($kind eq 'presto' ? "discovery-server.enabled=true\nquery.max-memory-per-node=200MB\nquery.max-total-memory-per-node=300MB\n" : '')
		  . $tls);
	DqdsTest::write_file("$dir/etc/node.properties",
		"node.environment=test\nnode.id=dqds\nnode.data-dir=$dir/data\nnode.internal-address=127.0.0.1\n" . 'plugin.dir=' . home($kind) . "/plugin\n");
	DqdsTest::write_file("$dir/etc/catalog/tpch.properties",   "connector.name=tpch\n");
	DqdsTest::write_file("$dir/etc/catalog/memory.properties", "connector.name=memory\n");
	DqdsTest::write_file("$dir/etc/log.properties",            "");
	$self->{process} = DqdsTest::Process->start(
		$kind,
		"$dir/log",
		sub {
			chdir $dir;
			exec java($kind), qw(-Xmx1500M -Dfile.encoding=UTF-8 -Djdk.attach.allowAttachSelf=true), @{ $java{$kind} }, (has_vector($kind) ? '--add-modules=' . VECTOR : ()),
			  '-cp', home($kind) . '/lib/*', "-Dconfig=$dir/etc/config.properties", "-Dlog.levels-file=$dir/etc/log.properties",
			  (map { "-D$_" } grep { /=/ } split /\n/, slurp_file("$dir/etc/node.properties")), $main{$kind};
		});
	$self->{process}->await(qr/SERVER STARTED/, 400);
	# It still refuses queries for a moment.
	poll_until(sub { eval { $self->query('SELECT 1'); 1 } }, 60) or die "$kind does not answer\n";
	return $self;
}

sub tls_lines
{
	my ($self, $dir, $tls) = @_;
	DqdsTest::write_file("$dir/server.pem", slurp_file($tls->{key}) . slurp_file($tls->{cert}));
	DqdsTest::write_file("$dir/passwords", 'ada:' . crypt(PASSWORD, '$2y$10$abcdefghijklmnopqrstuu') . "\n");
	mkdir "$dir/etc";
	DqdsTest::write_file("$dir/etc/password-authenticator.properties", "password-authenticator.name=file\nfile.password-file=$dir/passwords\n");
	return "http-server.https.enabled=true\nhttp-server.https.port=$self->{tls_port}\nhttp-server.https.keystore.path=$dir/server.pem\n"
	  . "http-server.authentication.type=PASSWORD\nhttp-server.authentication.allow-insecure-over-http=true\ninternal-communication.shared-secret=dqds\n";
}

sub port     { return $_[0]{port}; }
sub tls_port { return $_[0]{tls_port}; }

# query(SQL): run over HTTP, as the user root. Returns the rows; dies with what the server says.
sub query
{
	my ($self, $sql) = @_;
	my $word = ucfirst $self->{kind};
	my $page = http($self->{port}, POST => '/v1/statement', { "X-$word-User" => 'root', 'Content-Type' => 'text/plain' }, $sql)->{json};
	my @rows;
	while (1)
	{
		die "$self->{kind} does not answer\n" if ref $page ne 'HASH';
		die "$self->{kind}: $page->{error}{message}\n" if $page->{error};
		push @rows, @{ $page->{data} // [] };
		return @rows if !defined $page->{nextUri};
		my ($path) = $page->{nextUri} =~ m{^https?://[^/]+(/.*)$};
		$page = http($self->{port}, GET => $path, { "X-$word-User" => 'root' })->{json};
	}
}

# running(PIECE): how many queries with this piece of text the server is busy with.
sub running
{
	my ($self, $piece) = @_;
	return scalar grep { index($_->[0], $piece) >= 0 && index($_->[0], 'system.runtime') < 0 }
	  $self->query(q(SELECT query FROM system.runtime.queries WHERE state NOT IN ('FINISHED', 'FAILED')));
}

# model(options): a connection model, as JSON: over HTTP without a password, or with password => …; undef takes a key away.
sub model
{
	my ($self, %opt) = @_;
	my $required = exists $opt{password} && defined $opt{password};
	my %section = (host => '127.0.0.1', port => "$self->{port}", user => 'ada', ($self->{kind} eq 'trino' ? 'catalog' : 'database') => 'tpch', %opt);

	utf8::decode($_) foreach grep { defined && !ref } values %section;
	delete $section{$_} foreach grep { !defined $section{$_} } keys %section;
	return to_json({ provider_type => $self->{kind}, $required ? () : (password_required => JSON::PP::false()), $self->{kind} => \%section });
}

sub stop { $_[0]{process}->stop; return; }

1;
