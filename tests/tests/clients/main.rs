//! Clients that others wrote, against the `ferry` binary: each scenario with each library, in each version.

mod access_rights;
mod arena;
mod client;
mod full_disk;
mod full_disk_load;
mod hook;
mod jwks;
mod jwt;
mod library;
mod line;
mod mosquitto;
mod mosquitto_broker;
mod mosquitto_program;
mod opentelemetry;
mod rumqttc_transport;
mod rumqttc_v4;
mod rumqttc_v5;
mod scenario;
mod schemathesis;
mod scram;
mod small_disk;
mod users;

use ferry_tests::ferry::Transport;
use libtest_mimic::{Arguments, Trial};

use arena::Arena;
use library::Library;
use scenario::Scenario;

/// What is run with a library.
struct Run {
    library: Library,
    /// Protocol levels.
    versions: &'static [u8],
    /// Where all scenarios are run.
    transports: &'static [Transport],
    /// Where [`scenario::CONNECTION`] is run too.
    more_transports: &'static [Transport],
}

const RUNS: &[Run] = &[
    Run {
        library: Library::PahoPython,
        versions: &[3, 4, 5],
        transports: &[Transport::Tcp],
        more_transports: &[
            Transport::Tls,
            Transport::TlsWithClientCertificate,
            Transport::WebSocket,
            Transport::SecureWebSocket,
            Transport::Unix,
        ],
    },
    Run {
        library: Library::MqttJs,
        versions: &[3, 4],
        transports: &[Transport::Tcp],
        more_transports: &[
            Transport::Tls,
            Transport::TlsWithClientCertificate,
            Transport::WebSocket,
            Transport::SecureWebSocket,
        ],
    },
    Run {
        library: Library::MqttJs,
        versions: &[5],
        transports: &[Transport::Tcp, Transport::WebSocket],
        more_transports: &[Transport::Tls, Transport::TlsWithClientCertificate, Transport::SecureWebSocket],
    },
    Run {
        library: Library::PahoC,
        versions: &[3, 4, 5],
        transports: &[Transport::Tcp],
        more_transports: &[
            Transport::Tls,
            Transport::TlsWithClientCertificate,
            Transport::WebSocket,
            Transport::SecureWebSocket,
        ],
    },
    Run {
        library: Library::Rumqttc,
        versions: &[4, 5],
        transports: &[Transport::Tcp],
        more_transports: &[Transport::Tls, Transport::TlsWithClientCertificate, Transport::Unix],
    },
];

impl Run {
    fn trials(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        for version in self.versions {
            let mut add = |scenario, transport: &Transport| {
                trials.extend(trial(scenario, self.library, *version, *transport));
            };
            for transport in self.transports {
                scenario::ALL.iter().for_each(|scenario| add(scenario, transport));
            }
            self.more_transports.iter().for_each(|transport| add(&scenario::CONNECTION, transport));
        }
        trials
    }
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Each trial is a broker and a few processes; more of them at once than this only wait for each other.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let mut trials = mosquitto::trials();
    trials.extend(full_disk::trials());
    trials.extend(full_disk_load::trials());
    trials.extend(hook::trials());
    trials.extend(jwks::trials());
    trials.extend(jwt::trials());
    trials.extend(opentelemetry::trials());
    trials.extend(schemathesis::trials());
    trials.extend(scram::trials());
    trials.extend(users::trials());
    trials.extend(access_rights::trials());
    trials.extend(RUNS.iter().flat_map(Run::trials));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(scenario: &'static Scenario, library: Library, version: u8, transport: Transport) -> Option<Trial> {
    if !scenario.versions.contains(&version) {
        return None;
    }
    let level = ["v3_1", "v3_1_1", "v5"][usize::from(version) - 3];
    let name = format!("{}::{level}::{}::{}", library.name(), transport.name(), scenario.name);
    Some(Trial::test(name, move || {
        let arena = Arena::new(library, version, transport);
        (scenario.run)(&arena);
        arena.ferry.stop();
        Ok(())
    }))
}
