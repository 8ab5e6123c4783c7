use ferry_auth::ClientCertificate;
use ferry_codec::ProtocolVersion;
use ferry_core::{ConnView, SessionView, Shard, Timestamp};
use serde_json::{Value, json};

/// What the API tells of a session.
pub(super) fn client_json(shard: &Shard, session: &SessionView<'_>, now: Timestamp) -> Value {
    let conn = session.conn.and_then(|conn| shard.conn_view(conn));
    json!({
        "client_id": session.client_id,
        "user_name": session.user_name,
        "connected": conn.is_some(),
        "connection": conn.map(|conn| connection_json(&conn, now)),
        "subscriptions": session.subscriptions,
        "queue_messages": session.queued_messages,
        "queue_bytes": session.queued_bytes,
        "inflight_messages": session.inflight_messages,
        "expiry_interval_seconds":
            (session.expiry_interval_seconds != u32::MAX).then_some(session.expiry_interval_seconds),
        "ends_at_milliseconds": (session.ends_at != Timestamp::NEVER).then_some(session.ends_at.0),
    })
}

fn connection_json(conn: &ConnView<'_>, now: Timestamp) -> Value {
    let certificate =
        conn.certificate.and_then(|certificate| certificate.0.downcast_ref::<ClientCertificate>());
    json!({
        "address": conn.peer_address,
        "listener": conn.listener.name,
        "transport": transport_name(conn),
        "protocol_version": version_name(conn.protocol_version),
        "keep_alive_seconds": conn.keep_alive_seconds,
        "silent_seconds": now.0.saturating_sub(conn.last_received_at.0) / 1000,
        "unwritten_bytes": conn.unwritten_bytes,
        "is_paused": conn.is_paused,
        "bytes_received": conn.traffic.bytes_received,
        "bytes_sent": conn.traffic.bytes_sent,
        "messages_received": conn.traffic.messages_received,
        "messages_sent": conn.traffic.messages_sent,
        "certificate_common_name": conn.certificate_common_name,
        "certificate_subject": certificate.map(|certificate| &certificate.subject),
        "certificate_alternative_names": certificate.map(|certificate| &certificate.alternative_names),
        "certificate_fingerprint": certificate.map(|certificate| &certificate.fingerprint),
    })
}

fn transport_name(conn: &ConnView<'_>) -> &'static str {
    match conn.transport {
        ferry_core::Transport::Tcp => "tcp",
        ferry_core::Transport::Tls => "tls",
        ferry_core::Transport::WebSocket => "ws",
        ferry_core::Transport::SecureWebSocket => "wss",
        ferry_core::Transport::Unix => "unix",
    }
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::V31 => "3.1",
        ProtocolVersion::V311 => "3.1.1",
        ProtocolVersion::V5 => "5.0",
    }
}
