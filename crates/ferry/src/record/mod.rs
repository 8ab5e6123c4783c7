//! `ferry record`.

mod arguments;
mod recording_file;

pub(crate) use arguments::RecordArguments;

use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ferry_client::{Client, Filter, Message, ProtocolVersion, RetainHandling, Subscription};
use ferry_codec::topic::matches;
use jiff::{SignedDuration, Timestamp};

use crate::client::{DefaultVersion, Ending, Reporter, Setup, end_within, qos, run, stopped};
use crate::output;
use crate::progress::{Progress, clock, grouped, size};
use crate::subscribe::{check_filter, output_closed};
use recording_file::RecordingFile;

/// Records as the arguments say.
pub(crate) fn record(arguments: &RecordArguments) -> ExitCode {
    let prepared = arguments.connection.setup(DefaultVersion::Newest, None).and_then(|setup| {
        let filters = arguments.filters(&setup).map_err(Ending::wrong_command_line)?;
        let file =
            RecordingFile::open(arguments).map_err(|error| Ending::failed(arguments.words_of(&error)))?;
        Ok((setup, filters, file))
    });
    match prepared {
        Ok((setup, filters, file)) => {
            run(arguments.connection.quiet, connect_and_record(arguments, setup, filters, file))
        }
        // Whoever has made a mistake is told, --quiet or not.
        Err(ending) => ending.tell(false),
    }
}

impl RecordArguments {
    fn filters(&self, setup: &Setup) -> Result<Vec<String>, String> {
        let mut filters: Vec<String> = setup.topic.iter().chain(&self.topic).cloned().collect();
        for filter in filters.iter().chain(&self.filter_out) {
            check_filter(filter)?;
        }
        if filters.is_empty() {
            filters.push("#".to_owned());
        }
        Ok(filters)
    }

    fn is_to_standard_output(&self) -> bool {
        self.file == Path::new("-")
    }

    fn words_of(&self, error: &io::Error) -> String {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; --append writes at its end, --overwrite replaces it",
            _ => "",
        };
        format!("{}: {error}{remedy}", self.file.display())
    }

    fn filter(&self, topic: &str) -> Filter {
        let retained =
            if self.no_retained { RetainHandling::DoNotSend } else { RetainHandling::SendAtSubscribe };
        Filter::new(topic).qos(qos(self.qos)).retain_as_published(true).retain_handling(retained)
    }
}

async fn connect_and_record(
    arguments: &RecordArguments,
    setup: Setup,
    filters: Vec<String>,
    file: RecordingFile,
) -> Result<(), Ending> {
    let version = setup.options.connect.protocol_version;
    let quiet = arguments.connection.quiet;
    let client = Client::new(setup.options);
    Reporter::follow(&client, arguments.connection.debug, quiet);
    // Before there is a connection: a session may begin with messages for earlier subscriptions.
    let mut others = client.listen(());
    let mut wanted = None;
    let mut recorder =
        Recorder { arguments, version, file, messages: 0, begun: Instant::now(), time: Timestamp::now() };
    let mut progress = Progress::new(quiet);
    let outcome = tokio::select! {
        // First, so that signals are caught before anything is told.
        biased;
        () = stopped() => Ok(()),
        outcome = recorder.run(&client, (&mut others, &mut wanted), &filters, &mut progress) => outcome,
        () = closed(arguments) => Ok(()),
        () = time_is_over(arguments.duration) => Ok(()),
    };
    progress.clear();
    let written = match &outcome {
        Ok(()) => recorder.file.replace().and_then(|()| recorder.file.flush()),
        Err(_) => recorder.file.flush(),
    };
    let written = written.map_err(|error| recorder.failed(&error));
    if outcome.is_err() {
        recorder.file.discard_if_empty();
    }
    // Before the streams are dropped: what they were not asked for stays with the server.
    end_within(&client, setup.disconnect).await;
    drop((others, wanted));
    if !quiet {
        output::note(format_args!("recorded {}", recorder.summary()));
    }
    outcome.and(written)
}

async fn closed(arguments: &RecordArguments) {
    if arguments.is_to_standard_output() { output_closed().await } else { std::future::pending().await }
}

async fn time_is_over(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Takes messages, and writes them.
struct Recorder<'a> {
    arguments: &'a RecordArguments,
    version: ProtocolVersion,
    file: RecordingFile,
    messages: u64,
    begun: Instant,
    /// When it began. Later times are counted from here, so that they never go back.
    time: Timestamp,
}

impl Recorder<'_> {
    async fn run(
        &mut self,
        client: &Client,
        (others, wanted): (&mut Subscription, &mut Option<Subscription>),
        filters: &[String],
        progress: &mut Progress,
    ) -> Result<(), Ending> {
        client.connect().await.map_err(|error| Ending::connection(&error, self.version))?;
        let asked: Vec<Filter> = filters.iter().map(|filter| self.arguments.filter(filter)).collect();
        self.file.write_header(self.now(), filters).map_err(|error| self.failed(&error))?;
        let subscribed = client.subscribe(asked).await;
        let wanted = wanted.insert(subscribed.map_err(|error| Ending::subscribed(&error))?);
        for (filter, code) in wanted.filters().iter().zip(wanted.reason_codes()) {
            if code.is_error() && !self.arguments.connection.quiet {
                output::note(format_args!(
                    "warning: subscribing {filter}: the server refuses: {}",
                    code.name()
                ));
            }
        }
        if !self.arguments.connection.quiet {
            output::note(format_args!(
                "recording {} to {}",
                filters.join(", "),
                self.arguments.file.display()
            ));
        }
        loop {
            // The others first: they have been sent before.
            let mut next = tokio::select! {
                biased;
                message = others.recv() => message,
                message = wanted.recv() => message,
            };
            if next.is_none() {
                return Err(Ending::connection(&client.ended().await, self.version));
            }
            while let Some(message) = next {
                if self.take(&message)?.is_break() {
                    return Ok(());
                }
                progress.tell(|| self.summary());
                next = others.try_recv().or_else(|| wanted.try_recv());
            }
            // Whoever reads the file while it grows sees what there is, and a crash takes as little as possible.
            self.file.flush().map_err(|error| self.failed(&error))?;
        }
    }

    fn take(&mut self, message: &Message) -> Result<ControlFlow<()>, Ending> {
        let arguments = self.arguments;
        if arguments.filter_out.iter().any(|filter| matches(filter, &message.topic)) {
            return Ok(ControlFlow::Continue(()));
        }
        // Before MQTT 5.0 the server cannot be asked not to send them.
        if arguments.no_retained && message.retain && self.version.is_v3() {
            return Ok(ControlFlow::Continue(()));
        }
        let time = self.now();
        self.file.write(message, time).map_err(|error| self.failed(&error))?;
        self.messages += 1;
        let is_enough = arguments.count.is_some_and(|count| self.messages >= count);
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.begun.elapsed()).unwrap_or(SignedDuration::MAX);
        self.time.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    fn failed(&self, error: &io::Error) -> Ending {
        Ending::failed(format!("{}: {error}", self.arguments.file.display()))
    }

    fn summary(&self) -> String {
        let torn = match self.file.torn_bytes {
            0 => String::new(),
            bytes => format!("; {} of a torn line at the end of the file were cut off", size(bytes)),
        };
        format!(
            "{} messages, {}, in {}{torn}",
            grouped(self.messages),
            size(self.file.bytes),
            clock(self.begun.elapsed())
        )
    }
}
