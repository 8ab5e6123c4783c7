//! What the parts of the broker are told, from the configuration.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ferry_codec::{DecodeLimits, ProtocolVersion, QoS};
use ferry_core::{
    CoreConfig, DeniedPublish, Durability, ListenerPolicy, RateKind, RateLimits, RateScope, SpanConfig,
};
use ferry_net::{HandshakeLimits, ListenerOptions, TlsAcceptor};
use ferry_router::RetainedLimits;

use crate::accept::{AcceptLimits, AddressLimits, MisbehaviourLimits, OverloadLimits};
use crate::config::{
    self, Abuse, Authentication, Config, DeniedV3Publish, Listener, Network, OpenTelemetry, OverflowPolicy,
    OverlappingSubscriptions, TakeoverPolicy,
};

/// The limits and choices of the core.
#[must_use]
pub fn core_config(config: &Config) -> CoreConfig {
    let Config { limits, session, storage, abuse, .. } = config;
    CoreConfig {
        durability: durability(storage.durability),
        durability_by_filter: durability_by_filter(storage),
        decode: decode_limits(config),
        connect_bytes_max: limits.connect_bytes_max,
        connect_timeout_seconds: limits.connect_timeout_seconds,
        authentication_timeout_seconds: limits.authentication_timeout_seconds,
        // Kept at the door, before anything is allocated: see `accept`.
        connects_per_second_max: 0,
        sessions_max: limits.sessions_max,
        session_expiry_seconds_max: session.expiry_seconds_max.unwrap_or(u32::MAX),
        client_id_bytes_max: limits.client_id_bytes_max,
        takeover_same_user: session.takeover_policy == TakeoverPolicy::SameUser,
        keep_alive_seconds_max: session.keep_alive_seconds_max,
        receive_maximum: limits.receive_maximum,
        receive_maximum_strict: session.receive_maximum_strict,
        qos2_awaiting_release_max: limits.qos2_awaiting_release_max,
        client_rates: client_rates(config),
        user_rates: user_rates(abuse),
        address_rates: address_rates(abuse),
        exempt_addresses: abuse.exempt_networks.iter().map(Network::addresses).collect(),
        topic_alias_maximum: limits.topic_alias_maximum,
        payload_format_check: session.payload_format_check,
        denied_v3_publish: match session.denied_v3_publish {
            DeniedV3Publish::Acknowledge => DeniedPublish::Acknowledge,
            DeniedV3Publish::Close => DeniedPublish::Close,
        },
        maximum_qos: QoS::ExactlyOnce,
        retain_available: session.retain_available,
        inflight_messages_max: limits.inflight_messages_max,
        inflight_bytes_max: limits.inflight_bytes_max,
        topic_aliases_out_max: limits.topic_aliases_out_max,
        queue_messages_max: limits.queue_messages_max,
        queue_bytes_max: limits.queue_bytes_max,
        queue_messages_in_memory_max: storage.queue_messages_in_memory_max,
        queue_bytes_in_memory_max: storage.queue_bytes_in_memory_max,
        queue_messages_total_max: limits.queue_messages_total_max,
        queue_bytes_total_max: limits.queue_bytes_total_max,
        overflow_policy: overflow_policy(session.overflow_policy),
        output_bytes_max: limits.write_buffer_bytes_max,
        output_stall_seconds_max: limits.write_stall_timeout_seconds,
        subscriptions_per_session_max: limits.subscriptions_per_session_max,
        overlapping_subscriptions: overlapping_subscriptions(session.overlapping_subscriptions),
        wildcard_subscription_available: session.wildcard_subscriptions_available,
        subscription_identifiers_available: session.subscription_ids_available,
        shared_subscription_available: session.shared_subscriptions_available,
        retained: RetainedLimits {
            count_max: limits.retained_messages_max,
            bytes_max: limits.retained_bytes_max,
        },
        retained_replay_steps: CoreConfig::default().retained_replay_steps,
        response_information_prefix: session.response_information_prefix.as_deref().map(Box::from),
        presence: config.sys.presence,
        spans: span_config(&config.opentelemetry),
        connack_user_properties: vec![("durability".into(), storage.durability.name().into())],
    }
}

/// Which messages are followed.
fn span_config(section: &OpenTelemetry) -> Option<SpanConfig> {
    section.endpoint.as_ref()?;
    Some(SpanConfig {
        sample_one_in: section.sample_one_in,
        follow_publishers: section.follow_publishers,
        messages_per_second_max: section.messages_per_second_max,
        deliveries_max: section.deliveries_per_message_max,
        add_to_v3: section.add_traceparent,
    })
}

/// The limits of connections that come in.
pub(crate) fn accept_limits(config: &Config) -> AcceptLimits {
    let limits = &config.limits;
    AcceptLimits {
        connections_max: limits.connections_max as usize,
        connects_per_second_max: limits.connects_per_second_max,
        handshakes_max: limits.handshakes_max as usize,
        unauthenticated_max: limits.unauthenticated_max as usize,
        misbehaviour: MisbehaviourLimits {
            faults_per_minute_per_address_max: config.abuse.faults_per_minute_per_address_max,
            reconnects_per_minute_max: config.abuse.reconnects_per_minute_max,
            ban_seconds: config.abuse.ban_seconds,
            takeovers_per_minute_max: config.abuse.takeovers_per_minute_max,
            duel_pause_seconds: config.abuse.duel_pause_seconds,
        },
        bans: config.abuse.ban.clone(),
        overload: OverloadLimits {
            lag_milliseconds_max: limits.overload_lag_milliseconds_max,
            store_lag_milliseconds_max: limits.overload_store_lag_milliseconds_max,
            memory_bytes_max: limits.overload_memory_bytes_max,
        },
        address: AddressLimits {
            exempt_networks: config.abuse.exempt_networks.clone(),
            connects_per_second_max: config.abuse.connects_per_second_per_address_max,
            unauthenticated_max: config.abuse.unauthenticated_per_address_max,
        },
        handshake: handshake_limits(seconds(limits.handshake_timeout_seconds)),
        connect_timeout: seconds(limits.connect_timeout_seconds),
        decode: DecodeLimits {
            packet_size_max: limits.packet_size_bytes_max.min(limits.connect_bytes_max),
            ..decode_limits(config)
        },
    }
}

/// The option that sets a rate.
pub(crate) fn rate_option(scope: RateScope, kind: RateKind) -> &'static str {
    match (scope, kind) {
        (RateScope::Client, RateKind::Publishes) => "limits.publishes_per_second_max",
        (RateScope::Client, RateKind::ReceivedBytes) => "limits.received_bytes_per_second_max",
        (RateScope::Client, RateKind::Subscribes) => "limits.subscribes_per_second_max",
        (RateScope::User, RateKind::Publishes) => "abuse.publishes_per_second_per_user_max",
        (RateScope::User, RateKind::ReceivedBytes) => "abuse.received_bytes_per_second_per_user_max",
        (RateScope::User, RateKind::Subscribes) => "abuse.subscribes_per_second_per_user_max",
        (RateScope::Address, RateKind::Publishes) => "abuse.publishes_per_second_per_address_max",
        (RateScope::Address, RateKind::ReceivedBytes) => "abuse.received_bytes_per_second_per_address_max",
        (RateScope::Address, RateKind::Subscribes) => "abuse.subscribes_per_second_per_address_max",
    }
}

/// What the connections of a listener may do.
#[must_use]
pub fn listener_policy(listener: &Listener, authentication: &Authentication) -> ListenerPolicy {
    let allowed = |version| listener.protocol_versions.contains(&version);
    ListenerPolicy {
        name: listener.address.to_string().into(),
        authenticators: listener
            .authenticators(authentication)
            .iter()
            .map(|kind| kind.name().into())
            .collect(),
        anonymous_allowed: listener.anonymous_allowed(authentication),
        v31_allowed: allowed(ProtocolVersion::V31),
        v311_allowed: allowed(ProtocolVersion::V311),
        v5_allowed: allowed(ProtocolVersion::V5),
        maximum_qos: listener.maximum_qos,
        keep_alive_seconds_max: listener.keep_alive_seconds_max,
    }
}

/// What comes before the first packet on a listener, without the limits, which can change: see [`accept_limits`].
pub(crate) fn listener_options(listener: &Listener, tls: Option<Arc<TlsAcceptor>>) -> ListenerOptions {
    ListenerOptions {
        tls,
        proxy_protocol: listener.proxy_protocol,
        websocket_require_subprotocol: listener.websocket_subprotocol_required,
        websocket_origins: listener.origin_rules(),
        tcp_nodelay: listener.tcp_nodelay,
        tcp_keepalive: listener.tcp_keepalive_seconds.map(|time| seconds(u32::from(time))),
        limits: HandshakeLimits::default(),
    }
}

fn decode_limits(config: &Config) -> DecodeLimits {
    let Config { limits, session, .. } = config;
    DecodeLimits {
        packet_size_max: limits.packet_size_bytes_max,
        user_properties_max: limits.user_properties_max,
        topic_levels_max: limits.topic_levels_max,
        topic_bytes_max: limits.topic_bytes_max,
        reject_control_characters: session.reject_control_characters,
    }
}

fn client_rates(config: &Config) -> RateLimits {
    RateLimits {
        connects_per_minute_max: rate(config.abuse.connects_per_minute_per_client_max),
        publishes_per_second_max: rate(config.limits.publishes_per_second_max),
        received_bytes_per_second_max: rate(config.limits.received_bytes_per_second_max),
        subscribes_per_second_max: rate(config.limits.subscribes_per_second_max),
    }
}

fn user_rates(abuse: &Abuse) -> RateLimits {
    RateLimits {
        connects_per_minute_max: rate(abuse.connects_per_minute_per_user_max),
        publishes_per_second_max: rate(abuse.publishes_per_second_per_user_max),
        received_bytes_per_second_max: rate(abuse.received_bytes_per_second_per_user_max),
        subscribes_per_second_max: rate(abuse.subscribes_per_second_per_user_max),
    }
}

fn address_rates(abuse: &Abuse) -> RateLimits {
    RateLimits {
        // Kept at the door: see `accept`.
        connects_per_minute_max: None,
        publishes_per_second_max: rate(abuse.publishes_per_second_per_address_max),
        received_bytes_per_second_max: rate(abuse.received_bytes_per_second_per_address_max),
        subscribes_per_second_max: rate(abuse.subscribes_per_second_per_address_max),
    }
}

fn rate(max: Option<u32>) -> Option<NonZeroU32> {
    max.and_then(NonZeroU32::new)
}

fn durability(durability: config::Durability) -> Durability {
    match durability {
        config::Durability::Memory => Durability::Memory,
        config::Durability::Os => Durability::Os,
        config::Durability::Fsync => Durability::Fsync,
    }
}

fn durability_by_filter(storage: &config::Storage) -> Vec<(Box<str>, Durability)> {
    // Without a store, nothing can be more durable than memory.
    let rules = storage.topic_durability.iter().filter(|_| storage.is_on_disk());
    rules.map(|rule| (rule.filter.as_str().into(), durability(rule.durability))).collect()
}

fn overflow_policy(policy: OverflowPolicy) -> ferry_core::OverflowPolicy {
    match policy {
        OverflowPolicy::DropOldest => ferry_core::OverflowPolicy::DropOldest,
        OverflowPolicy::DropNewest => ferry_core::OverflowPolicy::DropNewest,
        OverflowPolicy::RejectPublisher => ferry_core::OverflowPolicy::RejectPublisher,
        OverflowPolicy::Disconnect => ferry_core::OverflowPolicy::DisconnectReceiver,
    }
}

fn overlapping_subscriptions(policy: OverlappingSubscriptions) -> ferry_core::OverlappingSubscriptions {
    match policy {
        OverlappingSubscriptions::Once => ferry_core::OverlappingSubscriptions::Once,
        OverlappingSubscriptions::Each => ferry_core::OverlappingSubscriptions::Each,
    }
}

/// One time for all steps together, which each may use up.
fn handshake_limits(timeout: Duration) -> HandshakeLimits {
    HandshakeLimits {
        total_timeout: timeout,
        first_byte_timeout: timeout,
        proxy_header_timeout: timeout,
        tls_timeout: timeout,
        upgrade_timeout: timeout,
        ..HandshakeLimits::default()
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
