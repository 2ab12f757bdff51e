# DqdsTest::Tls: certificates, and servers that show them.
package DqdsTest::Tls;

use strict;
use warnings;

use DqdsTest;
use Exporter 'import';
use Fcntl qw(F_SETFD);
use PostgreSQL::Test::Utils;
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

our @EXPORT = qw(new_certificate serve_certificate answer_tls);

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

# What answer_tls runs: TLS on the descriptor of its first argument, as plain bytes on that of the second.
my $RELAY = <<'PYTHON';
import socket, ssl, sys, threading
client, plain = (socket.socket(fileno=int(n)) for n in sys.argv[1:3])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3] + '.crt', sys.argv[3] + '.key')
secure = context.wrap_socket(client, server_side=True)
def copy(source, target):
    try:
        while data := source.recv(16000):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
threading.Thread(target=copy, args=(secure, plain)).start()
copy(plain, secure)
PYTHON

# answer_tls(SOCKET, DIRECTORY, NAME): for a fake server: answers the question for TLS, shows that certificate, and returns a
# socket with what the client says inside of TLS. It ends with the client.
sub answer_tls
{
	my ($client, $dir, $name) = @_;
	sysread $client, my $question, 8;
	syswrite $client, 'S';
	socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		fcntl $_, F_SETFD, 0 foreach $client, $theirs;
		close $ours;
		exec 'python3', '-c', $RELAY, fileno $client, fileno $theirs, "$dir/$name" or POSIX::_exit(1);
	}
	close $theirs;
	return $ours;
}

1;
