# DqdsTest::ClickHouse: a real ClickHouse server of Debian's package, on 127.0.0.1.
#
#   plan skip_all => … unless DqdsTest::ClickHouse->available;     # Debian 13 has no such package
#   my $server = DqdsTest::ClickHouse->start('shop', sql => ['CREATE DATABASE shop', …], tls => {cert => …, key => …});
#   my $model  = $server->model(database => 'shop', user => 'bob');
#   my @rows   = $server->query('SELECT …');        # as its administrator: lines, tab-separated
#
# Users: bob, who has the password PASSWORD; reader, who has it too, and may only read and set nothing; free, who has no password.
package DqdsTest::ClickHouse;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Http;
use DqdsTest::Process;
use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Utils;

use constant { SERVER => '/usr/sbin/clickhouse-server', PASSWORD => 'crème & "brûlée": 100%' };

sub available { return -x SERVER; }

# start(NAME, options): a running server.
#   sql   statements to begin with, a list
#   tls   {cert, key}: files; then it listens for HTTPS as well
sub start
{
	my ($class, $name, %opt) = @_;
	my $dir  = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless { dir => $dir, port => free_port(), tls_port => $opt{tls} ? free_port() : undef }, $class;
	my $tcp  = free_port();
	my $tls  = $opt{tls}
	  ? "<https_port>$self->{tls_port}</https_port><openSSL><server><certificateFile>$opt{tls}{cert}</certificateFile>"
	  . "<privateKeyFile>$opt{tls}{key}</privateKeyFile><verificationMode>none</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile>"
	  . '<disableProtocols>sslv2,sslv3</disableProtocols></server></openSSL>'
	  : '';

	DqdsTest::write_file("$dir/config.xml", <<"XML");
<yandex>
<logger><level>information</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><http_port>$self->{port}</http_port>$tls<tcp_port>$tcp</tcp_port>
<path>$dir/data/</path><tmp_path>$dir/tmp/</tmp_path><mark_cache_size>5368709</mark_cache_size>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
</yandex>
XML
	DqdsTest::write_file("$dir/users.xml", '<yandex><profiles><default/><reading><readonly>1</readonly></reading></profiles><quotas><default/></quotas><users>'
		  . user_xml('default', '<password></password>', 'default')
		  . user_xml('free', '<password></password>', 'default')
		  . user_xml('bob', '<password_sha256_hex>' . sha256_hex(PASSWORD) . '</password_sha256_hex>', 'default')
		  . user_xml('reader', '<password_sha256_hex>' . sha256_hex(PASSWORD) . '</password_sha256_hex>', 'reading')
		  . '</users></yandex>');
	mkdir "$dir/$_" foreach qw(data tmp);
	$self->{process} = DqdsTest::Process->start("ClickHouse $name", "$dir/log", [ SERVER, "--config-file=$dir/config.xml" ]);
	$self->{process}->await(qr/Ready for connections/, 60);
	$self->query($_) foreach @{ $opt{sql} // [] };
	return $self;
}

sub user_xml
{
	my ($name, $password, $profile) = @_;
	return "<$name>$password<networks><ip>::/0</ip></networks><profile>$profile</profile><quota>default</quota></$name>";
}

sub port     { return $_[0]{port}; }
sub tls_port { return $_[0]{tls_port}; }
sub dir      { return $_[0]{dir}; }
sub pid      { return $_[0]{process}->pid; }

# query(SQL): run as the administrator. Returns the lines of the answer; dies with what the server says.
sub query
{
	my ($self, $sql) = @_;
	my $answer = http($self->{port}, 'POST', '/', {}, $sql);

	die "ClickHouse: $answer->{body}" if $answer->{status} != 200;
	return split /\n/, $answer->{body};
}

# running(PIECE): how many queries with this piece of text the server is busy with.
sub running
{
	my ($self, $piece) = @_;
	return scalar grep { index($_, $piece) >= 0 && index($_, 'system.processes') < 0 } $self->query('SELECT query FROM system.processes');
}

# model(options): a connection model for bob, as JSON; options replace or add keys of its section; undef takes one away.
sub model
{
	my ($self, %opt) = @_;
	my %section = (host => '127.0.0.1', port => "$self->{port}", user => 'bob', password => PASSWORD,
		properties => { allow_cleartext_password => 'true' }, %opt);

	# JSON is made of characters.
	utf8::decode($_) foreach grep { defined && !ref } values %section;
	delete $section{$_} foreach grep { !defined $section{$_} } keys %section;
	return to_json({ provider_type => 'clickhouse', clickhouse => \%section });
}

sub stop { $_[0]{process}->stop; return; }

1;
