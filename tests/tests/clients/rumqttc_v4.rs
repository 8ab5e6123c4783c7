//! A client of rumqttc, MQTT 3.1.1.

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions, Outgoing,
};
use rumqttc::{Packet, Publish, QoS, SubscribeReasonCode};
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
    options.set_clean_session(connect.flag("clean"));
    options.set_transport(transport(connect));
    options.set_max_packet_size(1 << 20, 1 << 20);
    if let Some(topic) = connect.text("will_topic") {
        let payload = connect.bytes("will_payload").unwrap_or_default().to_vec();
        let qos = qos(connect.number("will_qos"));
        options.set_last_will(LastWill::new(topic, payload, qos, connect.flag("will_retain")));
    }
    options
}

fn follow(client: &AsyncClient, order: &Line, tell: &Tell) {
    let text = |name| order.text(name).unwrap_or_default();
    let done = match order.word.as_str() {
        "subscribe" => client.try_subscribe(text("filter"), qos(order.number("qos"))),
        "unsubscribe" => client.try_unsubscribe(text("filter")),
        "publish" => {
            let payload = order.bytes("payload").unwrap_or_default().to_vec();
            client.try_publish(text("topic"), qos(order.number("qos")), order.flag("retain"), payload)
        }
        "disconnect" => client.try_disconnect(),
        other => panic!("no order \"{other}\""),
    };
    if let Err(error) = done {
        let _unwanted = tell.send(Line::new("failed").with("why", error).to_string());
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
            Some(Line::new("refused").with("reason", return_code(*code)))
        }
        Err(_) => Some(Line::new("closed")),
    };
    if let Some(fact) = fact {
        let _unwanted = tell.send(fact.to_string());
    }
    result.is_ok()
}

fn fact_of(packet: &Packet) -> Option<Line> {
    match packet {
        Packet::ConnAck(connack) => {
            Some(Line::new("connected").with("session_present", u8::from(connack.session_present)))
        }
        Packet::SubAck(suback) => {
            let codes = suback.return_codes.iter().map(|code| match code {
                SubscribeReasonCode::Success(qos) => (*qos as u8).to_string(),
                SubscribeReasonCode::Failure => "128".to_owned(),
            });
            Some(Line::new("subscribed").with("codes", codes.collect::<Vec<_>>().join(":")))
        }
        Packet::UnsubAck(_) => Some(Line::new("unsubscribed")),
        Packet::PubAck(_) | Packet::PubComp(_) => Some(Line::new("published").with("reason", 0)),
        Packet::Publish(publish) => Some(message(publish)),
        _ => None,
    }
}

fn message(publish: &Publish) -> Line {
    Line::new("message")
        .with("topic", &publish.topic)
        .with_bytes("payload", &publish.payload)
        .with("qos", publish.qos as u8)
        .with("retain", u8::from(publish.retain))
}

fn qos(number: Option<u32>) -> QoS {
    match number {
        Some(2) => QoS::ExactlyOnce,
        Some(1) => QoS::AtLeastOnce,
        _ => QoS::AtMostOnce,
    }
}

fn return_code(code: ConnectReturnCode) -> u8 {
    match code {
        ConnectReturnCode::Success => 0,
        ConnectReturnCode::RefusedProtocolVersion => 1,
        ConnectReturnCode::BadClientId => 2,
        ConnectReturnCode::ServiceUnavailable => 3,
        ConnectReturnCode::BadUserNamePassword => 4,
        ConnectReturnCode::NotAuthorized => 5,
    }
}
