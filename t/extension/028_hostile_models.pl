# Models that try to lead elsewhere than they say, or to use files and other protocols: each is refused by name, in a test and
# in a listing, over SQL and over REST, and cannot be registered; nothing is connected to, and no file of the control server
# is read. Text inside a value that looks like a parameter is part of that value.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Hostile;
use DqdsTest::Outcome;
use DqdsTest::Sql;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $control = control_server('control');
my $sql     = DqdsTest::Sql->connect($control);
my $bridge  = hostile_watch(control => $control, remote => $remote, sql => $sql);
also_over_rest($bridge);

# A misled connection would arrive here.
my $dir  = PostgreSQL::Test::Utils::tempdir('models');
my $trap = start_fake_server(sub {
	my ($client) = @_;
	open my $file, '>>', "$dir/arrived" or die $!;
	syswrite $file, pg_read_startup($client);
	close $file;
});
my $trap_port = $trap->port;

# Checks that there was no connection; if there was, shows its startup packets.
sub nobody_came
{
	my ($what) = @_;
	ok(!-e "$dir/arrived", "$what: nothing is connected to") or diag(slurp_file("$dir/arrived"));
	unlink "$dir/arrived";
	return;
}

# A model with this fault: the result is invalid_connection, naming the key.
sub invalid
{
	my ($what, $name, %override) = @_;
	fails($sql, $what, connection_model($remote, port => "$trap_port", %override), 'invalid_connection', message => qr/"$name"/, within => 0);
	return;
}

sub invalid_host { invalid('host ' . ($_ =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr), 'postgresql\.host', host => $_) foreach @_; return; }

# --- The host ----------------------------------------------------------------------------------------------

hostile('host-comma', sub { invalid_host('127.0.0.1,127.0.0.1', 'localhost,', ',localhost', 'db.example,127.0.0.1'); nobody_came('a list of hosts') });
hostile('host-slash', sub { invalid_host('/tmp', $remote->host, '127.0.0.1/x', './', 'a\\b', "//127.0.0.1:$trap_port/"); nobody_came('a path') });
hostile('host-at', sub { invalid_host('@', '@abstract', 'user@127.0.0.1', "\@127.0.0.1:$trap_port"); nobody_came('an at sign') });
hostile('host-nul', sub {
	my $model = connection_model($remote, host => 'HOST', port => "$trap_port");
	my $nul   = $model =~ s/HOST/127.0.0.1\\u0000.example/r;
	is(answer_fault(http($bridge, POST => '/api/datasource/testconnection', {}, $nul), 400), undef, 'host with \u0000: 400');
	is(answer_fault(http($bridge, POST => '/api/connections/nul/basic', {}, $nul), 400), undef, 'host with \u0000: cannot be registered');
	is($sql->query('SELECT * FROM dqds_test_connection(' . sql_literal($nul) . '::text)')->{error}{sqlstate}, '22P05', 'host with \u0000: 22P05 over SQL');
	is($sql->query('SELECT * FROM dqds_test_connection(' . sql_literal($nul) . '::json)')->{error}{sqlstate}, '22P05', 'host with \u0000, of type json: 22P05');
	my $raw = $model =~ s/HOST/127.0.0.1\0.example/r;
	is(answer_fault(http($bridge, POST => '/api/datasource/testconnection', {}, $raw), 400), undef, 'host with a NUL byte: 400');
	invalid_host("127.0.0.1\n", "\t127.0.0.1", "127.0.0.1 \x01", "\x7f", '127.0.0.1 ', ' ', 'a b');
	nobody_came('a NUL');
});
hostile('host-254', sub { invalid_host('a' x 254, ('a' x 63 . '.') x 3 . 'a' x 62, 'x' x 100_000); nobody_came('a long name') });
hostile('host-none', sub { invalid_host(undef, ''); nobody_came('no host') });
invalid_host('[::1', '[localhost]', "[::1]:$trap_port", '"localhost"', "'localhost'", 'local[host');
is(http($bridge, POST => '/api/connections/long/basic', {}, connection_model($remote, host => ('a' x 63 . '.') x 3 . 'a' x 56 . '.test'))->{status}, 201, '253 characters in host: can be registered');

# --- Parameters that are not for models ------------------------------------------------------------------------

# Files that would have an effect if they were read.
my $home = "$dir/files";
mkdir $home;
foreach my $file (qw(service passfile key certificate))
{
	open my $out, '>', "$home/$file" or die $!;
	print $out $file eq 'service' ? "[elsewhere]\nhost=127.0.0.1\nport=$trap_port\n" : "*:*:*:*:secret\n";
	close $out;
	chmod 0600, "$home/$file";
}

# As a property it is refused by name. Inside a value it is a part of that value: what is connected to is what the model says,
# which lets no one in, for neither user nor database nor option are there. As a member of the section, or of the model, it is
# not known: what looks like the host or like a setting of TLS is refused by name, and what does not comes to nothing.
sub not_for_models
{
	my ($name, $value) = @_;
	foreach my $spelling ($name, uc $name, " $name", "$name ", "application_name=x $name")
	{
		invalid("the property <$spelling>", quotemeta $spelling, properties => { $spelling => $value });
	}
	foreach my $text ("x $name=$value", "x' $name='$value", "$name=$value")
	{
		my %of = (
			user             => 'authentication_failed',
			password         => 'authentication_failed',
			application_name => '',
			database         => $text =~ /^\Q$name\E=/ ? 'invalid_connection' : 'database_not_found');
		foreach my $key (sort keys %of)
		{
			my %override = $key eq 'application_name' ? (properties => { $key => $text }) : ($key => $text);
			my $row = outcome($sql, connection_model($remote, %override));
			is($row->{error_code} // '', $of{$key}, "$key <$text>: " . ($of{$key} || 'connected, to where the model says'));
			my $answer = http($bridge, POST => '/api/datasource/testconnection', {}, connection_model($remote, %override));
			is($answer->{json}{errorCode} // '', $of{$key}, "$key <$text>: the same over REST");
		}
		invalid("host <$text>", 'postgresql\.host', host => $text);
		my $ssl = connection_model($remote, sslmode => $text);
		fails($sql, "sslmode <$text>", $ssl, 'invalid_connection', message => qr/"postgresql\.sslmode"/, within => 0);
		fails($sql, "port <$text>", connection_model($remote, port => $text), 'invalid_connection', message => qr/"postgresql\.port"/, within => 0);
	}
	my $data = from_json(connection_model($remote));
	$data->{$name} = $value;
	$data->{postgresql}{$name} = $value;
	$name =~ /ssl|host/
	  ? fails($sql, "$name as a member", to_json($data), 'invalid_connection', message => qr/"postgresql\.$name"/, within => 0)
	  : works($sql, "$name as a member that is not known", to_json($data));
	nobody_came($name);
	return;
}

hostile('param-service',     sub { not_for_models(service     => 'elsewhere') });
hostile('param-passfile',    sub { not_for_models(passfile    => "$home/passfile") });
hostile('param-sslkey',      sub { not_for_models(sslkey      => "$home/key") });
hostile('param-sslcert',     sub { not_for_models(sslcert     => "$home/certificate") });
hostile('param-hostaddr',    sub { not_for_models(hostaddr    => '127.0.0.1') });
hostile('param-replication', sub { not_for_models(replication => 'database') });
hostile('param-dbname', sub {
	invalid("the property $_", $_, properties => { $_ => "host=127.0.0.1 port=$trap_port" }) foreach qw(dbname database);
	foreach my $database ("host=127.0.0.1 port=$trap_port", "host='127.0.0.1'", "port=$trap_port", " host = 127.0.0.1", "dbname=postgres host=127.0.0.1")
	{
		invalid("database <$database>", 'postgresql\.database', database => $database);
	}
	# libpq never parses a name as a connection string.
	fails($sql, "database <$_>", connection_model($remote, database => $_), 'database_not_found', sqlstate => '3D000')
	  foreach "postgresql://127.0.0.1:$trap_port/x", "postgres://u:p\@127.0.0.1:$trap_port", '=', "x host=127.0.0.1 port=$trap_port";
	fails($sql, 'a user that is a connection string', connection_model($remote, user => "host=127.0.0.1 port=$trap_port"), 'authentication_failed', sqlstate => '28P01');
	nobody_came('a database that is a connection string');
});

# All other keywords of libpq.
invalid("the property $_", $_, properties => { $_ => 'x' })
  foreach qw(host port user password sslmode options servicefile requirepeer require_auth krbsrvname gsslib sslrootcert sslcrl sslcrldir sslpassword sslcompression
  fallback_application_name client_encoding load_balance_hosts scram_client_key requiressl authtype tty);
nobody_came('the other parameters of libpq');

hostile_end();
done_testing();
