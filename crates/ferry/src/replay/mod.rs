//! `ferry replay`.

mod arguments;
mod rewrite;
mod schedule;

pub(crate) use arguments::ReplayArguments;
pub(crate) use rewrite::Rewrite;
pub(crate) use schedule::Speed;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ferry_client::{Client, Message, ProtocolVersion};
use ferry_codec::topic::matches;
use tokio::time::Instant;

use crate::client::{
    DefaultVersion, Ending, Reporter, Setup, Underway, check_topic_name, end_within, given_up, qos, run,
    stopped,
};
use crate::json_line::{JsonLine, JsonLines, LineMessage, NumberedLine};
use crate::output;
use crate::progress::{Progress, clock, grouped, messages, percent};
use crate::subscribe::check_filter;
use schedule::Schedule;

/// Later than this, a message is not in time.
const LATE: Duration = Duration::from_secs(1);

/// Replays as the arguments say.
pub(crate) fn replay(arguments: &ReplayArguments) -> ExitCode {
    let prepared = arguments.connection.setup(DefaultVersion::Newest, None).and_then(|setup| {
        arguments.check(&setup).map_err(Ending::wrong_command_line)?;
        if !arguments.is_standard_input() {
            arguments.open().map_err(Ending::failed)?;
        }
        Ok(setup)
    });
    match prepared {
        Ok(setup) => run(arguments.connection.quiet, connect_and_replay(arguments, setup)),
        // Whoever has made a mistake is told, --quiet or not.
        Err(ending) => ending.tell(false),
    }
}

impl ReplayArguments {
    fn check(&self, setup: &Setup) -> Result<(), String> {
        for filter in self.topic.iter().chain(&self.filter_out) {
            check_filter(filter)?;
        }
        if setup.topic.is_some() {
            return Err("topics come from the recording; the URL has none. Others are made with --prefix and --rewrite"
                .to_owned());
        }
        if let Some(prefix) = &self.prefix {
            check_topic_name(prefix)?;
        }
        if self.is_standard_input() && self.rounds.is_some_and(|rounds| rounds != 1) {
            return Err("standard input can be read once: --loop needs a file".to_owned());
        }
        Ok(())
    }

    fn is_standard_input(&self) -> bool {
        self.file == Path::new("-")
    }

    /// The lines, and how many bytes there are, if that is known.
    fn open(&self) -> Result<(JsonLines, Option<u64>), String> {
        if self.is_standard_input() {
            return Ok((JsonLines::new(BufReader::new(io::stdin()), None), None));
        }
        let words = |error: io::Error| format!("{}: {error}", self.file.display());
        let file = File::open(&self.file).map_err(words)?;
        let metadata = file.metadata().map_err(words)?;
        let length = metadata.is_file().then_some(metadata.len());
        Ok((JsonLines::new(BufReader::with_capacity(64 * 1024, file), None), length))
    }

    fn wants(&self, topic: &str) -> bool {
        (self.topic.is_empty() || self.topic.iter().any(|filter| matches(filter, topic)))
            && !self.filter_out.iter().any(|filter| matches(filter, topic))
    }

    /// What is published for a message of the recording; `None` if it is not wanted.
    fn message(&self, line: LineMessage) -> Result<Option<Message>, String> {
        let mut message = line.into_message(&Message::default())?;
        if !self.wants(&message.topic) {
            return Ok(None);
        }
        if let Some(topic) = self.rewrite.iter().find_map(|rewrite| rewrite.apply(&message.topic)) {
            message.topic = topic;
        }
        if let Some(prefix) = &self.prefix {
            message.topic = format!("{}/{}", prefix.strip_suffix('/').unwrap_or(prefix), message.topic);
        }
        check_topic_name(&message.topic)?;
        message.qos = self.qos.map_or(message.qos, qos);
        message.retain &= !self.no_retain;
        Ok(Some(message))
    }
}

async fn connect_and_replay(arguments: &ReplayArguments, setup: Setup) -> Result<(), Ending> {
    let version = setup.options.connect.protocol_version;
    let quiet = arguments.connection.quiet;
    let client = Client::new(setup.options);
    let following = Reporter::follow(&client, arguments.connection.debug, quiet);
    let mut replay = Replay {
        arguments,
        schedule: Schedule::new(arguments.speed, arguments.gap_max),
        progress: Progress::new(quiet),
        messages: 0,
        late: Duration::ZERO,
    };
    let is_endless = arguments.rounds == Some(0);
    let outcome = tokio::select! {
        // First, so that signals are caught before anything is told.
        biased;
        () = stopped() => if is_endless { Ok(()) } else { Err(Ending::interrupted()) },
        ending = given_up(&client) => Err(ending),
        outcome = replay.run(&client, version) => outcome,
    };
    replay.progress.clear();
    end_within(&client, setup.disconnect).await;
    let unconfirmed = following.unconfirmed_qos0().await;
    if !quiet {
        let lost = match unconfirmed {
            0 => String::new(),
            count => format!(", of which the server may not have {} of QoS 0", grouped(count)),
        };
        output::note(format_args!("published {}{lost}", messages(replay.messages)));
        if replay.late > LATE {
            output::note(format_args!(
                "warning: the last were up to {} late: the server takes them more slowly",
                clock(replay.late)
            ));
        }
    }
    match unconfirmed {
        0 => outcome,
        count => outcome.and(Err(Ending::perhaps_lost(count))),
    }
}

/// A replay that is going on.
struct Replay<'a> {
    arguments: &'a ReplayArguments,
    schedule: Schedule,
    progress: Progress,
    messages: u64,
    /// How much too late a message was at most.
    late: Duration,
}

impl Replay<'_> {
    async fn run(&mut self, client: &Client, version: ProtocolVersion) -> Result<(), Ending> {
        client.connect().await.map_err(|error| Ending::connection(&error, version))?;
        let mut underway = Underway::new(client, version);
        let begun = Instant::now();
        let mut round = 0;
        loop {
            let before = self.messages;
            self.round(&mut underway, begun).await?;
            round += 1;
            // A recording without messages would go round for ever, and do nothing.
            if round == self.arguments.rounds.unwrap_or(1) || self.messages == before {
                return underway.finish().await;
            }
            self.schedule.next_round();
        }
    }

    async fn round(&mut self, underway: &mut Underway<'_>, begun: Instant) -> Result<(), Ending> {
        let (mut lines, length) = self.arguments.open().map_err(Ending::failed)?;
        while let Some(line) = lines.next().await.map_err(|error| self.failed(&error))? {
            let bytes_read = line.bytes_read;
            let Some(message) = self.message_of(line)? else { continue };
            let time = message.time;
            let number = message.number;
            let due = begun + self.schedule.due(time);
            let now = Instant::now();
            if now < due {
                underway.wait_until(due).await?;
            } else if self.arguments.speed != Speed::Max {
                self.late = self.late.max(now - due);
            }
            underway.publish(message.message).await.map_err(|ending| {
                ending.at(&format!("{}:{number} or a little before", self.arguments.file.display()))
            })?;
            self.messages += 1;
            let published = self.messages;
            self.progress.tell(|| {
                let part = length.map(|length| format!(", {}", percent(bytes_read, length)));
                format!(
                    "{} messages{}, {}",
                    grouped(published),
                    part.unwrap_or_default(),
                    clock(begun.elapsed())
                )
            });
        }
        Ok(())
    }

    /// The message of a line, if there is one to publish.
    fn message_of(&self, line: NumberedLine) -> Result<Option<Due>, Ending> {
        let number = line.number;
        let parsed = line.content.and_then(|content| match content {
            JsonLine::Nothing => Ok(None),
            JsonLine::Message(message) => {
                let time = message.time;
                Ok(self.arguments.message(*message)?.map(|message| Due { number, time, message }))
            }
        });
        let place = format!("{}:{number}", self.arguments.file.display());
        match parsed {
            Ok(message) => Ok(message),
            Err(_) if line.is_torn => {
                self.warn(&format!(
                    "{place}: the last line is torn, as the recording was cut off; it is left out"
                ));
                Ok(None)
            }
            Err(words) if self.arguments.skip_bad_lines => {
                self.warn(&format!("{place}: {words}; left out"));
                Ok(None)
            }
            Err(words) => Err(Ending::failed(format!(
                "{place}: {words}; correct or delete the line, or say --skip-bad-lines"
            ))),
        }
    }

    fn warn(&self, words: &str) {
        if !self.arguments.connection.quiet {
            output::note(format_args!("warning: {words}"));
        }
    }

    fn failed(&self, error: &io::Error) -> Ending {
        Ending::failed(format!("{}: {error}", self.arguments.file.display()))
    }
}

/// A message that is to be published.
struct Due {
    /// Of its line.
    number: u64,
    time: Option<jiff::Timestamp>,
    message: Message,
}
