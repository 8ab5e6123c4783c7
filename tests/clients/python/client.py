"""One client of paho-mqtt that follows the commands described in ../README.md."""

import ssl
import sys
from urllib.parse import quote_from_bytes, unquote_to_bytes

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

SAFE = "-._~/+#$:"

# The names of a command's pairs, those of the library, and what the value is.
PUBLISH_PROPERTIES = {
    "format": ("PayloadFormatIndicator", int),
    "expiry": ("MessageExpiryInterval", int),
    "content_type": ("ContentType", str),
    "response": ("ResponseTopic", str),
    "correlation": ("CorrelationData", bytes),
    "alias": ("TopicAlias", int),
    "user": ("UserProperty", tuple),
}
WILL_PROPERTIES = {
    "will_delay": ("WillDelayInterval", int),
    "will_content_type": ("ContentType", str),
    "will_user": ("UserProperty", tuple),
}
CONNECT_PROPERTIES = {
    "session_expiry": ("SessionExpiryInterval", int),
    "receive_maximum": ("ReceiveMaximum", int),
    "topic_alias_maximum": ("TopicAliasMaximum", int),
}
SUBSCRIBE_PROPERTIES = {"subscription_id": ("SubscriptionIdentifier", int)}
DISCONNECT_PROPERTIES = {"session_expiry": ("SessionExpiryInterval", int)}


class Command:
    """A line taken apart."""

    def __init__(self, line):
        self.word, *pairs = line.split(" ")
        self.pairs = []
        for pair in pairs:
            name, value = pair.split("=", 1)
            self.pairs.append((name, unquote_to_bytes(value)))

    def all(self, name):
        return [value for key, value in self.pairs if key == name]

    def bytes(self, name, default=b""):
        return next(iter(self.all(name)), default)

    def text(self, name, default=None):
        values = self.all(name)
        return values[0].decode() if values else default

    def number(self, name, default=0):
        return int(self.text(name, str(default)))

    def flag(self, name):
        return self.number(name) == 1

    def properties(self, packet_type, table):
        """The properties of this packet that the command names, or None."""
        properties = Properties(packet_type)
        for name, value in self.pairs:
            if name not in table:
                continue
            attribute, kind = table[name]
            if kind is tuple:
                value = tuple(value.decode().split("=", 1))
            elif kind is not bytes:
                value = kind(value.decode())
            setattr(properties, attribute, value)
        return None if properties.isEmpty() else properties


def fact(word, *pairs):
    """Prints a fact; pairs without a value are left out."""
    line = word
    for name, value in pairs:
        if value is None:
            continue
        if isinstance(value, (bool, int)):
            value = str(int(value))
        if isinstance(value, str):
            value = value.encode()
        line += f" {name}={quote_from_bytes(value, SAFE)}"
    print(line, flush=True)


def message_properties(properties):
    """The pairs that tell what properties a message came with."""
    for name, (attribute, _) in PUBLISH_PROPERTIES.items():
        if name != "alias" and properties is not None and hasattr(properties, attribute):
            value = getattr(properties, attribute)
            if name == "user":
                yield from (("user", f"{key}={text}") for key, text in value)
            else:
                yield name, value
    for identifier in getattr(properties, "SubscriptionIdentifier", []):
        yield "subscription_id", identifier


class Client:
    """The client and the library's callbacks."""

    def __init__(self):
        self.client = None
        self.version = 4

    def connect(self, command):
        self.version = command.number("version", 4)
        transport = command.text("transport", "tcp")
        clean = {} if self.version == 5 else {"clean_session": command.flag("clean")}
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=command.text("id", ""),
            protocol=mqtt.MQTTProtocolVersion(self.version),
            transport={"ws": "websockets", "wss": "websockets", "unix": "unix"}.get(transport, "tcp"),
            reconnect_on_failure=False,
            **clean,
        )
        self.set_callbacks()
        if transport in ("ws", "wss"):
            self.client.ws_set_options(path=command.text("path", "/mqtt"))
        if transport in ("tls", "wss"):
            self.client.tls_set(
                ca_certs=command.text("ca"),
                certfile=command.text("certificate"),
                keyfile=command.text("key"),
                cert_reqs=ssl.CERT_REQUIRED,
            )
        if command.all("user_name"):
            self.client.username_pw_set(command.text("user_name"), command.text("password"))
        if command.all("will_topic"):
            self.client.will_set(
                command.text("will_topic"),
                command.bytes("will_payload"),
                command.number("will_qos"),
                command.flag("will_retain"),
                command.properties(PacketTypes.WILLMESSAGE, WILL_PROPERTIES),
            )
        more = {}
        if self.version == 5:
            more["clean_start"] = command.flag("clean")
            more["properties"] = command.properties(PacketTypes.CONNECT, CONNECT_PROPERTIES)
        host = command.text("path") if transport == "unix" else command.text("host", "127.0.0.1")
        port = command.number("port", 1883)
        self.client.connect(host, port, keepalive=command.number("keep_alive", 60), **more)
        self.client.loop_start()

    def set_callbacks(self):
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = lambda _client, _data, flags, reason, _properties: fact(
            "closed", ("reason", reason.value if flags.is_disconnect_packet_from_server else None)
        )
        self.client.on_subscribe = lambda _client, _data, _id, reasons, _properties: fact(
            "subscribed", ("codes", ":".join(str(reason.value) for reason in reasons))
        )
        self.client.on_unsubscribe = lambda *_: fact("unsubscribed")
        self.client.on_publish = lambda _client, _data, _id, reason, _properties: fact(
            "published", ("reason", reason.value)
        )
        self.client.on_message = lambda _client, _data, message: fact(
            "message",
            ("topic", message.topic),
            ("payload", message.payload),
            ("qos", message.qos),
            ("retain", message.retain),
            *message_properties(getattr(message, "properties", None)),
        )

    def on_connect(self, _client, _data, flags, reason, properties):
        if reason.is_failure:
            fact("refused", ("reason", reason.value))
            return
        assigned = getattr(properties, "AssignedClientIdentifier", None)
        fact("connected", ("session_present", flags.session_present), ("assigned_id", assigned))

    def subscribe(self, command):
        if self.version < 5:
            self.client.subscribe(command.text("filter"), command.number("qos"))
            return
        options = SubscribeOptions(
            qos=command.number("qos"),
            noLocal=command.flag("no_local"),
            retainAsPublished=command.flag("retain_as_published"),
            retainHandling=command.number("retain_handling"),
        )
        properties = command.properties(PacketTypes.SUBSCRIBE, SUBSCRIBE_PROPERTIES)
        self.client.subscribe(command.text("filter"), options=options, properties=properties)

    def unsubscribe(self, command):
        self.client.unsubscribe(command.text("filter"))

    def publish(self, command):
        self.client.publish(
            command.text("topic", ""),
            command.bytes("payload"),
            command.number("qos"),
            command.flag("retain"),
            command.properties(PacketTypes.PUBLISH, PUBLISH_PROPERTIES),
        )

    def disconnect(self, command):
        if self.version < 5:
            self.client.disconnect()
            return
        self.client.disconnect(
            ReasonCode(PacketTypes.DISCONNECT, identifier=command.number("reason")),
            command.properties(PacketTypes.DISCONNECT, DISCONNECT_PROPERTIES),
        )


def main():
    client = Client()
    for line in sys.stdin:
        command = Command(line.rstrip("\n"))
        try:
            getattr(client, command.word)(command)
        except Exception as error:  # whatever the library raises is a fact of the test
            fact("failed", ("why", f"{type(error).__name__}: {error}"))


main()
