//! The command line.

pub(crate) const HELP: &str = "\
many-connections [--connections COUNT] [--against HOST:PORT [--process ID]]

Opens COUNT (10000) connections with one subscription each, leaves them idle, and sends one message to each. Starts the
ferry binary unless a broker is named; its memory is told only if its process is.";

/// More need more than one address of this machine.
const CONNECTIONS_MAX: usize = 25_000;

pub(crate) struct Options {
    pub(crate) connections: usize,
    pub(crate) against: Option<String>,
    /// The broker's process, if it is not ours.
    pub(crate) process: Option<u32>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { connections: 10_000, against: None, process: None };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            let number = || value.parse::<u32>().map_err(|error| format!("{name} {value}: {error}"));
            match name.as_str() {
                "--connections" => options.connections = number()? as usize,
                "--against" => options.against = Some(value.clone()),
                "--process" => options.process = Some(number()?),
                _ => return Err(format!("there is no {name}")),
            }
        }
        if !(1..=CONNECTIONS_MAX).contains(&options.connections) {
            return Err(format!("--connections is from 1 to {CONNECTIONS_MAX}"));
        }
        Ok(options)
    }
}
