//! `ferry pub`.

mod arguments;
mod lines;
mod publisher;
mod template;

pub(crate) use arguments::{PublishArguments, Source};

use std::io::{BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ferry_client::{Client, Message, ProtocolVersion};

use crate::client::{
    DefaultVersion, Ending, Reporter, Setup, Underway, check_topic_name, end_within, given_up, qos, run,
    stopped,
};
use crate::json_line::{JsonLine, JsonLines};
use crate::output;
use crate::progress::Progress;
use publisher::{Pace, Publisher};
use template::Template;

/// Publishes what the arguments say.
pub(crate) fn publish(arguments: &PublishArguments) -> ExitCode {
    let prepared = arguments.connection.setup(arguments.default_version(), None).and_then(|setup| {
        let topic = arguments.topic(&setup).map_err(Ending::wrong_command_line)?;
        let payload = arguments.payload()?;
        let message = arguments.message(topic, payload, &setup);
        arguments.templates(&message).map_err(Ending::wrong_command_line)?;
        Ok((setup, message))
    });
    match prepared {
        Ok((setup, message)) => {
            run(arguments.connection.quiet, connect_and_publish(arguments, setup, message))
        }
        // Whoever has made a mistake is told, --quiet or not.
        Err(ending) => ending.tell(false),
    }
}

impl PublishArguments {
    /// The topic; with `--json-lines` there is perhaps none.
    fn topic<'a>(&'a self, setup: &'a Setup) -> Result<&'a str, String> {
        let topic = self.topic.as_ref().or(setup.topic.as_ref());
        if let Some(topic) = topic {
            check_topic_name(topic)?;
        } else if !self.json_lines {
            return Err("there is no topic: -t, or at the end of the URL".to_owned());
        }
        Ok(topic.map_or("", String::as_str))
    }

    /// The payload; with lines and `--files` it comes later. That of a template is still as it is written.
    fn payload(&self) -> Result<Vec<u8>, Ending> {
        let text = self.source.payload().map_err(Ending::failed)?;
        if self.source.stdin_file && text.is_empty() {
            return Err(Ending::failed("standard input is empty; an empty message is -n"));
        }
        if self.template {
            return Ok(text);
        }
        let place = if self.source.message.is_some() {
            "-m".to_owned()
        } else if let Some(file) = &self.source.file {
            file.display().to_string()
        } else if self.source.stdin_file {
            "standard input".to_owned()
        } else {
            return Ok(text);
        };
        self.unwritten(text).map_err(|words| {
            let is_of_the_command_line = self.source.message.is_some();
            let ending = if is_of_the_command_line { Ending::wrong_command_line } else { Ending::failed };
            ending(format!("{place}: {words}"))
        })
    }

    /// What a text stands for by `--format`; without it, itself.
    fn unwritten(&self, text: Vec<u8>) -> Result<Vec<u8>, String> {
        match self.format {
            Some(format) => format.payload(text),
            None => Ok(text),
        }
    }

    fn message(&self, topic: &str, payload: Vec<u8>, setup: &Setup) -> Message {
        let mut message = Message::new(topic, payload).qos(qos(self.qos)).retain(self.retain);
        if setup.properties != ferry_client::Properties::default() {
            *message.properties_mut() = setup.properties.clone();
        }
        message
    }

    fn pace(&self) -> Pace {
        match self.rate {
            Some(rate) => Pace::Rate(rate),
            None if self.repeat_delay.is_zero() => Pace::AsFastAsPossible,
            None => Pace::Delay(self.repeat_delay),
        }
    }

    /// Bytes of payload that are to be published, if that is known.
    fn bytes(&self, message: &Message) -> Option<u64> {
        let is_other_than_the_files = !self.files.is_empty() && self.format.is_some();
        if self.stdin_line || self.json_lines || self.template || is_other_than_the_files {
            return None;
        }
        if self.files.is_empty() {
            return (message.payload.len() as u64).checked_mul(self.repeat);
        }
        let length = |file: &PathBuf| std::fs::metadata(file).ok().map(|metadata| metadata.len());
        self.files.iter().map(length).sum()
    }

    /// Bytes of the largest payload that is known before it is published.
    fn bytes_of_largest(&self, message: &Message) -> usize {
        let length = |file: &PathBuf| std::fs::metadata(file).ok().map(|metadata| metadata.len());
        let files = self.files.iter().filter_map(length).max().unwrap_or_default();
        message.payload.len().max(usize::try_from(files).unwrap_or(usize::MAX))
    }

    /// Topic and payload, if they are to be filled.
    fn templates(&self, message: &Message) -> Result<Option<(Template, Template)>, String> {
        if !self.template {
            return Ok(None);
        }
        let payload =
            message.text().map_err(|_| "the message is no text; --template needs one".to_owned())?;
        Ok(Some((message.topic.parse()?, payload.parse()?)))
    }

    /// Only in 5.0 there is all that a line of JSON can say.
    fn default_version(&self) -> DefaultVersion {
        if self.json_lines { DefaultVersion::Newest } else { DefaultVersion::Oldest }
    }
}

impl Source {
    /// The payload that the options name, `-l` apart.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, String> {
        if let Some(message) = &self.message {
            return Ok(message.as_bytes().to_vec());
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
        Ok(payload)
    }
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

/// More than topic and properties of a message on a command line take.
const PROPERTIES_BYTES_MAX: usize = 4 * 1024 * 1024;

async fn connect_and_publish(
    arguments: &PublishArguments,
    setup: Setup,
    message: Message,
) -> Result<(), Ending> {
    let version = setup.options.connect.protocol_version;
    let mut options = setup.options;
    let progress = Progress::new(arguments.connection.quiet);
    let written = Arc::new(AtomicU64::new(0));
    if progress.is_wanted() {
        options.transport.bytes_written = Some(Arc::clone(&written));
    }
    // A single message may have the whole size that the protocol allows.
    let largest = arguments.bytes_of_largest(&message).saturating_add(PROPERTIES_BYTES_MAX);
    options.connect.outgoing_bytes_max = options.connect.outgoing_bytes_max.max(largest);
    let client = Client::new(options);
    let following = Reporter::follow(&client, arguments.connection.debug, arguments.connection.quiet);
    let outcome = tokio::select! {
        // First, so that signals are caught before anything is told.
        biased;
        () = stopped() => Err(Ending::interrupted()),
        ending = given_up(&client) => Err(ending),
        outcome = publish_all(arguments, &client, version, message, Watched { progress, written }) => outcome,
    };
    end_within(&client, setup.disconnect).await;
    outcome?;
    match following.unconfirmed_qos0().await {
        0 => Ok(()),
        count => Err(Ending::perhaps_lost(count)),
    }
}

/// How far it is, and where that is shown.
struct Watched {
    progress: Progress,
    written: Arc<AtomicU64>,
}

async fn publish_all(
    arguments: &PublishArguments,
    client: &Client,
    version: ProtocolVersion,
    message: Message,
    watched: Watched,
) -> Result<(), Ending> {
    client.connect().await.map_err(|error| Ending::connection(&error, version))?;
    let underway = Underway::new(client, version);
    let Watched { progress, written } = watched;
    let bytes = arguments.bytes(&message);
    let mut publisher = Publisher::new(underway, arguments.pace(), progress, written, bytes);
    if arguments.stdin_line {
        publish_lines(arguments, &mut publisher, &message).await?;
    } else if arguments.json_lines {
        publish_json_lines(arguments, &mut publisher, &message).await?;
    } else if arguments.files.is_empty() {
        publish_repeatedly(arguments, &mut publisher, message).await?;
    } else {
        for file in &arguments.files {
            let text = read_file(file).map_err(Ending::failed)?;
            let payload = arguments.unwritten(text);
            let payload = payload.map_err(|words| Ending::failed(format!("{}: {words}", file.display())))?;
            publisher.publish(Message { payload, ..message.clone() }).await?;
        }
    }
    publisher.finish().await
}

/// What came before a line that is wrong is published.
async fn publish_lines(
    arguments: &PublishArguments,
    publisher: &mut Publisher<'_>,
    message: &Message,
) -> Result<(), Ending> {
    let mut lines = lines::of_standard_input();
    let mut number = 0;
    while let Some(line) = lines.recv().await {
        number += 1;
        match arguments.unwritten(line.map_err(|error| reading_failed(&error))?) {
            Ok(payload) => publisher.publish(Message { payload, ..message.clone() }).await?,
            Err(words) => {
                publisher.finish().await?;
                return Err(Ending::failed(format!(
                    "line {number}: {words}; the lines before it are published"
                )));
            }
        }
    }
    Ok(())
}

/// What came before a line that is wrong is published.
async fn publish_json_lines(
    arguments: &PublishArguments,
    publisher: &mut Publisher<'_>,
    defaults: &Message,
) -> Result<(), Ending> {
    let mut lines = JsonLines::new(BufReader::new(std::io::stdin()), arguments.format);
    while let Some(line) = lines.next().await.map_err(|error| reading_failed(&error))? {
        let message = line.content.and_then(|content| match content {
            JsonLine::Nothing => Ok(None),
            JsonLine::Message(message) => message.into_message(defaults).map(Some),
        });
        match message {
            Ok(None) => {}
            Ok(Some(message)) => publisher.publish(message).await?,
            Err(words) if arguments.skip_bad_lines => {
                if !arguments.connection.quiet {
                    output::note(format_args!("warning: line {}: {words}; left out", line.number));
                }
            }
            Err(words) => {
                publisher.finish().await?;
                return Err(Ending::failed(format!(
                    "line {}: {words}; the lines before it are published. Correct it, or say --skip-bad-lines",
                    line.number
                )));
            }
        }
    }
    Ok(())
}

async fn publish_repeatedly(
    arguments: &PublishArguments,
    publisher: &mut Publisher<'_>,
    message: Message,
) -> Result<(), Ending> {
    let templates = arguments.templates(&message).map_err(Ending::failed)?;
    for number in 1..arguments.repeat {
        publisher.publish(filled(arguments, message.clone(), templates.as_ref(), number)?).await?;
    }
    // The last one is the message itself: a large one is not copied.
    publisher.publish(filled(arguments, message, templates.as_ref(), arguments.repeat)?).await
}

/// The message of this number.
fn filled(
    arguments: &PublishArguments,
    mut message: Message,
    templates: Option<&(Template, Template)>,
    number: u64,
) -> Result<Message, Ending> {
    if let Some((topic, payload)) = templates {
        message.topic = topic.fill(number).map_err(Ending::failed)?;
        let text = payload.fill(number).map_err(Ending::failed)?.into_bytes();
        let payload = arguments.unwritten(text);
        message.payload = payload.map_err(|words| Ending::failed(format!("message {number}: {words}")))?;
    }
    Ok(message)
}

fn reading_failed(error: &std::io::Error) -> Ending {
    Ending::failed(format!("reading standard input: {error}"))
}
