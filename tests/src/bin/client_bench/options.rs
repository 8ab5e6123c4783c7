//! The command line.

use crate::library::Library;

pub(crate) const HELP: &str = "\
client-bench [--runs N] [--messages N] [--only LIBRARY]... [FILTER]

Says how much processor time a client needs for each message, with ferry-client and the libraries of others in turn, each
in a process of its own and with the same broker: medians of N (5) runs of N (200000) messages, a tenth of them with Python
and where each message waits for the one before. FILTER is a part of a scenario's name.
Libraries: ferry-client, ferry-client-v5, rumqttc, paho-c, paho-python; all but the second speak MQTT 3.1.1.
Without FILTER it also says how large a minimal publisher is.";

pub(crate) struct Options {
    pub(crate) runs: usize,
    pub(crate) messages: u64,
    pub(crate) libraries: Vec<Library>,
    pub(crate) filter: String,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { runs: 5, messages: 200_000, libraries: Vec::new(), filter: String::new() };
        let mut arguments = arguments.iter();
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            let number = |value: &String| {
                let number = value.parse::<u32>().ok().filter(|number| *number > 0);
                number.ok_or_else(|| format!("{name} needs a number"))
            };
            match name.as_str() {
                "--runs" => options.runs = number(value()?)? as usize,
                "--messages" => options.messages = number(value()?)?.into(),
                "--only" => {
                    let name = value()?;
                    let library = Library::find(name).ok_or_else(|| format!("there is no {name}"))?;
                    options.libraries.push(library);
                }
                _ if name.starts_with('-') => return Err(format!("there is no {name}")),
                _ => options.filter.clone_from(name),
            }
        }
        if options.libraries.is_empty() {
            options.libraries = Library::ALL.to_vec();
        }
        Ok(options)
    }
}
