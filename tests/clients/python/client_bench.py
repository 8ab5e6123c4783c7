"""A client of paho-mqtt that `cargo xtask client-bench` measures.

Arguments: client LIBRARY publish|subscribe QOS MESSAGES WINDOW PORT. It prints nanoseconds of the processor, nanoseconds,
and the most KiB it ever had.
"""

import signal
import sys
import threading
import time

import paho.mqtt.client as mqtt

TOPIC = "bench/building/7/temperature"
LAST_TOPIC = "bench/last"
PAYLOAD = b"x" * 64
PATIENCE_SECONDS = 120


def peak_kibibytes():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def publish_all(client, qos, messages, window):
    room = threading.Semaphore(window)
    client.on_publish = lambda *_: room.release()
    for _ in range(messages):
        room.acquire()
        client.publish(TOPIC, PAYLOAD, qos)
    room.acquire()
    client.publish(LAST_TOPIC, b"", 1).wait_for_publish()


def prepare_to_receive(client, qos, messages):
    """Subscribes; what is returned waits until all messages have come."""
    subscribed, done = threading.Event(), threading.Event()
    left = messages

    def on_message(*_):
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.subscribe("bench/#", qos)
    subscribed.wait()
    return done


def main():
    _, _, _, role, qos, messages, window, port = sys.argv
    qos, messages, window = int(qos), int(messages), int(window)
    signal.alarm(PATIENCE_SECONDS)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "bench")
    client.max_inflight_messages_set(window)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", int(port))
    client.loop_start()
    connected.wait()
    done = prepare_to_receive(client, qos, messages) if role == "subscribe" else None
    processor, clock = time.process_time_ns(), time.monotonic_ns()
    if done:
        print("ready", flush=True)
        done.wait()
    else:
        publish_all(client, qos, messages, window)
    processor, clock = time.process_time_ns() - processor, time.monotonic_ns() - clock
    print(processor, clock, peak_kibibytes(), flush=True)
    client.disconnect()


main()
