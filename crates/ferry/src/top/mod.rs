//! `ferry top`.

mod app;
mod arguments;
mod draw;
mod figures;
mod keys;
mod payload_view;
mod publish_form;
mod terminal_output;
mod topics;

pub(crate) use arguments::TopArguments;

use std::io::{self, IsTerminal};
use std::panic;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use ferry_client::{Client, ConnectionError, Event, Events, Filter, Message, ProtocolVersion, Subscription};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event as TerminalEvent, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use crate::client::{DefaultVersion, Ending, Setup, end_within, qos, run, stopped};
use crate::subscribe::check_filter;
use app::{Action, App, Status};
use terminal_output::TerminalOutput;

/// How often rates are told.
const TICK: Duration = Duration::from_secs(1);

/// The screen is drawn no more often than that.
const FRAME: Duration = Duration::from_millis(100);

/// How long the terminal may take to be as it was. One that takes nothing any more is left as it is.
const RESTORED: Duration = Duration::from_secs(1);

/// Messages that are taken before the keys and the screen have their turn.
const MESSAGES_AT_ONCE: usize = 5_000;

/// Shows a broker until it is told to end.
pub(crate) fn top(arguments: &TopArguments) -> ExitCode {
    let prepared = arguments.connection.setup(DefaultVersion::Newest, None).and_then(|setup| {
        let filters = arguments.filters(&setup).map_err(Ending::wrong_command_line)?;
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let words = "ferry top needs a terminal; in a script `ferry sub` prints messages";
            return Err(Ending::failed(words));
        }
        Ok((setup, filters))
    });
    match prepared {
        Ok((setup, filters)) => run(arguments.connection.quiet, connect_and_show(arguments, setup, filters)),
        // Whoever has made a mistake is told, --quiet or not.
        Err(ending) => ending.tell(false),
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
    let output = prepare_terminal().map_err(|error| of_terminal(&error))?;
    let terminal = Terminal::new(CrosstermBackend::new(output.clone()));
    let terminal = terminal.map_err(|error| of_terminal(&error))?;
    let (publisher, published) = mpsc::unbounded_channel();
    let screen = Screen {
        app: App::new(setup.server, topics_max),
        terminal,
        output: output.clone(),
        client: &client,
        version,
        begun: Instant::now(),
        publisher,
    };
    let outcome = screen.show(Sources { events, wanted, system, published }).await;
    let is_restored = restore_terminal(output).await;
    end_within(&client, setup.disconnect).await;
    // Words would wait for ever on a terminal that takes nothing.
    outcome.map_err(|ending| if is_restored { ending } else { ending.without_words() })
}

/// A screen of its own, on which keys come as they are pressed.
fn prepare_terminal() -> io::Result<TerminalOutput> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // If it is gone there is nothing to be done about it.
        let _gone = ratatui::try_restore();
        hook(info);
    }));
    enable_raw_mode()?;
    let mut output = TerminalOutput::start()?;
    execute!(output, EnterAlternateScreen)?;
    Ok(output)
}

/// The terminal as it was; false if it takes nothing any more.
async fn restore_terminal(mut output: TerminalOutput) -> bool {
    // There is nothing to be done about a terminal that is gone.
    let _gone = disable_raw_mode();
    let _kept = execute!(output, LeaveAlternateScreen, Show);
    timeout(RESTORED, output.written()).await.is_ok_and(|written| written.is_ok())
}

fn of_terminal(error: &io::Error) -> Ending {
    Ending::failed(format!("the terminal: {error}"))
}

/// Waits for Ctrl-C, SIGTERM, or SIGHUP: the window is closed.
async fn told_to_end() {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return stopped().await };
    tokio::select! {
        () = stopped() => {}
        _ = hangup.recv() => {}
    }
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
    terminal: Terminal<CrosstermBackend<TerminalOutput>>,
    output: TerminalOutput,
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
        let is_stopped = told_to_end();
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
                written = drawable(&self.output, due), if is_changed => {
                    written.and_then(|()| self.draw()).map_err(|error| of_terminal(&error))?;
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

    fn draw(&mut self) -> io::Result<()> {
        self.terminal.draw(|frame| draw::draw(frame, &mut self.app)).map(drop)
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

/// Waits until it is time to draw, and the terminal has all that was drawn before.
async fn drawable(output: &TerminalOutput, due: Instant) -> io::Result<()> {
    sleep_until(due.into()).await;
    output.written().await
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
