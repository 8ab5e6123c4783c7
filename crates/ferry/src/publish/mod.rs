//! `ferry pub`.

mod arguments;
mod lines;

pub(crate) use arguments::{PublishArguments, Source};

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use ferry_client::{Client, Message, ProtocolVersion};

use crate::client::{
    DefaultVersion, Ending, Reporter, Setup, Underway, check_topic_name, end_within, qos, run, stopped,
};
use crate::output;

/// Publishes what the arguments say.
pub(crate) fn publish(arguments: &PublishArguments) -> ExitCode {
    let prepared = arguments.connection.setup(DefaultVersion::Oldest, None).and_then(|setup| {
        let message = arguments.message(&setup)?;
        Ok((setup, message))
    });
    match prepared {
        Ok((setup, message)) => {
            run(arguments.connection.quiet, connect_and_publish(arguments, setup, message))
        }
        Err(words) => output::failure(&words),
    }
}

impl PublishArguments {
    /// The message; with `-l` its payload is still missing.
    fn message(&self, setup: &Setup) -> Result<Message, String> {
        let topic = self.topic.as_ref().or(setup.topic.as_ref());
        let topic = topic.ok_or("there is no topic: -t, or at the end of the URL")?;
        check_topic_name(topic)?;
        let payload = if self.stdin_line { Vec::new() } else { self.source.payload()? };
        let mut message = Message::new(topic, payload).qos(qos(self.qos)).retain(self.retain);
        if setup.properties != ferry_client::Properties::default() {
            *message.properties_mut() = setup.properties.clone();
        }
        Ok(message)
    }
}

impl Source {
    /// The payload that the options name, `-l` apart.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, String> {
        if let Some(message) = &self.message {
            return Ok(message.clone().into_bytes());
        }
        if let Some(file) = &self.file {
            return read_file(file);
        }
        if !self.stdin_file {
            return Ok(Vec::new());
        }
        let mut payload = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut payload);
        read.map_err(|error| format!("reading standard input: {error}"))?;
        if payload.is_empty() {
            return Err("standard input is empty; an empty message is -n".to_owned());
        }
        Ok(payload)
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

async fn connect_and_publish(
    arguments: &PublishArguments,
    setup: Setup,
    message: Message,
) -> Result<(), Ending> {
    let version = setup.options.connect.protocol_version;
    let client = Client::new(setup.options);
    Reporter::follow(&client, arguments.connection.debug, arguments.connection.quiet);
    let outcome = tokio::select! {
        // First, so that signals are caught before anything is told.
        biased;
        () = stopped() => Ok(()),
        outcome = publish_all(arguments, &client, version, message) => outcome,
    };
    end_within(&client, setup.disconnect).await;
    outcome
}

async fn publish_all(
    arguments: &PublishArguments,
    client: &Client,
    version: ProtocolVersion,
    message: Message,
) -> Result<(), Ending> {
    client.connect().await.map_err(|error| Ending::connection(&error, version))?;
    let mut underway = Underway::new(client, version);
    if arguments.stdin_line {
        let mut lines = lines::of_standard_input();
        while let Some(line) = lines.recv().await {
            let payload = line.map_err(|error| Ending::failed(format!("reading standard input: {error}")))?;
            underway.publish(Message { payload, ..message.clone() }).await?;
        }
    } else {
        for number in 0..arguments.repeat {
            if number > 0 && !arguments.repeat_delay.is_zero() {
                tokio::time::sleep(arguments.repeat_delay).await;
            }
            underway.publish(message.clone()).await?;
        }
    }
    underway.finish().await
}
