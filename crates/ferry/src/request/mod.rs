//! `ferry rr`.

mod arguments;

pub(crate) use arguments::RequestArguments;

use std::process::ExitCode;

use ferry_client::{Client, Filter, Message, ProtocolVersion, PublishError, SubscribeError};

use crate::client::{
    DefaultVersion, Ending, Reporter, Setup, check_topic_name, end_within, given_up, qos, run, stopped,
};
use crate::subscribe::{Printer, time_is_over};

/// Asks, and prints the answer.
pub(crate) fn request(arguments: &RequestArguments) -> ExitCode {
    let prepared = arguments.connection.setup(DefaultVersion::Newest, None).and_then(|setup| {
        let topic = arguments.topic(&setup).map_err(Ending::wrong_command_line)?;
        let payload = arguments.source.payload().map_err(Ending::failed)?;
        let message = arguments.message(topic, payload, &setup);
        Ok((setup, message))
    });
    match prepared {
        Ok((setup, message)) => run(arguments.connection.quiet, connect_and_ask(arguments, setup, message)),
        // Whoever has made a mistake is told, --quiet or not.
        Err(ending) => ending.tell(false),
    }
}

impl RequestArguments {
    fn topic<'a>(&'a self, setup: &'a Setup) -> Result<&'a str, String> {
        let topic = self.topic.as_ref().or(setup.topic.as_ref());
        let topic = topic.ok_or("there is no topic: -t, or at the end of the URL")?;
        check_topic_name(topic)?;
        check_topic_name(&self.response_topic)?;
        Ok(topic)
    }

    fn message(&self, topic: &str, payload: Vec<u8>, setup: &Setup) -> Message {
        let mut message = Message::new(topic, payload).qos(qos(self.qos));
        *message.properties_mut() = setup.properties.clone();
        message.response_topic(&self.response_topic)
    }
}

async fn connect_and_ask(arguments: &RequestArguments, setup: Setup, message: Message) -> Result<(), Ending> {
    let version = setup.options.connect.protocol_version;
    let client = Client::new(setup.options);
    Reporter::follow(&client, arguments.connection.debug, arguments.connection.quiet);
    let outcome = tokio::select! {
        // First, so that signals are caught before anything is told.
        biased;
        () = stopped() => Err(Ending::interrupted()),
        ending = given_up(&client) => Err(ending),
        outcome = ask(arguments, &client, version, message) => outcome,
        () = time_is_over(arguments.timeout) => Err(Ending::timed_out()),
    };
    end_within(&client, setup.disconnect).await;
    outcome
}

async fn ask(
    arguments: &RequestArguments,
    client: &Client,
    version: ProtocolVersion,
    message: Message,
) -> Result<(), Ending> {
    client.connect().await.map_err(|error| Ending::connection(&error, version))?;
    let filter = Filter::new(&arguments.response_topic).qos(qos(arguments.qos));
    let mut answers = match client.subscribe(filter).await {
        Ok(answers) => answers,
        Err(SubscribeError::Ended) => return Err(Ending::connection(&client.ended().await, version)),
        Err(error) => return Err(Ending::subscribed(&error)),
    };
    match client.publish(message).await {
        Ok(_) => {}
        Err(PublishError::Ended) => return Err(Ending::connection(&client.ended().await, version)),
        Err(error) => return Err(Ending::published(&error)),
    }
    loop {
        let Some(answer) = answers.recv().await else {
            return Err(Ending::connection(&client.ended().await, version));
        };
        if !(arguments.no_retained && answer.retain) {
            let mut printer = Printer::new(&arguments.form, arguments.connection.quiet);
            printer.print(answer)?;
            return printer.flush();
        }
    }
}
