//! `ferry top`.

mod app;
mod arguments;
mod draw;
mod figures;
mod keys;
mod payload_view;
mod publish_form;
mod topics;

pub(crate) use arguments::TopArguments;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use ferry_client::{Client, ConnectionError, Event, Events, Filter, Message, ProtocolVersion, Subscription};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyEventKind};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::client::{DefaultVersion, Ending, Setup, end_within, qos, run, stopped};
use crate::output;
use crate::subscribe::check_filter;
use app::{Action, App, Status};

/// How often rates are told.
const TICK: Duration = Duration::from_secs(1);

/// The screen is drawn no more often than that.
const FRAME: Duration = Duration::from_millis(100);

/// Messages that are taken before the keys and the screen have their turn.
const MESSAGES_AT_ONCE: usize = 5_000;

/// Shows a broker until it is told to end.
pub(crate) fn top(arguments: &TopArguments) -> ExitCode {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return output::failure(&"ferry top needs a terminal; in a script `ferry sub` prints messages");
    }
    let prepared = arguments.connection.setup(DefaultVersion::Newest, None).and_then(|setup| {
        let filters = arguments.filters(&setup)?;
        Ok((setup, filters))
    });
    match prepared {
        Ok((setup, filters)) => run(arguments.connection.quiet, connect_and_show(arguments, setup, filters)),
        Err(words) => output::failure(&words),
    }
}

impl TopArguments {
    fn filters(&self, setup: &Setup) -> Result<Vec<Filter>, String> {
        let mut filters: Vec<&str> = setup.topic.iter().chain(&self.topic).map(String::as_str).collect();
        if filters.is_empty() {
            filters.push("#");
        }
        filters.iter().try_for_each(|filter| check_filter(filter))?;
        Ok(filters.into_iter().map(|filter| Filter::new(filter).qos(qos(self.qos))).collect())
    }
}

async fn connect_and_show(
    arguments: &TopArguments,
    setup: Setup,
    filters: Vec<Filter>,
) -> Result<(), Ending> {
    let version = setup.options.connect.protocol_version;
    let client = Client::new(setup.options);
    let events = client.events();
    client.connect().await.map_err(|error| Ending::connection(&error, version))?;
    let wanted = client.subscribe(filters).await.map_err(|error| Ending::subscribed(&error))?;
    // A broker may have none, or not let us see it.
    let system = client.subscribe(Filter::new("$SYS/#").qos(qos(0))).await.ok();
    let topics_max = usize::try_from(arguments.topics_max).unwrap_or(usize::MAX);
    let terminal = ratatui::try_init().map_err(|error| Ending::failed(format!("the terminal: {error}")))?;
    let (publisher, published) = mpsc::unbounded_channel();
    let screen = Screen {
        app: App::new(setup.server, topics_max),
        terminal,
        client: &client,
        version,
        begun: Instant::now(),
        publisher,
    };
    let outcome = screen.show(Sources { events, wanted, system, published }).await;
    ratatui::restore();
    end_within(&client, setup.disconnect).await;
    outcome
}

/// What became of a message.
type Outcome = (Message, Result<(), String>);

/// Where news comes from.
struct Sources {
    events: Events,
    wanted: Subscription,
    system: Option<Subscription>,
    published: UnboundedReceiver<Outcome>,
}

/// The terminal, and what is on it.
struct Screen<'a> {
    app: App,
    terminal: DefaultTerminal,
    client: &'a Client,
    version: ProtocolVersion,
    begun: Instant,
    publisher: UnboundedSender<Outcome>,
}

impl Screen<'_> {
    async fn show(mut self, mut sources: Sources) -> Result<(), Ending> {
        let mut keys = terminal_events();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let is_stopped = stopped();
        tokio::pin!(is_stopped);
        let mut drawn: Option<Instant> = None;
        let mut is_changed = true;
        loop {
            let due = drawn.map_or(self.begun, |drawn| drawn + FRAME);
            tokio::select! {
                biased;
                () = &mut is_stopped => return Ok(()),
                key = keys.recv() => match key {
                    Some(event) => if self.handle(&event) { return Ok(()) },
                    None => return Err(Ending::failed("the terminal is gone")),
                },
                () = sleep_until(due.into()), if is_changed => {
                    self.draw()?;
                    drawn = Some(Instant::now());
                    is_changed = false;
                    continue;
                }
                _ = tick.tick() => self.app.tick(self.begun.elapsed()),
                Some(event) = sources.events.recv() => self.tell(event),
                Some((message, result)) = sources.published.recv() => {
                    self.app.published(&message.topic, message.qos, result);
                }
                message = sources.wanted.recv() => match message {
                    Some(message) => self.take(message, &mut sources.wanted),
                    None => return Err(Ending::connection(&self.client.ended().await, self.version)),
                },
                Some(message) = next_of(sources.system.as_mut()) => {
                    if let Some(system) = &mut sources.system {
                        self.take(message, system);
                    }
                }
            }
            is_changed = true;
        }
    }

    fn draw(&mut self) -> Result<(), Ending> {
        let drawn = self.terminal.draw(|frame| draw::draw(frame, &mut self.app));
        drawn.map(drop).map_err(|error| Ending::failed(format!("the terminal: {error}")))
    }

    /// Whether it is to end.
    fn handle(&mut self, event: &TerminalEvent) -> bool {
        let TerminalEvent::Key(key) = event else { return false };
        if key.kind == KeyEventKind::Release {
            return false;
        }
        match self.app.press(*key) {
            None => false,
            Some(Action::Quit) => true,
            Some(Action::Publish(message)) => {
                let (outcome, publisher) = (self.client.publish((*message).clone()), self.publisher.clone());
                tokio::spawn(async move {
                    let result = outcome.await.map(drop).map_err(|error| error.to_string());
                    // Nobody listens any more at the end.
                    let _unheard = publisher.send((*message, result));
                });
                false
            }
        }
    }

    fn take(&mut self, message: Message, more: &mut Subscription) {
        self.app.now = self.begun.elapsed();
        let mut next = Some(message);
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(message) = next else { return };
            self.app.take(message);
            next = more.try_recv();
        }
        if let Some(message) = next {
            self.app.take(message);
        }
    }

    fn tell(&mut self, event: Event) {
        match event {
            Event::Connected(_) => self.app.status = Status::Connected,
            Event::Disconnected { reason: ConnectionError::Ended, .. } => {}
            Event::Disconnected { reason, .. } => {
                self.app.status = Status::Disconnected(format!("not connected: {reason}; trying again"));
            }
            Event::Overflowed { .. } => {
                self.app.notice = Some("messages were lost: more come than can be shown".to_owned());
            }
            _ => {}
        }
    }
}

async fn next_of(subscription: Option<&mut Subscription>) -> Option<Message> {
    match subscription {
        Some(subscription) => subscription.recv().await,
        None => std::future::pending().await,
    }
}

/// Keys and changes of the size, read by a thread that waits with the process; the end of the process does not wait for it.
fn terminal_events() -> UnboundedReceiver<TerminalEvent> {
    let (sender, events) = mpsc::unbounded_channel();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    events
}
