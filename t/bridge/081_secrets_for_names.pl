# A password, a DSN, a model or a token given where a name belongs, in every function and for every argument of type text:
# neither the error nor the server's log contains it, whatever the server is configured to log for a failing statement, and
# however the argument is passed.
use strict;
use warnings;

use DqdsTest;
use DqdsTest::Sql;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $remote  = remote_server('remote');
my $explains = has_library('auto_explain');
my $control = control_server('control', conf => <<'CONF' . ($explains ? "shared_preload_libraries = 'auto_explain'\n" : ''));
log_min_error_statement = error
log_min_messages = info
log_error_verbosity = verbose
log_parameter_max_length_on_error = -1
CONF
create_connection($control, 'shop', connection_model($remote));
my $sql = DqdsTest::Sql->connect($control);
$sql->must(q(CREATE ROLE role; SELECT dqds_create_credential('key', 'x', '*')));

my $canary = 'c4nary7of5a3secret';
my %given  = (
	uri        => "postgresql://u:$canary\@127.0.0.1:5432/db",
	dsn        => "host=127.0.0.1 user=u password=$canary",
	model      => qq({"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "user": "u", "password": "$canary"}}),
	broken     => qq({"provider_type": "postgresql", "password": "$canary"),
	array      => qq(["$canary"]),
	jdbc       => "jdbc:postgresql://127.0.0.1/db?user=u&pwd=$canary",
	quoted     => qq("$canary"),
	login      => "u:$canary\@127.0.0.1:5432/db",
	oracle     => "jdbc:oracle:thin:u/$canary\@127.0.0.1:1521/db",
	token      => 'dqds_' . ($canary =~ s/[^0-9a-f]/0/gr) x 4);
my $hidden = join '|', map { quotemeta } $canary, substr $given{token}, 5, 20;

# Every function that a caller can reach, with the types of its arguments: a new one is here by itself.
my @functions = $sql->rows(q{
	SELECT p.proname AS name, p.oid::regprocedure AS signature, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, n) ORDER BY n), ',') AS types,
		array_to_string((p.proargnames)[1:p.pronargs], ',') AS arguments
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'dqds' JOIN pg_language l ON l.oid = p.prolang
	WHERE l.lanname = 'c' AND p.pronargs > 0 AND p.proname NOT IN ('dqds_role_in', 'dqds_role_out', 'dqds_live_role')
	ORDER BY 2});
cmp_ok(scalar @functions, '>', 50, scalar(@functions) . ' functions');
is($sql->value(q(SELECT string_agg(p.proname, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE l.lanname = 'c' AND proname LIKE 'dqds%' AND provariadic <> 0)), undef, 'none is variadic');

# What an argument is where it is not the one that is wrong. A statement in which nothing is wrong shows nothing.
my %usual = (
	'text' => q('shop'), 'text[]' => q('{shop}'), 'boolean' => 'true', 'integer' => '1', 'bigint' => '1', 'interval' => q('1 day'), 'regrole' => q('role'),
	'json' => q('{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}'), 'jsonb' => q('{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}'), 'bytea' => q('\x00'));
my %usual_of = (schema_name => q('public'), level => q('viewer'), role => q('role'), new_owner => q('role'), allowed_hosts => q('*'), expires_in => q('1 day'), token_id => q('1'),
	table_name_contains => 'NULL', description => 'NULL', business_key => 'NULL', model => literal_model(), connection => q('no such connection'), connection_name => q('no such connection'));
sub literal_model { return sql_literal('{"provider_type": "postgresql", "postgresql": {"host": "127.0.0.1", "port": "1", "user": "u"}}'); }

# Arguments that are secrets or free text by their meaning: they may be kept, but no error shows them either.
my $parameters = sub { return to_json({ connectionName => $_[0], schemaName => $_[0] }) };

sub calls
{
	my ($function, $secret) = @_;
	my @types = split /,/, $function->{types};
	my @names = split /,/, $function->{arguments};
	my @calls;
	foreach my $wrong (grep { $types[$_] =~ /^text/ } 0 .. $#types)
	{
		foreach my $value ($names[$wrong] eq 'parameters' ? ($secret, $parameters->($secret)) : ($secret))
		{
			my $text = $types[$wrong] eq 'text[]' ? 'ARRAY[' . sql_literal($value) . ']' : sql_literal($value);
			push @calls, [ map { $_ == $wrong ? $text : ($types[$_] eq 'text' ? $usual_of{ $names[$_] } : undef) // $usual{ $types[$_] } } 0 .. $#types ];
			$calls[-1][$_] .= "::$types[$_]" foreach 0 .. $#types;
		}
	}
	return @calls;
}

my ($failed, @shown) = (0);

sub note_answer
{
	my ($call, $error) = @_;
	return if !$error;
	$failed++;
	my $all = join ' | ', map { $_ // '' } @$error{qw(message detail hint context)};
	push @shown, "$call: $all" if $all =~ /$hidden/;
	return;
}

# Nothing is logged but errors: whatever is in the log is from one.
my $from = -s $control->logfile;
my $count = 0;
foreach my $function (@functions)
{
	my @prepared;
	foreach my $kind (sort keys %given)
	{
		foreach my $arguments (calls($function, $given{$kind}))
		{
			$count++;
			my $call = "SELECT * FROM $function->{name}(" . join(', ', @$arguments) . ')';
			# Nothing of it lasts.
			$sql->must('BEGIN');
			note_answer("$function->{signature} $kind", $sql->query($call)->{error});
			$sql->must('ROLLBACK');
		}
	}
}
cmp_ok($failed, '>', $count / 3, "$failed of $count calls fail");
is(join("\n", @shown), '', 'no error shows what was given');

# shown_in_log(FROM): the lines of the log that have a secret, each with the line before it.
sub shown_in_log
{
	my ($start) = @_;
	my @lines = split /\n/, slurp_file($control->logfile, $start);
	return join "\n", splice @{ [ map { $_ > 0 ? "$lines[$_ - 1]\n  $lines[$_]" : $lines[$_] } grep { $lines[$_] =~ /$hidden/ } 0 .. $#lines ] }, 0, 20;
}
cmp_ok(-s $control->logfile, '>', $from, 'the log has errors');
is(shown_in_log($from), '', 'but not what was given');

# --- As parameters -----------------------------------------------------------------------------------------------------------

# pgbench sends what it is given as parameters of the extended protocol.
my $dir   = PostgreSQL::Test::Utils::tempdir('extended');
my @asked = map { my $function = $_; my @types = split /,/, $function->{types}; map { [ $function, $_ ] } grep { $types[$_] =~ /^text/ } 0 .. $#types } @functions;
$from = -s $control->logfile;
my $output = '';
foreach my $asked (@asked)
{
	my ($function, $wrong) = @$asked;
	my @types = split /,/, $function->{types};
	my @names = split /,/, $function->{arguments};
	my $list  = join ', ', map { $_ == $wrong ? ($types[$_] eq 'text[]' ? 'ARRAY[:secret::text]' : ':secret::text') : (($types[$_] eq 'text' ? $usual_of{ $names[$_] } : undef) // $usual{ $types[$_] }) . "::$types[$_]" } 0 .. $#types;
	unlink "$dir/one.sql";
	append_to_file("$dir/one.sql", "BEGIN;\nSELECT count(*) FROM $function->{name}($list);\nROLLBACK;\n");
	IPC::Run::run([ 'pgbench', '-n', '-t', '1', '-M', 'extended', '-f', "$dir/one.sql", '-D', "secret=$given{dsn}", $control->connstr('postgres') ], '<', \'', '>', \my $out, '2>', \my $err);
	$output .= $err;
}
like($output, qr/ERROR:  /, scalar(@asked) . ' calls with parameters: there are errors');
# PostgreSQL itself tells the client the parameters that it has sent.
unlike($output =~ s/^CONTEXT:  unnamed portal .*$//mgr, qr/$hidden/, 'which do not show what was given');
is(shown_in_log($from), '', 'nor does the log');

# --- What a plan shows -----------------------------------------------------------------------------------------------------------

# The password comes from a table, so the statement itself does not have it. A caller who has everything logged, to itself too.
$sql->must('CREATE TABLE models (name text, model jsonb); INSERT INTO models VALUES (\'planned\', ' . sql_literal(connection_model($remote, password => $canary)) . ')');
$sql->must(q(SET client_min_messages = log; SET debug_print_plan = on; SET debug_print_parse = on; SET debug_print_rewritten = on; SET auto_explain.log_min_duration = 0;
	SET auto_explain.log_nested_statements = on; SET auto_explain.log_verbose = on; SET auto_explain.log_analyze = on; SET auto_explain.log_triggers = on));
$from = -s $control->logfile;
my $bytes = join ' ', unpack 'C*', $canary;
foreach my $mode (qw(auto force_generic_plan force_custom_plan))
{
	$sql->must("SET plan_cache_mode = $mode");
	$sql->must($_) foreach (
		q(SELECT dqds_create_connection(name, model) FROM models),
		q(SELECT dqds_update_connection(name, model || '{"parallel_jobs_limit": 3}') FROM models),
		q(SELECT dqds_create_credential('planned', model #>> '{postgresql,password}', '*') FROM models),
		q(SELECT dqds_replace_credential('planned', model #>> '{postgresql,password}') FROM models),
		q(SELECT dqds_drop_connection(name), dqds_drop_credential('planned') FROM models));
}
my $log = slurp_file($control->logfile, $from);
like($log, qr/LOG:  00000: plan:/, 'plans of the internal functions are logged');
SKIP:
{
	skip 'auto_explain is not installed with this server', 2 if !$explains;
	like($log, qr/dqds_connection_secret/, 'and shown with the names of tables');
	like($log, qr/duration: [\d.]+ ms  plan:\n\tQuery Text: /, 'by auto_explain, too');
}
unlike($log, qr/\Q$canary\E|\b\Q$bytes\E\b/, 'without the password, as text or as numbers');

# The bridge logs paths: what looks like that in one of their parts is left out, and the rest stays.
{
	my $bridge = start_bridge($control);
	foreach my $what (qw(uri dsn model jdbc login oracle))
	{
		my $answer = http($bridge, GET => '/api/datasource/connections/' . encode_segment($given{$what}) . '/schemas');
		is($answer->{status}, 404, "over REST: $what in a path");
	}
	is(http($bridge, GET => '/api/datasource/connections/50%25%20a=b@c/schemas')->{status}, 404, 'over REST: a name of odd characters');
	is($bridge->stop, 0, 'the bridge ends with status 0');
	my $lines = $bridge->log;
	unlike($lines, qr/$canary/, 'no password in the log of the bridge');
	is(scalar(() = $lines =~ m{"/api/datasource/connections/\.\.\./schemas" 404}g), 6, 'three dots in its place');
	like($lines, qr{"/api/datasource/connections/50%25%20a=b\@c/schemas" 404}, 'a name of odd characters is logged');
}

$sql->close;
$control->stop;
$remote->stop;
done_testing();
