//! A client of rumqttc (MQTT 3.1.1, QoS 1) that goes on over any number of crashes of the broker. It takes the orders
//! of `clients/python/crash.py` and says the same.

use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};

use tokio::sync::mpsc::UnboundedReceiver;

use super::client::{ClientSpec, Role};

/// Messages on the way. Fewer than the library's packet identifiers, so that none is in use when its turn comes.
const WINDOW: u64 = 50;

struct RumqttcClient<'a> {
    spec: ClientSpec,
    say: &'a Sender<(&'static str, String)>,
    client: AsyncClient,
    publishing: bool,
    stopping: bool,
    /// Messages handed to the library.
    made: u64,
    /// Messages that it has sent.
    sent: u64,
    acknowledged: u64,
    on_the_way: HashMap<u16, u64>,
}

/// Follows orders until no more can come.
pub(super) fn run(
    spec: ClientSpec,
    port: u16,
    orders: UnboundedReceiver<String>,
    say: &Sender<(&'static str, String)>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(follow(spec, port, orders, say));
}

async fn follow(
    spec: ClientSpec,
    port: u16,
    mut orders: UnboundedReceiver<String>,
    say: &Sender<(&'static str, String)>,
) {
    let mut options = MqttOptions::new(spec.name, "127.0.0.1", port);
    options.set_clean_session(false);
    options.set_inflight(100);
    options.set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut event_loop) = AsyncClient::new(options, WINDOW as usize);
    let mut rumqttc = RumqttcClient {
        spec,
        say,
        client,
        publishing: false,
        stopping: false,
        made: 0,
        sent: 0,
        acknowledged: 0,
        on_the_way: HashMap::new(),
    };
    loop {
        rumqttc.publish();
        tokio::select! {
            order = orders.recv() => match order.as_deref() {
                Some("start") => rumqttc.publishing = true,
                Some("stop") => rumqttc.stop(),
                Some("pause") => {
                    // Without DISCONNECT, as if the network had failed.
                    event_loop.clean();
                    if orders.recv().await.as_deref() != Some("resume") {
                        return;
                    }
                }
                Some(_) => {}
                None => return,
            },
            event = event_loop.poll() => match event {
                Ok(event) => {
                    if !rumqttc.happened(&event) {
                        return;
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
        }
    }
}

impl RumqttcClient<'_> {
    /// Whether anybody listens.
    fn tell(&self, line: String) -> bool {
        self.say.send((self.spec.name, line)).is_ok()
    }

    fn publish(&mut self) {
        while self.publishing && !self.stopping && self.made < self.acknowledged + WINDOW {
            let number = self.made + 1;
            let padding = "x".repeat(if number.is_multiple_of(50) { 20_000 } else { number as usize % 40 });
            let topic = format!("crash/{}", self.spec.name);
            if self.client.try_publish(topic, QoS::AtLeastOnce, true, format!("{number} {padding}")).is_err()
            {
                break;
            }
            self.made = number;
            self.tell(format!("sent {number}"));
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
        if self.acknowledged == self.made {
            self.tell("done".to_owned());
        }
    }

    fn happened(&mut self, event: &Event) -> bool {
        match event {
            Event::Incoming(Packet::ConnAck(connack)) => {
                if self.spec.role == Role::Subscriber && !connack.session_present {
                    // There is room: nothing else is asked for.
                    let _asked = self.client.try_subscribe("crash/#", QoS::AtLeastOnce);
                }
                self.tell(format!("connected {}", u8::from(connack.session_present)))
            }
            Event::Incoming(Packet::SubAck(_)) => self.tell("subscribed".to_owned()),
            Event::Incoming(Packet::Publish(publish)) => {
                let from = publish.topic.trim_start_matches("crash/");
                let number = publish.payload.split(|byte| *byte == b' ').next().unwrap_or_default();
                self.tell(format!("received {from} {}", String::from_utf8_lossy(number)))
            }
            Event::Outgoing(Outgoing::Publish(packet_id)) => {
                // One that is on the way already is sent again.
                if !self.on_the_way.contains_key(packet_id) {
                    self.sent += 1;
                    self.on_the_way.insert(*packet_id, self.sent);
                }
                true
            }
            Event::Incoming(Packet::PubAck(puback)) => {
                let Some(number) = self.on_the_way.remove(&puback.pkid) else { return true };
                self.acknowledged += 1;
                let told = self.tell(format!("acked {number}"));
                if self.stopping && self.acknowledged == self.made {
                    self.tell("done".to_owned());
                }
                told
            }
            _ => true,
        }
    }
}
