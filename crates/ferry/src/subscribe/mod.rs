//! `ferry sub`.

mod arguments;
mod message_files;
mod printer;

pub(crate) use arguments::{FormArguments, SubscribeArguments};
pub(crate) use printer::{Printer, output_closed};

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use ferry_client::{Client, Filter, Message, ProtocolVersion, QoS, SubscribeError, Subscription};
use ferry_codec::DecodeLimits;
use ferry_codec::topic::{matches, validate_topic_filter};

use crate::client::{Ending, Reporter, Setup, end_within, qos, run, stopped};
use crate::output;

/// Subscribes and prints as the arguments say.
pub(crate) fn subscribe(arguments: &SubscribeArguments) -> ExitCode {
    let setup = arguments.connection.setup(arguments.default_version(), arguments.needs_v5());
    let prepared = setup.and_then(|setup| {
        let filters = arguments.filters(&setup).map_err(Ending::wrong_command_line)?;
        Ok((setup, filters))
    });
    match prepared {
        Ok((setup, filters)) => run(arguments.connection.quiet, connect_and_print(arguments, setup, filters)),
        // Whoever has made a mistake is told, --quiet or not.
        Err(ending) => ending.tell(false),
    }
}

impl SubscribeArguments {
    fn filters(&self, setup: &Setup) -> Result<Vec<Filter>, String> {
        let topics: Vec<&String> = setup.topic.iter().chain(&self.topic).collect();
        for filter in topics.iter().copied().chain(&self.unsubscribe).chain(&self.filter_out) {
            check_filter(filter)?;
        }
        if topics.is_empty() && self.unsubscribe.is_empty() {
            return Err("there is no topic: -t, or at the end of the URL".to_owned());
        }
        let filter = |topic: &String| {
            Filter::new(topic)
                .qos(qos(self.qos))
                .retain_as_published(self.retain_as_published)
                .retain_handling(self.retain_handling())
        };
        Ok(topics.into_iter().map(filter).collect())
    }
}

/// Says what is wrong with a topic filter.
pub(crate) fn check_filter(filter: &str) -> Result<(), String> {
    validate_topic_filter(filter, &DecodeLimits::UNLIMITED)
        .map_err(|error| format!("{filter:?} is not a topic filter: {error}"))
}

/// Waits until the time of `-W` is over.
pub(crate) async fn time_is_over(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

async fn connect_and_print(
    arguments: &SubscribeArguments,
    setup: Setup,
    filters: Vec<Filter>,
) -> Result<(), Ending> {
    let version = setup.options.connect.protocol_version;
    let client = Client::new(setup.options);
    Reporter::follow(&client, arguments.connection.debug, arguments.connection.quiet);
    let mut receiver = Receiver {
        arguments,
        // Before there is a connection: a session may begin with messages for earlier subscriptions.
        others: client.listen(()),
        wanted: None,
        client: &client,
        version,
        printer: Printer::new(&arguments.form, arguments.connection.quiet),
        left: arguments.count,
    };
    let outcome = tokio::select! {
        // First, so that signals are caught before anything is told.
        biased;
        () = stopped() => Ok(()),
        outcome = receiver.run(filters) => outcome,
        () = output_closed() => Ok(()),
        () = time_is_over(arguments.timeout) => Err(Ending::timed_out()),
    };
    // Before the streams are dropped: what they were not asked for stays with the server.
    end_within(&client, setup.disconnect).await;
    outcome
}

/// Takes messages until there have been enough.
struct Receiver<'a> {
    arguments: &'a SubscribeArguments,
    client: &'a Client,
    /// Messages that are not of the subscriptions made here.
    others: Subscription,
    /// Those of the subscriptions made here.
    wanted: Option<Subscription>,
    version: ProtocolVersion,
    printer: Printer,
    /// Messages of `-C` that are still to come.
    left: Option<u64>,
}

impl Receiver<'_> {
    async fn run(&mut self, filters: Vec<Filter>) -> Result<(), Ending> {
        self.client.connect().await.map_err(|error| Ending::connection(&error, self.version))?;
        if !filters.is_empty() {
            self.wanted = Some(self.subscribe(filters).await?);
        }
        if !self.arguments.unsubscribe.is_empty() {
            let answer = self.client.unsubscribe(self.arguments.unsubscribe.clone()).await;
            let codes = answer.map_err(|error| Ending::subscribed(&error))?;
            self.tell_refused("unsubscribing", &self.arguments.unsubscribe, &codes);
        }
        if self.arguments.exit_after_subscribing {
            return Ok(());
        }
        while self.receive().await?.is_continue() {}
        // What --remove-retained has published.
        let _ended = self.client.flush().await;
        Ok(())
    }

    async fn subscribe(&self, filters: Vec<Filter>) -> Result<Subscription, Ending> {
        match self.client.subscribe(filters).await {
            Ok(subscription) => {
                self.tell_refused("subscribing", subscription.filters(), subscription.reason_codes());
                if self.arguments.connection.debug {
                    let granted: Vec<_> =
                        subscription.reason_codes().iter().map(|code| code.code().to_string()).collect();
                    output::note(format_args!("subscribed: {}", granted.join(", ")));
                }
                Ok(subscription)
            }
            Err(SubscribeError::Ended) => Err(Ending::connection(&self.client.ended().await, self.version)),
            Err(error) => Err(Ending::subscribed(&error)),
        }
    }

    fn tell_refused(&self, what: &str, filters: &[String], codes: &[ferry_client::ReasonCode]) {
        for (filter, code) in filters.iter().zip(codes).filter(|(_, code)| code.is_error()) {
            if !self.arguments.connection.quiet {
                output::note(format_args!("warning: {what} {filter}: the server refuses: {}", code.name()));
            }
        }
    }

    /// Takes the messages that are there, after waiting for one.
    async fn receive(&mut self) -> Result<ControlFlow<()>, Ending> {
        // The others first: they have been sent before.
        let message = tokio::select! {
            biased;
            message = self.others.recv() => message,
            message = next_of(self.wanted.as_mut()) => message,
        };
        let mut next = message;
        if next.is_none() {
            return Err(Ending::connection(&self.client.ended().await, self.version));
        }
        while let Some(message) = next {
            if self.take(message).await?.is_break() || self.printer.is_closed() {
                self.printer.flush()?;
                return Ok(ControlFlow::Break(()));
            }
            next = self.others.try_recv().or_else(|| self.wanted.as_mut()?.try_recv());
        }
        self.printer.flush()?;
        let is_closed = self.printer.is_closed();
        Ok(if is_closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    async fn take(&mut self, message: Message) -> Result<ControlFlow<()>, Ending> {
        let arguments = self.arguments;
        if arguments.retained_only && !message.retain {
            return Ok(ControlFlow::Break(()));
        }
        if arguments.filter_out.iter().any(|filter| matches(filter, &message.topic)) {
            return Ok(ControlFlow::Continue(()));
        }
        if arguments.remove_retained && message.retain {
            self.remove(&message.topic).await?;
        }
        if arguments.no_retained && message.retain {
            return Ok(ControlFlow::Continue(()));
        }
        if is_chosen(arguments.random_filter) {
            self.printer.print(message)?;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Has the server forget a retained message. If it refuses, an event tells.
    async fn remove(&self, topic: &str) -> Result<(), Ending> {
        let removal = Message::new(topic, "").retain(true).qos(QoS::AtLeastOnce);
        if let Err((removal, _)) = self.client.try_publish(removal) {
            self.client.publish(removal).await.map_err(|error| Ending::published(&error))?;
        }
        Ok(())
    }
}

async fn next_of(subscription: Option<&mut Subscription>) -> Option<Message> {
    match subscription {
        Some(subscription) => subscription.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether chance has it printed.
fn is_chosen(percent: Option<f64>) -> bool {
    let Some(percent) = percent else { return true };
    let mut random = [0; 4];
    // Without random numbers all are printed.
    getrandom::fill(&mut random).is_err()
        || f64::from(u32::from_ne_bytes(random)) / (f64::from(u32::MAX) + 1.0) * 100.0 < percent
}
