# DqdsTest::Tls: certificates, and servers that show them.
package DqdsTest::Tls;

use strict;
use warnings;

use DqdsTest;
use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_certificate serve_certificate);

# new_certificate(DIRECTORY, NAME, options): DIRECTORY/NAME.crt and .key, signed by the authority "ca" once that is there.
#   names => 'DNS:localhost,IP:127.0.0.1': for whom it is (an authority has none)
#   subject => '/CN=…'
sub new_certificate
{
	my ($dir, $name, %opt) = @_;
	my @signed = -e "$dir/ca.crt" ? ('-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key") : ();
	my $names  = $opt{names};
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[ qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2),
			'-subj', $opt{subject} // "/CN=dqds-test-$name", '-keyout', "$dir/$name.key", '-out', "$dir/$name.crt", @signed,
			$names ? ('-addext', "subjectAltName=$names", '-addext', 'basicConstraints=CA:false') : () ],
		'<', \'', '>', \$out, '2>', \$err) or die "openssl: $err";
	chmod 0600, "$dir/$name.key";
	return;
}

# serve_certificate(REMOTE, DIRECTORY, NAME): REMOTE speaks TLS from now on, with that certificate.
sub serve_certificate
{
	my ($remote, $dir, $name) = @_;
	foreach my $part (qw(crt key))
	{
		my $target = $remote->data_dir . "/server.$part";
		unlink $target;
		open my $out, '>', $target or die "$target: $!";
		chmod 0600, $target;
		print $out slurp_file("$dir/$name.$part");
		close $out;
	}
	reload_with($remote, 'ssl = on');
	return;
}

1;
