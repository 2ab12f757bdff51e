# One login to SQL Server, as far as FreeTDS needs it: fake_tds.py PORT FLAG DIRECTORY
# FLAG is what the pre-login says of encryption: 0 the login only, 1 all, 2 nothing, 3 all, and it is required.
# The directory has server.crt and server.key. Says what it has seen, a word a line.
import socket
import ssl
import struct
import sys

port, flag, directory = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def receive(wire):
    head = b''
    while len(head) < 8:
        more = wire.recv(8 - len(head))
        if not more:
            return None
        head += more
    length = struct.unpack('>H', head[2:4])[0] - 8
    body = b''
    while len(body) < length:
        body += wire.recv(length - len(body))
    return body


def packet(kind, body):
    return struct.pack('>BBHHBB', kind, 1, len(body) + 8, 0, 1, 0) + body


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', port))
listener.listen(5)
listener.settimeout(60)
print('LISTENING')
wire, _ = listener.accept()
wire.settimeout(20)
receive(wire)
wire.sendall(packet(4, b'\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff' + b'\x0f\x00\x10\x00\x00\x00' + bytes([flag])))
if flag == 2:
    print('CLEAR' if receive(wire) else 'NOTHING')
    sys.exit()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(directory + '/server.crt', directory + '/server.key')
context.maximum_version = ssl.TLSVersion.TLSv1_2
came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(came, goes, server_side=True)
while True:
    try:
        tls.do_handshake()
        wire.sendall(packet(18, goes.read()))
        break
    except ssl.SSLWantReadError:
        answer = goes.read()
        if answer:
            wire.sendall(packet(18, answer))
        body = receive(wire)
        if body is None:
            sys.exit()
        came.write(body)
while True:
    try:
        tls.read(65536)
        break
    except ssl.SSLWantReadError:
        came.write(wire.recv(65536))
print('LOGIN')
name = 'Microsoft SQL Server'.encode('utf-16le')
login = b'\x01\x74\x00\x00\x04' + bytes([len(name) // 2]) + name + b'\x0f\x00\x10\x00'
answer = packet(4, b'\xad' + struct.pack('<H', len(login)) + login + b'\xfd' + bytes(12))
if flag == 0:
    wire.sendall(answer)
else:
    tls.write(answer)
    wire.sendall(goes.read())
first = wire.recv(200)
if first:
    print('ENCRYPTED' if first[0] == 0x17 else 'CLEAR')
