"""Authenticates by Kerberos (GS2-KRB5) with packets and GS2 headers made here: only the tickets are GSSAPI's.

Arguments: the port, then commands. Each prints what the server answers with, and whether it has proven itself.

connect CACHE          connects with the tickets of a cache, the token in CONNECT
example CACHE          the same in the steps of the standard's example: the token in AUTH, and an empty AUTH at the end
reauth CACHE           authenticates again on the connection
user NAME, header H, target T    what CONNECT, the token's GS2 header and the ticket are to say from now on
bindings H             what the token vouches for, if that is not the header; - for nothing
keep CACHE             makes a token that is not sent yet
again, again-reauth    sends the token that was kept, or the last one once more, in a CONNECT or to authenticate again
raw HEX, raw-example HEX, raw-reauth HEX    the same with any bytes, - for none
end HEX                as example, but with bytes in the last AUTH; the cache is that of the last command
wait                   what the server sends next
"""

import socket
import struct
import sys

import gssapi
from gssapi.raw import ChannelBindings

CONNECT, CONNACK, DISCONNECT, AUTH = 0x10, 0x20, 0xE0, 0xF0
METHOD, DATA, CONTINUE, RE_AUTHENTICATE = 0x15, 0x16, 0x18, 0x19
NAMES = {CONNACK: "CONNACK", DISCONNECT: "DISCONNECT", AUTH: "AUTH"}
KRB5 = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
LENGTHS = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}


def variable(number):
    encoded = bytearray()
    while True:
        number, byte = number >> 7, number & 0x7F
        encoded.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(encoded)


def prefixed(value):
    return struct.pack("!H", len(value)) + value


def properties(data):
    section = bytes([METHOD]) + prefixed(b"GS2-KRB5")
    if data:
        section += bytes([DATA]) + prefixed(data)
    return variable(len(section)) + section


def without_header(token):
    """RFC 5801, section 3.1: 0x60, a length, the mechanism's identifier; what follows is sent."""
    place = 2 + (token[1] & 0x7F if token[1] & 0x80 else 0)
    assert token[0] == 0x60 and token[place] == 0x06
    return token[place + 2 + token[place + 1] :]


def find_data(section):
    place = 0
    while section and section[place] >= 0x80:
        place += 1
    place += 1
    while place < len(section):
        name, place = section[place], place + 1
        if name in LENGTHS:
            place += LENGTHS[name]
            continue
        for _ in range(2 if name == 0x26 else 1):
            (length,) = struct.unpack_from("!H", section, place)
            value = section[place + 2 : place + 2 + length]
            place += 2 + length
        if name == DATA:
            return value
    return b""


class Client:
    def __init__(self, port):
        self.port, self.user, self.header, self.bindings = port, None, b"n,,", None
        self.target, self.cache, self.last, self.context = "mqtt@broker.test", None, b"", None

    def open(self, data):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        self.stream = self.socket.makefile("rb")
        header = prefixed(b"MQTT") + bytes([5, 0x82 if self.user else 0x02]) + struct.pack("!H", 0)
        body = header + properties(data) + prefixed(b"kerberos")
        self.send(CONNECT, body + (prefixed(self.user.encode()) if self.user else b""))

    def send(self, kind, body):
        self.socket.sendall(bytes([kind]) + variable(len(body)) + body)

    def auth(self, code, data=b""):
        self.send(AUTH, bytes([code]) + properties(data))

    def receive(self):
        """Kind, reason code, Authentication Data; no kind at the end of the stream."""
        first = self.stream.read(1)
        if not first:
            return None, 0, b""
        length, shift = 0, 0
        while True:
            byte = self.stream.read(1)[0]
            length, shift = length | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        body = self.stream.read(length)
        if first[0] == CONNACK:
            return CONNACK, body[1], find_data(body[2:])
        return first[0], body[0] if body else 0, find_data(body[1:])

    def token(self, cache):
        self.cache = cache
        credentials = gssapi.Credentials(usage="initiate", store={"ccache": "FILE:" + cache})
        name = gssapi.Name(self.target, gssapi.NameType.hostbased_service)
        vouched = self.header if self.bindings is None else self.bindings
        bindings = ChannelBindings(application_data=vouched) if vouched != b"-" else None
        self.context = gssapi.SecurityContext(
            name=name, creds=credentials, usage="initiate", mech=KRB5, channel_bindings=bindings,
            flags=[gssapi.RequirementFlag.mutual_authentication],
        )
        self.last = self.header + without_header(self.context.step())
        return self.last

    def tell(self, kind, code, data):
        proven = ""
        if data and self.context is not None:
            self.context.step(data)
            proven = " proven" if self.context.complete else " not proven"
        print(f"{NAMES.get(kind, 'nothing')} 0x{code:02X}{proven}" if kind else "closed", flush=True)

    def answer(self):
        kind, code, data = self.receive()
        self.tell(kind, code, data)
        return kind, code

    def example(self, message, end=b""):
        self.open(b"")
        if self.answer() != (AUTH, CONTINUE):
            return
        self.auth(CONTINUE, message)
        if self.answer() == (AUTH, CONTINUE):
            self.auth(CONTINUE, end)
            self.answer()

    def raw(self, data):
        self.context = None
        return b"" if data == "-" else bytes.fromhex(data)

    def run(self, words):
        kept = None
        while words:
            command = words.pop(0)
            if command == "connect":
                self.open(self.token(words.pop(0)))
                self.answer()
            elif command == "example":
                self.example(self.token(words.pop(0)))
            elif command == "reauth":
                self.auth(RE_AUTHENTICATE, self.token(words.pop(0)))
                self.answer()
            elif command == "user":
                self.user = words.pop(0)
            elif command in ("header", "bindings", "target"):
                value = words.pop(0)
                setattr(self, command, value if command == "target" else value.encode())
            elif command == "keep":
                kept = self.token(words.pop(0))
            elif command == "again":
                self.open(kept or self.last)
                self.answer()
            elif command == "again-reauth":
                self.auth(RE_AUTHENTICATE, self.last)
                self.answer()
            elif command == "raw":
                self.open(self.raw(words.pop(0)))
                self.answer()
            elif command == "raw-example":
                self.example(self.raw(words.pop(0)))
            elif command == "raw-reauth":
                self.auth(RE_AUTHENTICATE, self.raw(words.pop(0)))
                self.answer()
            elif command == "end":
                self.example(self.token(self.cache), bytes.fromhex(words.pop(0)))
            elif command == "wait":
                self.answer()
            else:
                sys.exit(f"{command}?")


Client(int(sys.argv[1])).run(sys.argv[2:])
