//! The command line.

use ferry_tests::measured_broker::Contender;

pub(crate) const HELP: &str = "\
many-connections [--connections N] [--subscriptions N] [--retained N] [--durable] [ferry | mosquitto]
many-connections --against HOST:PORT [--process ID] ...

Says what N (10000) idle connections with one subscription each cost a broker: memory, processor time to connect, how
often it wakes while nothing happens. Then what N (0) subscriptions with a wildcard cost, and N (0) retained messages.
Starts Ferry and, if it is installed, Mosquitto, one after the other, unless one of them or a running broker is named;
of that one only the process can tell more than times. --durable: the sessions outlive their connections.";

/// From one address of this machine; there are many.
pub(crate) const CONNECTIONS_PER_ADDRESS: usize = 20_000;

pub(crate) struct Options {
    pub(crate) connections: usize,
    pub(crate) subscriptions: usize,
    pub(crate) retained: usize,
    pub(crate) is_durable: bool,
    /// The brokers to be started.
    pub(crate) brokers: Vec<Contender>,
    pub(crate) against: Option<String>,
    /// The broker's process, if it is not ours.
    pub(crate) process: Option<u32>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let ferry = Contender::ferry;
        let mut options = Self {
            connections: 10_000,
            subscriptions: 0,
            retained: 0,
            is_durable: false,
            brokers: [ferry()].into_iter().chain(Contender::mosquitto()).collect(),
            against: None,
            process: None,
        };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            let number =
                |value: &String| value.parse::<u32>().map_err(|error| format!("{name} {value}: {error}"));
            match name.as_str() {
                "--connections" => options.connections = number(value()?)? as usize,
                "--subscriptions" => options.subscriptions = number(value()?)? as usize,
                "--retained" => options.retained = number(value()?)? as usize,
                "--durable" => options.is_durable = true,
                "--against" => options.against = Some(value()?.clone()),
                "--process" => options.process = Some(number(value()?)?),
                "ferry" => options.brokers = vec![ferry()],
                "mosquitto" => options.brokers = Vec::from_iter(Contender::mosquitto()),
                _ => return Err(format!("there is no {name}")),
            }
        }
        Ok(options)
    }
}
