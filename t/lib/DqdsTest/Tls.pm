# DqdsTest::Tls: certificates, and servers that use them.
package DqdsTest::Tls;

use strict;
use warnings;

use DqdsTest;
use Exporter 'import';
use Fcntl qw(F_SETFD);
use PostgreSQL::Test::Utils;
use POSIX ();
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

our @EXPORT = qw(new_certificate signed_certificate serve_certificate answer_tls speak_tls);

# new_certificate(DIRECTORY, NAME, options): DIRECTORY/NAME.crt and .key, signed by the authority "ca" once that is there.
#   names => 'DNS:localhost,IP:127.0.0.1': its subject alternative names (an authority has none)
#   subject => '/CN=…'
#   key => 'ed25519': its kind of key (an elliptic curve)
sub new_certificate
{
	my ($dir, $name, %opt) = @_;
	my @key = $opt{key} ? ('-newkey', $opt{key}) : qw(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1);
	my @signed = -e "$dir/ca.crt" ? ('-CA', "$dir/ca.crt", '-CAkey', "$dir/ca.key") : ();
	my $names  = $opt{names};
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[ qw(openssl req -x509), @key, qw(-nodes -days 2),
			'-subj', $opt{subject} // "/CN=dqds-test-$name", '-keyout', "$dir/$name.key", '-out', "$dir/$name.crt", @signed,
			$names ? ('-addext', "subjectAltName=$names", '-addext', 'basicConstraints=CA:false') : () ],
		'<', \'', '>', \$out, '2>', \$err) or die "openssl: $err";
	chmod 0600, "$dir/$name.key";
	return;
}

# signed_certificate(DIRECTORY, NAME, options): the same, signed by another authority or for other dates.
#   ca => NAME: the signing authority ("ca"); "" for a self-signed one
#   names => as there (an authority has none)
#   from, until => YYYYMMDDHHMMSSZ: when it is valid (2020 to 2049)
#   send => [NAME…]: certificates that a server sends with it
sub signed_certificate
{
	my ($dir, $name, %opt) = @_;
	my $ca   = $opt{ca} // 'ca';
	my $text = "[ca]\ndefault_ca=own\n[own]\nnew_certs_dir=$dir\ndatabase=$dir/index\nserial=$dir/serial\ndefault_md=sha256\npolicy=any\n"
	  . "x509_extensions=more\ncopy_extensions=none\nunique_subject=no\n[any]\ncommonName=supplied\n[more]\n"
	  . ($opt{names} ? "subjectAltName=$opt{names}\nbasicConstraints=CA:false\n" : "basicConstraints=CA:true\n");
	my %file = (conf => $text, index => '', serial => sprintf "%08X\n", 1 + int rand 0x7fffffff);
	foreach my $part (keys %file) { open my $file, '>', "$dir/$part" or die "$dir/$part: $!"; print $file $file{$part}; close $file; }
	my @signer = $ca eq '' ? ('-selfsign', '-keyfile', "$dir/$name.key") : ('-cert', "$dir/$ca.crt", '-keyfile', "$dir/$ca.key");
	my ($out, $err) = ('', '');
	IPC::Run::run([ qw(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj), "/CN=dqds-test-$name", '-keyout', "$dir/$name.key", '-out', "$dir/request" ],
		'<', \'', '>', \$out, '2>', \$err) or die "openssl: $err";
	IPC::Run::run([ qw(openssl ca -batch -notext -config), "$dir/conf", @signer, '-in', "$dir/request",
			'-startdate', $opt{from} // '20200101000000Z', '-enddate', $opt{until} // '20491231120000Z', '-out', "$dir/$name.crt" ],
		'<', \'', '>', \$out, '2>', \$err) or die "openssl: $err";
	chmod 0600, "$dir/$name.key";
	if ($opt{send})
	{
		open my $file, '>>', "$dir/$name.crt" or die "$dir/$name.crt: $!";
		print $file slurp_file("$dir/$_.crt") foreach @{ $opt{send} };
		close $file;
	}
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

# answer_tls(SOCKET, DIRECTORY, NAME): for a fake server: answers the request for TLS, sends that certificate, and returns a
# socket with what the client says inside of TLS. It ends with the client.
sub answer_tls
{
	my ($client, $dir, $name) = @_;
	sysread $client, my $question, 8;
	syswrite $client, 'S';
	return speak_tls($client, $dir, $name);
}

# speak_tls(SOCKET, DIRECTORY, NAME): the same for a client that begins with TLS at once.
sub speak_tls
{
	my ($client, $dir, $name) = @_;
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
