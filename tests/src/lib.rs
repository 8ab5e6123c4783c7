//! Scripts of packets in and out, run in process, over TCP and against other brokers.
