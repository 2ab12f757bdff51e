# No answer reveals anything about a secret to roles that may use it but not read it: no message masks it among the caller's
# own guesses, whether dqds or a remote server wrote the text; nothing is refused because of the length of a secret; and the
# number of references that are expanded is limited.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::FakePostgres;
use DqdsTest::Sql;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'Winter-2026!';
my $remote = remote_server('remote');
my %env    = (
	DQDS_SECRET_USER => 'reader', DQDS_SECRET_HOST => '127.0.0.1', DQDS_SECRET_DATABASE => 'postgres', DQDS_SECRET_PORT => '' . $remote->port, DQDS_SECRET_GUESSED => 'reader',
	DQDS_SECRET_MAX => 'm' x 8000, DQDS_SECRET_OVER => 'm' x 8001, DQDS_SECRET_LONGER => 'l' x 7999);
my $control;
{
	local @ENV{ keys %env } = values %env;
	$control = control_server('control');
}
my %sql = (super => DqdsTest::Sql->connect($control));
foreach my $role (qw(op admin))
{
	$control->safe_psql('postgres', "CREATE ROLE $role LOGIN");
	grant_role($control, $role, level => $role eq 'op' ? 'operator' : 'admin');
	$sql{$role} = DqdsTest::Sql->connect($control, user => $role);
}
my %bridge = map { $_ => start_bridge($control, anonymous => $_, level => undef) } qw(op admin);
my %length_of = (short => 3, middling => 200, long => 4000, full => 8000);
sub credential { my ($name, $value, $hosts) = @_; $sql{super}->must("SELECT dqds_create_credential('$name', " . sql_literal($value) . ", '$hosts'), dqds_grant_credential('$name', 'op')"); return; }
credential($_, 's' x $length_of{$_}, 'db.example') foreach keys %length_of;
credential('c9', $secret, 'db.example');
credential('here', $secret, '127.0.0.1');

# All answers about a model, as one text.
sub answers
{
	my ($role, $model) = @_;
	my $literal = sql_literal($model);
	my @answers = map { $sql{$role}->query("SELECT * FROM $_") } "dqds_test_connection($literal)", "dqds_diagnose_connection($literal)", "dqds_list_schemas($literal)", "dqds_list_tables($literal, 's')",
	  "dqds_list_columns($literal, 's')";
	my @texts = map { to_json({ error => $_->{error}, rows => $_->{rows} }) } @answers;
	push @texts, map { http($bridge{$role}, POST => "/api/datasource/testconnection?$_", {}, $model)->{body} } 'details=false', 'details=true';
	my $text = join "\n", @texts;
	$text =~ s/("elapsed_?[mM]s":"?)[\d.]+|"timestamp":\d+|after \d+(\.\d+)? s/$1/g;
	return $text;
}

# Two models that differ in nothing but a guess, the right one and a wrong one: are the answers the same but for it?
sub same_for_guesses
{
	my ($what, $role, $right, $make) = @_;
	my $wrong = $right =~ tr/a-zA-Z0-9/b-zaB-ZA1-90/r;
	my ($of_right, $of_wrong) = map { my $guess = $_; my $text = answers($role, $make->($guess)); $text =~ s/\Q$guess\E/GUESS/g; $text } $right, $wrong;
	is($of_right, $of_wrong, "$what: the right guess and a wrong one are answered alike");
	like($of_right, qr/GUESS/, 'and are shown') unless $what =~ /not shown/;
	return;
}

# --- Guesses in what dqds says ---------------------------------------------------------------------------------------------

my @place = (host => '127.0.0.1', port => '1', user => 'u', database => 'd', sslmode => 'disable', password => '${credential://c9}');
same_for_guesses("host $_->[0]", 'op', $secret, $_->[1]) foreach
  [ 'refused for the credential', sub { connection_model(undef, @place, host => "guess1$_[0]guess2") } ],
  [ 'in many guesses', sub { connection_model(undef, @place, host => 'a' x 100 . "$_[0]$_[0]" . 'b' x 50) } ];
same_for_guesses('user, to a host that is not the credential\'s, not shown', 'op', $secret, sub { connection_model(undef, @place, user => $_[0]) });
$sql{super}->must(q(SELECT dqds_create_credential('all', 'Winter-2026!', '*'), dqds_grant_credential('all', 'op')));
@place = (@place, password => '${credential://all}');
same_for_guesses("$_->[0], where nothing listens", 'op', $secret, $_->[1]) foreach
  [ 'host', sub { connection_model(undef, @place, host => "$_[0].invalid") } ],
  [ 'user, not shown', sub { connection_model(undef, @place, user => $_[0]) } ];
{
	# Here the login of a real server fails, or the password is the right one.
	my @real = (password => '${credential://all}');
	same_for_guesses('user of a real server',     'op', $secret, sub { connection_model($remote, @real, user => $_[0]) });
	same_for_guesses('database of a real server, not shown', 'op', $secret, sub { connection_model($remote, @real, database => $_[0]) });
	same_for_guesses('application_name of a real server, not shown', 'op', $secret, sub { connection_model($remote, @real, properties => { application_name => $_[0] }) });
	my $password = remote_password($remote);
	$sql{super}->must(q{SELECT dqds_replace_credential('all', } . sql_literal($password) . ')');
	same_for_guesses("$_->[0], after a login", 'op', $password, $_->[1]) foreach
	  [ 'database', sub { connection_model($remote, @real, database => $_[0]) } ],
	  [ 'options, not shown', sub { connection_model($remote, @real, options => "-c application_name=$_[0]") } ],
	  [ 'an unknown option, not shown', sub { connection_model($remote, @real, options => "-c no_such_$_[0]=1") } ];
	$sql{super}->must(q(SELECT dqds_replace_credential('all', 'Winter-2026!')));
}

# --- Guesses that a remote repeats ------------------------------------------------------------------------------------------

# This server repeats what was sent to it.
my $parrot = start_fake_server(sub {
	my ($client) = @_;
	my %said = split /\0/, substr pg_read_startup($client), 4;
	send_bytes($client, pg_error('XX000', 'refused: ' . join ', ', map { "$_ \"" . ($said{$_} // '') . '"' } qw(user database application_name options)));
});
@place = (host => '127.0.0.1', port => '' . $parrot->port, user => 'u', database => 'd', sslmode => 'disable', password => '${credential://here}');
foreach my $key ('user', 'database', 'options')
{
	my $not = $key eq 'options' ? ', not shown' : '';
	same_for_guesses("$key, repeated$not", 'op', $secret, sub { connection_model(undef, @place, $key => "x$_[0]y") });
	same_for_guesses("$key, repeated with many guesses$not", 'op', $secret, sub { connection_model(undef, @place, $key => "one$_[0]two$_[0]") });
}
same_for_guesses('application_name, repeated', 'op', $secret, sub { connection_model(undef, @place, properties => { application_name => "x$_[0]y" }) });
same_for_guesses('ApplicationName, repeated',  'op', $secret, sub { connection_model(undef, @place, properties => { ApplicationName => "x$_[0]y" }) });
# What a remote says of itself stays hidden: the password, whole or in part, and what a reference stands for.
my $gossip = start_fake_server(sub { pg_read_startup($_[0]); send_bytes($_[0], pg_error('XX000', "I know $secret, and of a literal, and reader")); });
@place = (@place, port => '' . $gossip->port);
foreach my $row (
	[ op => 'a credential', qr/I know \*{8}, and of a literal/, password => '${credential://here}' ], [ op => 'a part of the password', qr/I know \*{8}, and of a literal/, password => 'x${credential://here}' ],
	[ op => 'a password', qr/and of \*{8}, and reader/, password => 'a literal' ], [ admin => 'a variable', qr/and \*{8}\W*$/m, user => '${DQDS_SECRET_USER}', password => 'p' ])
{
	my ($role, $what, $said, %with) = @$row;
	my $answer = $sql{$role}->query('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model(undef, @place, %with)) . '::text)');
	like($answer->{rows}[0]{error_message}, $said, "$what that a remote says is masked");
}

# --- Guesses in options that a real server reads ----------------------------------------------------------------------------

# It removes the backslashes from options, and repeats the rest: then the secret is not masked, or the right guess is.
{
	my $escaped = sub { return join '', map { "\\$_" } split //, $_[0]; };
	my $real    = remote_password($remote);
	$sql{super}->must(q{SELECT dqds_replace_credential('here', } . sql_literal($real) . ')');
	my $owner = DqdsTest::Sql->connect($control, user => 'admin');
	$owner->must(q{SELECT dqds_create_connection('shop', } . sql_literal(connection_model($remote)) . ')');
	my $hint = 'Correct options: each setting is written as -c name=value, and a blank in a value with a backslash before it.';
	$hint .= ' The words of the server are not shown where a connection with options uses a stored secret.';
	my $said = sub {
		my ($role, $argument) = @_;
		my ($row) = @{ $sql{$role}->query("SELECT * FROM dqds_test_connection($argument)")->{rows} };
		return join '|', map { $_ // '' } @$row{qw(error_code sqlstate error_message hint)};
	};
	my $hidden = "invalid_connection|22023|the server at 127.0.0.1:@{[ $remote->port ]} refuses the options of the connection|$hint";
	my %with = (
		'a credential'                      => [ 'op',    sub { sql_literal(connection_model($remote, password => '${credential://here}', options => $_[0])) . '::text' } ],
		'a password that a mask keeps'      => [ 'admin', sub { sql_literal(connection_model($remote, connection_name => 'shop', password => '********', options => $_[0])) . '::text, false' } ],
		'a registered connection'           => [ 'admin', sub { $owner->must(q{SELECT dqds_update_connection('shop', } . sql_literal(connection_model($remote, password => '********', options => $_[0])) . ')'); "'shop'" } ]);
	foreach my $what (sort keys %with)
	{
		my ($role, $argument) = @{ $with{$what} };
		foreach my $guess ($real, 'another guess' =~ tr/ /-/r)
		{
			foreach my $options ('-c work_mem=' . $escaped->($guess), '-c work_mem=SSL\ error:\ ' . $escaped->($guess))
			{
				is($said->($role, $argument->($options)), $hidden, "$what, a guess in the options: the words of the server are not shown");
			}
		}
	}
	# With the caller's own password there is nothing to find out.
	like($said->('op', sql_literal(connection_model($remote, options => '-c work_mem=large')) . '::text'), qr/refuses the options of the connection: invalid value for parameter "work_mem": "large"/, 'with a password of the caller the words are shown');
	$sql{super}->must(q{SELECT dqds_replace_credential('here', } . sql_literal($secret) . ')');
}

# --- Messages show what the model says ----------------------------------------------------------------------------------------

{
	my %of = (host => '${DQDS_SECRET_HOST}', port => '${DQDS_SECRET_PORT}', user => '${DQDS_SECRET_USER}', database => '${DQDS_SECRET_DATABASE}');
	my $steps = sub { return join "\n", map { join '|', map { $_ // '' } @$_{qw(step status message hint)} } $sql{admin}->rows('SELECT * FROM dqds_diagnose_connection(' . sql_literal($_[0]) . '::text)') };
	my $text = $steps->(connection_model($remote, %of));
	like($text, qr/\Q$_/, "a diagnosis shows: $_") foreach 'port ${DQDS_SECRET_PORT} of ${DQDS_SECRET_HOST} accepts', 'user "${DQDS_SECRET_USER}" is logged in', 'database "${DQDS_SECRET_DATABASE}" is open', '${DQDS_SECRET_HOST} has 1 address';
	unlike($text, qr/127\.0\.0\.1|"reader"|\b$env{DQDS_SECRET_PORT}\b/, 'and nothing that they stand for');
	foreach my $row ([ 'a wrong password', password => 'no' ], [ 'an unknown database', database => 'no${DQDS_SECRET_USER}' ], [ 'an unknown user', user => 'no${DQDS_SECRET_USER}' ], [ 'a closed port', port => '1' ],
		[ 'an unknown host', host => '${DQDS_SECRET_USER}.invalid' ], [ 'no TLS', sslmode => 'require' ], [ 'a bad property', properties => { channel_binding => '${DQDS_SECRET_USER}' } ])
	{
		my ($what, %with) = @$row;
		unlike($steps->(connection_model($remote, %of, %with)), qr/127\.0\.0\.1|reader|\b$env{DQDS_SECRET_PORT}\b/, "$what: neither");
	}
}

# --- The length of a secret ------------------------------------------------------------------------------------------------------

foreach my $n (0, 1, 3999, 4000, 4001, 7790, 7800, 7801, 7987, 7988, 7989, 7996, 7997, 7998, 7999, 8000, 8001, 9000, 20_000)
{
	my %of = map { my $name = $_; my $text = answers('op', connection_model(undef, @place, password => 'a' x $n . "\${credential://$name}")); $text =~ s{credential://\Q$name\E}{NAME}g; ($name => $text) } sort keys %length_of;
	my @different = grep { $of{$_} ne $of{short} } sort keys %of;
	is("@different", '', "$n bytes beside a reference: the same for each credential");
	is($of{short} =~ /invalid_connection/ ? 1 : 0, $n > 8000 ? 1 : 0, 'and the length of the text decides');
}
{
	my $outcome = sub { my ($role, %with) = @_; my $row = $sql{$role}->query('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model($remote, %with)) . '::text)')->{rows}[0]; return "$row->{error_code}: $row->{error_message}"; };
	is($outcome->('admin', password => '${DQDS_SECRET_MAX}' x 8) =~ /^authentication_failed/ ? 1 : 0, 1, 'eight references of 8000 bytes each are a password');
	like($outcome->('admin', password => '${DQDS_SECRET_OVER}'), qr/^unresolved_secret: /, 'a variable of more than 8000 bytes is none');
	$sql{super}->must(q(UPDATE dqds_credential SET secret = repeat('s', 8001) WHERE name = 'full'));
	like($outcome->('op', password => '${credential://full}'), qr/^unresolved_secret: /, 'nor is a credential of an older registry');
	my @long = map { $outcome->('admin', options => 'o' x 2000 . "\${$_}") } qw(DQDS_SECRET_MAX DQDS_SECRET_LONGER);
	like($long[0], qr/^invalid_connection: /, 'options that are too long with what a reference stands for');
	is($long[0], $long[1], 'are refused in the same words, whatever its length');
}

# --- The work that a model can cause -------------------------------------------------------------------------------------------------

{
	my $one  = DqdsTest::Sql->connect($control, user => 'op');
	my $peak = sub { return slurp_file('/proc/' . $one->pid . '/status') =~ /^VmHWM:\s+(\d+)/m ? $1 / 1024 : die 'no VmHWM'; };
	my $many = connection_model(undef, @place, password => '${credential://long}' x 50_000);
	$one->query('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model(undef, @place, password => '${credential://long}' x 2)) . '::text)');
	my $before = $peak->();
	my $row = $one->query('SELECT * FROM dqds_test_connection(' . sql_literal($many) . '::text)')->{rows}[0];
	is($row->{error_code}, 'invalid_connection', '1 MB of references is refused');
	memory_below($peak->() - $before, 60, 'without expanding them');
	is($one->query('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model(undef, @place, password => '${credential://long}' x 9)) . '::text)')->{rows}[0]{error_code}, 'invalid_connection', 'nine are too many');
	is($one->query('SELECT * FROM dqds_test_connection(' . sql_literal(connection_model(undef, @place, password => '${credential://here}' x 8)) . '::text)')->{rows}[0]{error_code}, 'remote_error', 'eight are not');
}

$_->stop foreach values %bridge;
done_testing();
