//! The client against real brokers: Ferry in this process, and Mosquitto and NATS if they are installed. The same tests for
//! all, as far as they have what is tested.

mod brokers;
mod certificates;
mod fault_proxy;
mod memory_server;
mod scratch_directory;
mod test_blocking;
mod test_callback;
mod test_connect;
mod test_examples;
mod test_fail_over;
mod test_faults;
mod test_flush;
mod test_invalid_options;
#[cfg(feature = "outbox")]
mod test_outbox;
#[cfg(feature = "pkcs12")]
mod test_pkcs12;
mod test_proxy;
mod test_publish;
mod test_quiet;
mod test_receive;
mod test_request;
#[cfg(feature = "scram")]
mod test_scram;
#[cfg(feature = "srv")]
mod test_srv;
mod test_subscribe;
mod test_tracing;
mod test_transports;

use ferry_client::{Client, ClientOptions, ConnectionError, ProtocolVersion, QoS};

use brokers::{Broker, BrokerKind, Scheme};

/// Longer than anything takes that works.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// Runs a test against each broker, in each version.
fn with_each_broker<F: Future<Output = ()>>(test: impl Fn(Place) -> F) {
    with_brokers(BrokerKind::installed(), test);
}

/// As [`with_each_broker`], for what needs no QoS 2 nor MQTT 5.0.
fn with_each_broker_of_qos_1<F: Future<Output = ()>>(test: impl Fn(Place) -> F) {
    with_brokers(BrokerKind::installed_with_qos_1(), test);
}

fn with_brokers<F: Future<Output = ()>>(kinds: Vec<BrokerKind>, test: impl Fn(Place) -> F) {
    for kind in kinds {
        let broker = std::sync::Arc::new(Broker::start(kind));
        for version in kind.versions().iter().copied() {
            let place = Place { broker: std::sync::Arc::clone(&broker), version };
            run(async { tokio::time::timeout(PATIENCE, test(place)).await.expect("it ends in time") });
        }
    }
}

/// As [`with_each_broker`], without a runtime.
fn with_each_broker_blocking(test: impl Fn(Place)) {
    for kind in BrokerKind::installed() {
        let broker = std::sync::Arc::new(Broker::start(kind));
        for version in kind.versions().iter().copied() {
            test(Place { broker: std::sync::Arc::clone(&broker), version });
        }
    }
}

fn run<R>(test: impl Future<Output = R>) -> R {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it ends in time") })
}

/// Where a test takes place.
#[derive(Clone)]
struct Place {
    broker: std::sync::Arc<Broker>,
    version: ProtocolVersion,
}

impl Place {
    fn options(&self, client_id: &str) -> ClientOptions {
        let client_id = format!("{client_id}-{}", self.version.level());
        let options = ClientOptions::new(&self.broker.url(Scheme::Tcp)).expect("a URL");
        options.client_id(client_id).protocol_version(self.version)
    }

    async fn client(&self, client_id: &str) -> Client {
        self.options(client_id).connect().await.expect("a connection")
    }

    fn is_v5(&self) -> bool {
        self.version == ProtocolVersion::V5
    }

    fn qos_max(&self) -> QoS {
        if self.broker.kind == BrokerKind::Nats { QoS::AtLeastOnce } else { QoS::ExactlyOnce }
    }

    /// A topic of this test and version alone.
    fn topic(&self, topic: &str) -> String {
        format!("{topic}/{}", self.version.level())
    }
}

/// The words of an error, in short tests.
fn text(error: &ConnectionError) -> String {
    error.to_string()
}
