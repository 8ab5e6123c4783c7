"""A publisher or subscriber of paho-mqtt that goes on over any number of crashes of the broker.

crash.py publish NAME VERSION QOS PORT
crash.py subscribe NAME VERSION QOS PORT

NAME is its client identifier. A publisher numbers its messages from 1 and sends them to crash/NAME, retained, as
"NUMBER PADDING". It prints "sent NUMBER" before and "acked NUMBER" after the acknowledgement. A subscriber to crash/#
prints "received PUBLISHER NUMBER". Orders on standard input: "start" (publish), "stop" (publish nothing new; "done" is printed once all
is acknowledged), "pause" and "resume" (close the connection, and open it again). Its end is the end of the program.
"""

import os
import sys
import threading
import time
from collections import deque

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WINDOW = 50
NEVER = 0xFFFFFFFF

output = threading.Lock()


def tell(line):
    with output:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Paho(mqtt.Client):
    """paho-mqtt prepares what is to be sent again at every attempt to connect, and the second time it forgets which
    QoS 2 messages it has sent a PUBREL for: let it do so once for each connection."""

    is_prepared = False

    def _messages_reconnect_reset_out(self):
        if not self.is_prepared:
            self.is_prepared = True
            super()._messages_reconnect_reset_out()


class Client:
    def __init__(self, role, name, version, qos, port):
        self.role, self.name, self.qos, self.port = role, name, int(qos), int(port)
        self.is_v5 = version == "5"
        clean = {} if self.is_v5 else {"clean_session": False}
        protocol = mqtt.MQTTv5 if self.is_v5 else mqtt.MQTTv311
        self.client = Paho(
            mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, **clean
        )
        self.client.max_inflight_messages_set(WINDOW)
        self.client.reconnect_delay_set(0.02, 0.1)
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message
        self.client.on_subscribe = lambda *_: tell("subscribed")
        self.client.on_disconnect = self.on_disconnect
        self.is_resending = False
        # Packet identifiers; the library calls this on a thread of its own.
        self.acknowledged = deque()
        self.client.on_publish = lambda _client, _userdata, mid, *_: self.acknowledged.append(mid)
        self.starting = threading.Event()
        self.stopping = threading.Event()
        if "CRASH_LOG" in os.environ:
            log = open(f"{os.environ['CRASH_LOG']}/{name}", "w", buffering=1)
            self.client.on_log = lambda _client, _userdata, _level, text: print(time.time(), text, file=log)

    def connect(self):
        more = {}
        if self.is_v5:
            more["clean_start"] = False
            more["properties"] = Properties(PacketTypes.CONNECT)
            more["properties"].SessionExpiryInterval = NEVER
        while True:
            try:
                self.client.connect("127.0.0.1", self.port, keepalive=60, **more)
                break
            except OSError:
                time.sleep(0.02)
        self.client.loop_start()

    def on_connect(self, client, _userdata, flags, reason_code, _properties):
        client.is_prepared = False
        if reason_code.is_failure:
            tell(f"refused {reason_code}")
        elif self.role == "subscribe" and not flags.session_present:
            client.subscribe("crash/#", qos=self.qos)
        tell(f"connected {int(flags.session_present)}")

    def on_disconnect(self, *_):
        self.is_resending = True

    def on_message(self, _client, _userdata, message):
        number = message.payload.split(b" ", 1)[0].decode()
        tell(f"received {message.topic.removeprefix('crash/')} {number}")

    def publish(self):
        self.starting.wait()
        outstanding = {}
        number = 0
        while not self.stopping.is_set() or outstanding:
            while self.acknowledged and self.acknowledged[0] in outstanding:
                tell(f"acked {outstanding.pop(self.acknowledged.popleft())}")
            # What is published while the library sends again what an earlier connection has left would overtake it.
            self.is_resending = self.is_resending and bool(outstanding)
            if self.is_resending or len(outstanding) >= WINDOW or self.stopping.is_set():
                time.sleep(0.001)
                continue
            number += 1
            padding = "x" * (20_000 if number % 50 == 0 else number % 40)
            tell(f"sent {number}")
            info = self.client.publish(f"crash/{self.name}", f"{number} {padding}", qos=self.qos, retain=True)
            outstanding[info.mid] = number
        tell("done")

    def obey(self):
        for line in sys.stdin:
            order = line.strip()
            if order == "start":
                self.starting.set()
            elif order == "stop":
                self.stopping.set()
            elif order == "pause":
                self.client.disconnect()
                self.client.loop_stop()
                tell("paused")
            elif order == "resume":
                self.connect()


def main():
    client = Client(*sys.argv[1:])
    client.connect()
    if client.role == "publish":
        threading.Thread(target=client.publish, daemon=True).start()
    client.obey()


main()
