"""Connects by SCRAM, as scramp computes it, over packets of MQTT 5.0 made by hand: paho-mqtt has no AUTH.

Arguments: port, method, user, password. Prints the reason code of CONNACK, and after success that of the AUTH or DISCONNECT that
ends a re-authentication.
"""

import socket
import struct
import sys

from scramp import ScramClient

CONNECT, CONNACK, DISCONNECT, AUTH = 0x10, 0x20, 0xE0, 0xF0
METHOD, DATA = 0x15, 0x16
CONTINUE, RE_AUTHENTICATE = 0x18, 0x19


def variable(number):
    encoded = bytearray()
    while True:
        number, byte = number >> 7, number & 0x7F
        encoded.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(encoded)


def prefixed(value):
    return struct.pack("!H", len(value)) + value


def properties(method, data):
    section = bytes([METHOD]) + prefixed(method.encode()) + bytes([DATA]) + prefixed(data.encode())
    return variable(len(section)) + section


def packet(kind, body):
    return bytes([kind]) + variable(len(body)) + body


class Connection:
    def __init__(self, port, method):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.stream = self.socket.makefile("rb")
        self.method = method

    def connect(self, data):
        header = prefixed(b"MQTT") + bytes([5, 0x02]) + struct.pack("!H", 0)
        self.socket.sendall(packet(CONNECT, header + properties(self.method, data) + prefixed(b"scramp")))

    def auth(self, code, data):
        self.socket.sendall(packet(AUTH, bytes([code]) + properties(self.method, data)))

    def number(self, stream):
        value, shift = 0, 0
        while True:
            byte = stream.read(1)[0]
            value, shift = value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    def receive(self):
        """Kind, reason code, Authentication Data."""
        kind = self.stream.read(1)[0]
        body = self.stream.read(self.number(self.stream))
        if kind == CONNACK:
            code, rest = body[1], body[2:]
        else:
            code, rest = (body[0], body[1:]) if body else (0, b"")
        return kind, code, find_data(rest)


def find_data(section):
    """The Authentication Data is told from the others by what is known of their lengths."""
    lengths = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
    place = 0
    while section and section[place] >= 0x80:
        place += 1
    place += 1
    data = ""
    while place < len(section):
        name, place = section[place], place + 1
        if name in lengths:
            place += lengths[name]
            continue
        strings = []
        for _ in range(2 if name == 0x26 else 1):
            (length,) = struct.unpack_from("!H", section, place)
            strings.append(section[place + 2 : place + 2 + length])
            place += 2 + length
        if name == DATA:
            data = strings[0].decode()
    return data


def exchange(connection, client, begin):
    """The kind and the reason code of what ends it."""
    begin(client.get_client_first())
    kind, code, data = connection.receive()
    if kind == AUTH and code == CONTINUE:
        client.set_server_first(data)
        connection.auth(CONTINUE, client.get_client_final())
        kind, code, data = connection.receive()
    if code == 0:
        # Raises if the server has not proven itself.
        client.set_server_final(data)
    return kind, code


def main():
    port, method, user, password = int(sys.argv[1]), *sys.argv[2:5]
    connection = Connection(port, method)
    make = lambda: ScramClient([method], user, password)
    kind, code = exchange(connection, make(), connection.connect)
    assert kind == CONNACK, kind
    print(f"CONNACK 0x{code:02X}")
    if code == 0:
        kind, code = exchange(connection, make(), lambda data: connection.auth(RE_AUTHENTICATE, data))
        print(f"{'AUTH' if kind == AUTH else 'DISCONNECT'} 0x{code:02X}")


main()
