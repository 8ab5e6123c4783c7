//! `[limits]`: the bound of everything that a peer can make grow.

use std::num::NonZeroU16;

use super::option::section;
use super::quantity::{KIB, MIB};
use super::value::Kind;

section! {
    /// How much of everything one client, and all clients together, may use. Nothing in the broker grows without a
    /// limit; what is discarded at a limit is counted under `$SYS/broker/drops/`.
    pub struct Limits = "limits" {
        /// The largest packet a client may send, header included. Told to MQTT 5.0 clients as Maximum Packet Size.
        /// A larger one ends the connection with reason code 0x95.
        packet_size_bytes_max: u32 = (2 * MIB) as u32, Kind::Bytes { min: 128, max: 268_435_460 }, Live;

        /// The largest CONNECT. Anyone may send one, so it is kept smaller than other packets; it holds the will.
        connect_bytes_max: u32 = (256 * KIB) as u32, Kind::Bytes { min: 128, max: 268_435_460 }, Live;

        /// Length of a client identifier. A longer one is refused with 0x85.
        client_id_bytes_max: u16 = KIB as u16, Kind::Bytes { min: 23, max: 65_535 }, Live;

        /// User properties in one packet, the will's included.
        user_properties_max: u32 = 128, Kind::Count { min: 0, max: 65_535 }, Live;

        /// Levels of a topic name or topic filter: `a/b/c` has three.
        topic_levels_max: u16 = 128, Kind::Count { min: 1, max: 65_535 }, Live;

        /// Length of a topic name or topic filter.
        topic_bytes_max: u16 = (4 * KIB) as u16, Kind::Bytes { min: 1, max: 65_535 }, Live;

        /// QoS 1 and 2 messages on the way to one client, not yet acknowledged by it. A client's own Receive Maximum
        /// counts if it is smaller.
        inflight_messages_max: NonZeroU16 = at_least_one(4096), Kind::Count { min: 1, max: 65_535 }, Live;

        /// Bytes of these messages. With as many the next one waits in the client's queue for an acknowledgement; a
        /// single larger message is sent.
        inflight_bytes_max: u32 = (16 * MIB) as u32, Kind::Bytes { min: KIB, max: 4_294_967_295 }, Live;

        /// QoS 1 and 2 messages on the way from one client, not yet acknowledged by the broker. Told to MQTT 5.0
        /// clients as Receive Maximum.
        receive_maximum: NonZeroU16 = at_least_one(1024), Kind::Count { min: 1, max: 65_535 }, Live;

        /// QoS 2 messages of one session that wait for PUBREL, over all its connections. Beyond it PUBREC carries 0x97.
        qos2_awaiting_release_max: u16 = 1024, Kind::Count { min: 1, max: 65_535 }, Live;

        /// PUBLISH packets that one client may send in one second, its will included, also if it connects anew meanwhile. A
        /// faster one is read more slowly.
        publishes_per_second_max: Option<u32> = None, Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// Bytes of packets that one client may send in one second, also if it connects anew meanwhile. A faster one is
        /// read more slowly.
        received_bytes_per_second_max: Option<u32> = None,
            Kind::Or("none", &Kind::Bytes { min: KIB, max: 1 << 31 }), Live;

        /// Topic filters that one client may subscribe to and unsubscribe from in one second, also if it connects anew
        /// meanwhile. A faster one is read more slowly.
        subscribes_per_second_max: Option<u32> = None,
            Kind::Or("none", &Kind::Count { min: 1, max: 100_000_000 }), Live;

        /// Topic aliases that a client may define. Told to MQTT 5.0 clients as Topic Alias Maximum.
        topic_alias_maximum: u16 = 32, Kind::Count { min: 0, max: 65_535 }, Live;

        /// Topic aliases that the broker defines towards one client, if the client allows that many.
        topic_aliases_out_max: u16 = 32, Kind::Count { min: 0, max: 65_535 }, Live;

        /// Messages waiting for one session, online or not. Beyond it `session.overflow_policy` decides.
        queue_messages_max: u32 = 10_000, Kind::Count { min: 1, max: 100_000_000 }, Live;

        /// Bytes of the messages waiting for one session.
        queue_bytes_max: usize = (16 * MIB) as usize, Kind::Bytes { min: KIB, max: 1 << 44 }, Live;

        /// Messages waiting for all sessions together. Each shard has an equal part of it.
        queue_messages_total_max: usize = 2_000_000, Kind::Count { min: 1, max: 1 << 40 }, Live;

        /// Bytes of the messages waiting for all sessions together. Each shard has an equal part of it.
        queue_bytes_total_max: usize = (256 * MIB) as usize, Kind::Bytes { min: KIB, max: 1 << 44 }, Live;

        /// Subscriptions of one session. Beyond it SUBACK carries 0x97.
        subscriptions_per_session_max: u32 = 10_000, Kind::Count { min: 1, max: 10_000_000 }, Live;

        /// Retained messages. Beyond it a new topic's message is forwarded but not kept. Those of `$SYS` do not count.
        retained_messages_max: usize = 1_000_000, Kind::Count { min: 0, max: 1 << 40 }, Live;

        /// Bytes of all retained messages.
        retained_bytes_max: usize = (256 * MIB) as usize, Kind::Bytes { min: 0, max: 1 << 44 }, Live;

        /// Sessions, connected or not. Beyond it a CONNECT that needs a new session is refused with 0x97. Each shard has
        /// an equal part of it.
        sessions_max: usize = 1_000_000, Kind::Count { min: 1, max: 1 << 32 }, Live;

        /// Connections on all listeners together. Beyond it new ones are closed at once.
        connections_max: u32 = 100_000, Kind::Count { min: 1, max: 100_000_000 }, Live;

        /// New connections accepted in one second, on all listeners together. Beyond it new ones are closed at once.
        connects_per_second_max: u32 = 5_000, Kind::Count { min: 1, max: 10_000_000 }, Live;

        /// Connections that have not yet finished PROXY, TLS and WebSocket handshakes.
        handshakes_max: u32 = 4_096, Kind::Count { min: 1, max: 1_000_000 }, Live;

        /// Connections of which it is not known yet who it is: in a handshake, without a CONNECT, or in the middle of an
        /// authentication. Beyond it new ones are closed at once, so that those that are there are served.
        unauthenticated_max: u32 = 8_192, Kind::Count { min: 1, max: 100_000_000 }, Live;

        /// Time for the PROXY, TLS and WebSocket handshakes together.
        handshake_timeout_seconds: u32 = 10, Kind::Seconds { min: 1, max: 3_600 }, Live;

        /// Time from the end of the handshakes to a complete CONNECT. On TCP and Unix sockets without PROXY there are
        /// no handshakes: it starts with the connection.
        connect_timeout_seconds: u32 = 10, Kind::Seconds { min: 1, max: 3_600 }, Live;

        /// Time from CONNECT to the end of the authentication.
        authentication_timeout_seconds: u32 = 30, Kind::Seconds { min: 1, max: 3_600 }, Live;

        /// Passwords that wait to be compared, on all listeners together. Beyond it a CONNECT is refused with 0x89.
        password_checks_waiting_max: u32 = 1_024, Kind::Count { min: 1, max: 1_000_000 }, Live;

        /// Time in which a shard serves each connection that has something for it. While it takes longer, the broker is
        /// overloaded: those who are connected are served, and a CONNECT is refused with 0x89. It ends a second after the
        /// time was last above half of this.
        overload_lag_milliseconds_max: Option<u32> = Some(2_000),
            Kind::Or("none", &Kind::Count { min: 10, max: 3_600_000 }), Live;

        /// Time for which the store may have more to write than it should, while those who send it are read more slowly.
        /// Beyond it the broker is overloaded too.
        overload_store_lag_milliseconds_max: Option<u32> = Some(10_000),
            Kind::Or("none", &Kind::Count { min: 10, max: 3_600_000 }), Live;

        /// Memory of the whole process. From there until it has a twentieth less, the broker is overloaded too. `"auto"`:
        /// 90 percent of what its control group may have, or of what the machine has, whichever is less.
        overload_memory_bytes_max: Option<u64> = None,
            Kind::Or("auto", &Kind::Bytes { min: MIB, max: 1 << 50 }), Live;

        /// Users that are managed at run time. Beyond it no more can be added; those that are there stay.
        users_max: u32 = 10_000, Kind::Count { min: 0, max: 100_000 }, Live;

        /// Roles that are managed at run time, and groups, together. Beyond it no more can be added; those that are there stay.
        roles_max: u32 = 1_000, Kind::Count { min: 0, max: 100_000 }, Live;

        /// Bytes of these roles and groups, with their rules and members, as they are kept. Beyond it nothing can be added.
        roles_bytes_max: usize = MIB as usize, Kind::Bytes { min: KIB, max: 64 * MIB }, Live;

        /// Bytes waiting to be written to one connection. Beyond it QoS 0 messages to it are dropped, and QoS 1 and 2
        /// messages stay in the session's queue.
        write_buffer_bytes_max: usize = (2 * MIB) as usize, Kind::Bytes { min: 4 * KIB, max: 1 << 40 }, Live;

        /// Time in which a client must take something of a full write buffer. After it the connection is closed.
        write_stall_timeout_seconds: u32 = 60, Kind::Seconds { min: 1, max: 86_400 }, Live;

        /// Bytes of messages on the way from one shard to another. Beyond it the publishing connections are not read
        /// until there is room.
        mailbox_bytes_max: usize = (16 * MIB) as usize, Kind::Bytes { min: 64 * KIB, max: 1 << 40 }, Live;
    }
}

const fn at_least_one(number: u16) -> NonZeroU16 {
    match NonZeroU16::new(number) {
        Some(number) => number,
        None => NonZeroU16::MIN,
    }
}
