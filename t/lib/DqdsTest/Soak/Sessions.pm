# DqdsTest::Soak::Sessions: SQL as a load: the queries, what was answered to them in calm, and the workers that ask.
#
# On the control server that suffers faults, a worker's session often ends and is reopened. On the steady one it must last from
# the beginning to the end: there the memory, sockets and threads of its backend are measured.
package DqdsTest::Soak::Sessions;

use strict;
use warnings;

use DqdsTest;
use DqdsTest::Soak::Verdict;
use DqdsTest::Soak::Watch;
use DqdsTest::Soak::World;
use Time::HiRes qw(time sleep);

use constant PAUSE => 0.02;

# A session of the server that suffers makes about so many queries.
use constant SESSION_QUERIES => 200;

# How a login may be refused by a server that suffers.
my $no_login = qr/No such file|Connection refused|Connection reset|closed|the database system is |due to administrator command|crash of another server process/;

# --- The queries -----------------------------------------------------------------------------------------------

# queries(WORLD, STEADY): {name, sql, weight} and what Verdict.pm knows. Models stand in the text of a statement only where
# nothing crashes: PostgreSQL writes the statement of a backend that crashed into its log.
sub queries
{
	my ($world, $steady) = @_;
	my @connections = @{ $world->{connections} };
	my @all;
	foreach my $n (0 .. $#connections)
	{
		my $connection = $connections[$n];
		my $other      = $connections[ ($n + 1) % @connections ];
		my ($name, $shop, $wide) = map { sql_literal($_) } $connection->{name},
		  DqdsTest::Soak::World::shop_schema($connection->{remote}), DqdsTest::Soak::World::wide_schema($connection->{remote});
		my $other_name = sql_literal($other->{name});
		my $model      = sql_literal($world->model($connection)) . '::text';
		my $wrong      = sql_literal($world->model($connection, password => $world->{passwords}[0])) . '::text';
		push @all, map { { ports => [ $connection->{port} ], weight => 2, %$_ } } (
			{ name => 'import', sql => "SELECT table_name, status, column_count FROM dqds_import_tables($name, $shop)", weight => 1 },
			{ name => 'schemas', sql => "SELECT connection_name, schema_name, already_imported FROM dqds_list_schemas($name)", verify => \&verify_schemas },
			{ name => 'tables', sql => "SELECT table_name, table_kind, comment FROM dqds_list_tables($name, $shop)", verify => \&verify_tables },
			{ name => 'many tables', sql => "SELECT count(*), md5(string_agg(table_name, ',')) FROM dqds_list_tables($name, $wide)", weight => 1, verify => \&verify_wide },
			{ name => 'columns', verify => \&verify_columns,
				sql => "SELECT table_name, column_name, column_type, length, precision, scale, nullable, primary_key FROM dqds_list_columns($name, $shop)" },
			{ name => 'first rows', sql => "SELECT table_name FROM dqds_list_tables($name, $wide) LIMIT 3" },
			{ name => 'lists joined',
				sql => "SELECT s.schema_name, count(t.table_name) FROM dqds_list_schemas($name) s LEFT JOIN LATERAL dqds_list_tables($name, s.schema_name) t ON true WHERE s.schema_name !~ 'long' GROUP BY 1 ORDER BY s.schema_name COLLATE \"C\"" },
			{ name => 'two remotes joined', ports => [ $connection->{port}, $other->{port} ],
				sql => "SELECT a.schema_name AS a, b.schema_name AS b FROM dqds_list_schemas($name) a FULL JOIN dqds_list_schemas($other_name) b USING (schema_name) ORDER BY schema_name COLLATE \"C\"" },
			{ name => 'test', sql => "SELECT connection_name, connection_test_result, error_code FROM dqds_test_connections(ARRAY[$name])", is_right => rows_may_fail($connection->{name}) },
			{ name => 'diagnosis', sql => "SELECT step, status, message FROM dqds_diagnose_connection($name)", is_right => \&may_have_failed_at_a_step, weight => 1 },
			{ name => 'what is imported', ports => [], sql => "SELECT schema_name, table_name FROM dqds_imported_tables WHERE connection_name = $name ORDER BY 1, 2" },
			{ name => 'with little time', hasty => 1, sql => "SET LOCAL statement_timeout = '5ms'; SELECT schema_name FROM dqds_list_schemas($name)" },
			{ name => 'an error that is caught', sql => "DO \$\$ BEGIN PERFORM FROM dqds_list_tables($name, $shop); RAISE 'x'; EXCEPTION WHEN OTHERS THEN NULL; END \$\$" },
			!$steady ? () : (
				{ name => 'a model', sql => "SELECT schema_name FROM dqds_list_schemas($model)" },
				{ name => 'a wrong password', sql => "SELECT connection_test_result, error_code FROM dqds_test_connection($wrong)", weight => 1, is_right => \&may_be_another_failure }));
	}
	my @names = map { $_->{name} } @connections, $world->{refused};
	push @all, { name => 'many tests', ports => [], weight => 6, is_right => rows_may_fail(@names),
		sql => 'SELECT connection_name, connection_test_result, error_code FROM dqds_test_connections(ARRAY[' . join(', ', map { sql_literal($_) } @names) . '])' };
	push @all, { name => 'idle sessions closed', ports => [], weight => 1, sql => 'SELECT dqds_close_idle() >= 0 AS closed' };
	return @all;
}

# Other right answers: a test, or a step, that failed for a reason that excuses it.

sub rows_may_fail
{
	my (@names) = @_;
	return sub {
		my @rows = split /\n/, $_[0];
		return 0 if @rows != @names;
		foreach my $name (@names)
		{
			my ($found, $result, $code) = (shift @rows) =~ /^(.*)\|(\w+)\|([\w~]+)$/s or return 0;
			return 0 if $found ne $name;
			return 0 unless "$result $code" eq 'SUCCESS ~' || $result eq 'FAILURE' && excused_code($code);
		}
		return 1;
	};
}

sub may_have_failed_at_a_step
{
	my ($text) = @_;
	return $text =~ /\A(\w+\|(ok|warning)\|[^\n]*\n)*\w+\|failed\|[^\n]*127\.0\.0\.1:\d+[^\n]*(\n\w+\|skipped\|~)*\z/;
}

sub may_be_another_failure { return $_[0] =~ /^FAILURE\|(\w+)$/ && excused_code($1); }

# What is learnt is first compared with what was created at the remotes.

sub verify_schemas
{
	my ($rows, $connection) = @_;
	return [ map { $_->{schema_name} } @$rows ], [ DqdsTest::Soak::World::schemas($connection->{remote}) ];
}

sub verify_tables
{
	my ($rows, $connection) = @_;
	return [ map { [ @$_{qw(table_name table_kind comment)} ] } @$rows ],
	  [ map { [ @$_{qw(name kind comment)} ] } DqdsTest::Soak::World::shop($connection->{remote}) ];
}

sub verify_wide { return $_[0][0]{count}, DqdsTest::Soak::World::WIDE(); }

sub verify_columns
{
	my ($rows, $connection) = @_;
	my @columns = map { my $table = $_; map { [ $table->{name}, @$_[ 0, 2 .. 7 ] ] } @{ $table->{columns} } } DqdsTest::Soak::World::shop($connection->{remote});
	return [ map { [ @$_{qw(table_name column_name column_type length precision scale nullable primary_key)} ] } @$rows ], \@columns;
}

# learn(WORLD, SERVER, STEADY): the queries, with what is answered to them now. Dies if that is not what the world is like.
sub learn
{
	my ($world, $node, $steady) = @_;
	my $session = $world->open_session($node);
	my @queries = queries($world, $steady);
	my %of_port = map { $_->{port} => $_ } @{ $world->{connections} };
	# What is imported shows in the listings, and an import says what is new only once.
	foreach my $query ((grep { $_->{name} eq 'import' } @queries), @queries)
	{
		my $answer = $session->query($query->{sql} =~ s/'5ms'/'10s'/r);
		die "$query->{sql}: $answer->{error}{sqlstate} $answer->{error}{message}\n" if $answer->{error};
		$query->{expected} = rows_text($answer);
		next unless $query->{verify};
		my ($got, $wanted) = map { to_json($_) } $query->{verify}->($answer->{rows}, $of_port{ $query->{ports}[0] });
		die "$query->{sql}: $got; wanted: $wanted\n" if $got =~ s/"//gr ne $wanted =~ s/"//gr;
	}
	$session->close;
	return @queries;
}

# --- A worker ------------------------------------------------------------------------------------------------------

# work(options): asks until a time.
#   world, node, queries; until; tally; suffers => true: the server is the one that suffers faults
#   pid_file => where the pid of the backend goes, for one that lasts
sub work
{
	my (%self) = @_;
	my $self = \%self;
	my @queries = map { ($_) x $_->{weight} } @{ $self->{queries} };
	if (!$self->{suffers})
	{
		open_session($self) or return;
		try($self, $_) foreach @{ $self->{queries} };    # caches are filled, modules loaded
		measure($self);
		PostgreSQL::Test::Utils::append_to_file($self->{pid_file}, $self->{session}->pid . "\n");
	}
	while (time < $self->{until})
	{
		if ($self->{session} || open_session($self)) { try($self, $queries[ rand @queries ]); }
		sleep PAUSE;
	}
	measure($self) if !$self->{suffers} && $self->{session};
	$self->{session}->close if $self->{session};
	return;
}

# What the backend keeps when no session to a remote is open: sockets and threads.
sub measure
{
	my ($self) = @_;
	my $answer = $self->{session}->query('SELECT dqds_close_idle()', 10);
	return $self->{tally}->wrong('dqds_close_idle', $answer->{error}{message}) if $answer->{error} || $answer->{ended};
	my $pid = $self->{session}->pid;
	# Threads that cancel something end by themselves.
	poll_until(sub { thread_count($pid) <= 2 }, 10);
	$self->{tally}->number("sockets of $self->{name}", socket_count($pid));
	$self->{tally}->number("threads of $self->{name}", thread_count($pid));
	return;
}

sub open_session
{
	my ($self) = @_;
	$self->{session} = eval { $self->{world}->open_session($self->{node}) };
	my $why = $@;
	if    ($self->{session})                              { $self->{tally}->note('log in', 'ok'); }
	elsif ($self->{suffers} && $why =~ $no_login)         { $self->{tally}->note('log in', 'refused'); }
	else                                                  { $self->{tally}->wrong('log in', $why); }
	return $self->{session};
}

sub try
{
	my ($self, $query) = @_;
	my $answer = eval { $self->{session}->query($query->{sql}, 60) };
	my ($outcome, $fault) = judge_sql($query, $answer, $self->{suffers});
	if (defined $fault) { $self->{tally}->wrong("SQL $query->{name}", "$query->{sql}: $fault"); }
	else                { $self->{tally}->note("SQL $query->{name}", $outcome); }
	delete $self->{session} if !$answer || $answer->{ended};
	close_session($self) if $self->{session} && $self->{suffers} && rand() < 1 / SESSION_QUERIES;
	return;
}

sub close_session
{
	my ($self) = @_;
	(delete $self->{session})->close;
	return;
}

1;
