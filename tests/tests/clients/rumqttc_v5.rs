//! A client of rumqttc, MQTT 5.0.

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, Filter, LastWill, LastWillProperties, Packet, PubAckReason, PubCompReason, Publish,
    PublishProperties, RetainForwardRule, SubscribeProperties, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::client::Tell;
use crate::line::Line;
use crate::rumqttc_transport::{host_and_port, transport};

/// Orders that wait until the library takes them.
const WAITING_MAX: usize = 1000;

/// Follows orders until no more can come, then drops the connection.
pub(crate) fn run(mut orders: UnboundedReceiver<Line>, tell: Tell) {
    crate::rumqttc_transport::block_on(async move {
        let Some(connect) = orders.recv().await else { return };
        let (client, mut event_loop) = AsyncClient::new(options(&connect), WAITING_MAX);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => follow(&client, &order, &tell),
                    None => return,
                },
                going_on = turn(&mut event_loop, &tell) => if !going_on { break },
            }
        }
        while orders.recv().await.is_some() {}
    });
}

fn options(connect: &Line) -> MqttOptions {
    let (host, port) = host_and_port(connect);
    let mut options = MqttOptions::new(connect.text("id").unwrap_or_default(), host, port);
    options.set_clean_start(connect.flag("clean"));
    options.set_transport(transport(connect));
    let mut properties = ConnectProperties::new();
    let small = |name| connect.number(name).and_then(|number| u16::try_from(number).ok());
    properties.session_expiry_interval = connect.number("session_expiry");
    properties.receive_maximum = small("receive_maximum");
    properties.topic_alias_max = small("topic_alias_maximum");
    properties.max_packet_size = Some(1 << 20);
    options.set_connect_properties(properties);
    if let Some(topic) = connect.text("will_topic") {
        let payload = connect.bytes("will_payload").unwrap_or_default().to_vec();
        let qos = qos(connect.number("will_qos"));
        let properties = LastWillProperties {
            delay_interval: connect.number("will_delay"),
            content_type: connect.text("will_content_type").map(str::to_owned),
            user_properties: connect.user_properties("will_user"),
            payload_format_indicator: None,
            message_expiry_interval: None,
            response_topic: None,
            correlation_data: None,
        };
        let retain = connect.flag("will_retain");
        options.set_last_will(LastWill::new(topic, payload, qos, retain, Some(properties)));
    }
    options
}

fn follow(client: &AsyncClient, order: &Line, tell: &Tell) {
    let text = |name| order.text(name).unwrap_or_default();
    let done = match order.word.as_str() {
        "subscribe" => match subscription_id(order) {
            Some(id) => client.try_subscribe_many_with_properties([filter(order)], id),
            None => client.try_subscribe_many([filter(order)]),
        },
        "unsubscribe" => client.try_unsubscribe(text("filter")),
        "publish" => {
            let payload = order.bytes("payload").unwrap_or_default().to_vec();
            let (qos, retain) = (qos(order.number("qos")), order.flag("retain"));
            client.try_publish_with_properties(text("topic"), qos, retain, payload, properties(order))
        }
        "disconnect" => client.try_disconnect(),
        other => panic!("no order \"{other}\""),
    };
    if let Err(error) = done {
        let _unwanted = tell.send(Line::new("failed").with("why", error).to_string());
    }
}

fn filter(order: &Line) -> Filter {
    let mut filter = Filter::new(order.text("filter").unwrap_or_default(), qos(order.number("qos")));
    filter.nolocal = order.flag("no_local");
    filter.preserve_retain = order.flag("retain_as_published");
    filter.retain_forward_rule = match order.number("retain_handling") {
        Some(1) => RetainForwardRule::OnNewSubscribe,
        Some(2) => RetainForwardRule::Never,
        _ => RetainForwardRule::OnEverySubscribe,
    };
    filter
}

fn subscription_id(order: &Line) -> Option<SubscribeProperties> {
    let id = order.number("subscription_id")?;
    Some(SubscribeProperties { id: Some(id as usize), user_properties: Vec::new() })
}

fn properties(order: &Line) -> PublishProperties {
    PublishProperties {
        payload_format_indicator: order.number("format").map(|_| u8::from(order.flag("format"))),
        message_expiry_interval: order.number("expiry"),
        topic_alias: order.number("alias").and_then(|alias| alias.try_into().ok()),
        response_topic: order.text("response").map(str::to_owned),
        correlation_data: order.bytes("correlation").map(|data| data.to_vec().into()),
        user_properties: order.user_properties("user"),
        subscription_identifiers: Vec::new(),
        content_type: order.text("content_type").map(str::to_owned),
    }
}

/// Lets the library work until something happens; false when the connection has ended.
async fn turn(event_loop: &mut EventLoop, tell: &Tell) -> bool {
    let result = event_loop.poll().await;
    let fact = match &result {
        Ok(Event::Incoming(packet)) => fact_of(packet),
        Ok(Event::Outgoing(Outgoing::Publish(0))) => Some(Line::new("published").with("reason", 0)),
        Ok(Event::Outgoing(_)) => None,
        Err(ConnectionError::ConnectionRefused(code)) => {
            Some(Line::new("refused").with("why", format!("{code:?}")))
        }
        Err(ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. })) => {
            Some(Line::new("closed").with("reason", *reason_code as u8))
        }
        Err(_) => Some(Line::new("closed")),
    };
    if let Some(fact) = fact {
        let _unwanted = tell.send(fact.to_string());
    }
    result.is_ok()
}

fn fact_of(packet: &Packet) -> Option<Line> {
    let published = |reason: u8| Line::new("published").with("reason", reason);
    match packet {
        Packet::ConnAck(connack) => {
            let properties = connack.properties.as_ref();
            let assigned = properties.and_then(|properties| properties.assigned_client_identifier.as_ref());
            let present = u8::from(connack.session_present);
            Some(Line::new("connected").with("session_present", present).with_some("assigned_id", assigned))
        }
        Packet::SubAck(suback) => {
            let codes = suback.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => (*qos as u8).to_string(),
                SubscribeReasonCode::TopicFilterInvalid => "143".to_owned(),
                other => format!("{other:?}"),
            });
            Some(Line::new("subscribed").with("codes", codes.collect::<Vec<_>>().join(":")))
        }
        Packet::UnsubAck(_) => Some(Line::new("unsubscribed")),
        Packet::PubAck(puback) => Some(published(match puback.reason {
            PubAckReason::Success => 0,
            PubAckReason::NoMatchingSubscribers => 16,
            _ => 128,
        })),
        Packet::PubComp(pubcomp) => Some(published(match pubcomp.reason {
            PubCompReason::Success => 0,
            PubCompReason::PacketIdentifierNotFound => 146,
        })),
        Packet::Publish(publish) => Some(message(publish)),
        _ => None,
    }
}

fn message(publish: &Publish) -> Line {
    let mut line = Line::new("message")
        .with_bytes("topic", &publish.topic)
        .with_bytes("payload", &publish.payload)
        .with("qos", publish.qos as u8)
        .with("retain", u8::from(publish.retain));
    let Some(properties) = &publish.properties else { return line };
    line = line
        .with_some("format", properties.payload_format_indicator)
        .with_some("expiry", properties.message_expiry_interval)
        .with_some("content_type", properties.content_type.as_ref())
        .with_some("response", properties.response_topic.as_ref());
    if let Some(data) = &properties.correlation_data {
        line = line.with_bytes("correlation", data);
    }
    for (name, value) in &properties.user_properties {
        line = line.with("user", format!("{name}={value}"));
    }
    for id in &properties.subscription_identifiers {
        line = line.with("subscription_id", id);
    }
    line
}

fn qos(number: Option<u32>) -> QoS {
    match number {
        Some(2) => QoS::ExactlyOnce,
        Some(1) => QoS::AtLeastOnce,
        _ => QoS::AtMostOnce,
    }
}
