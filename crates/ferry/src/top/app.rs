use std::collections::HashSet;
use std::time::Duration;

use ferry_client::{Message, QoS};

use super::figures::{Counter, Figures};
use super::payload_view::PayloadView;
use super::publish_form::PublishForm;
use super::topics::{Row, Topic, Topics};

/// Everything that is shown, and nothing of how.
#[derive(Debug)]
pub(super) struct App {
    /// Where it is connected to.
    pub(super) server: String,
    pub(super) status: Status,
    pub(super) topics: Topics,
    /// Those below `$SYS`, for which there is always room.
    pub(super) system: Topics,
    pub(super) figures: Figures,
    pub(super) received: Counter,
    pub(super) sent: Counter,
    /// Since the beginning.
    pub(super) now: Duration,
    /// When rates were told last.
    ticked: Duration,
    pub(super) mode: Mode,
    pub(super) filter: String,
    /// The path of the line that is chosen.
    pub(super) selected: Option<String>,
    /// Levels whose topics are not shown.
    pub(super) collapsed: HashSet<String>,
    pub(super) payload_view: PayloadView,
    /// Lines of the payload that are above what is seen.
    pub(super) payload_scroll: usize,
    /// What has just happened.
    pub(super) notice: Option<String>,
    /// What comes does not change what is shown.
    pub(super) is_paused: bool,
    /// Messages that came meanwhile.
    pub(super) unseen: u64,
    /// Lines of the tree that are seen at a time, as it was drawn last.
    pub(super) page: usize,
}

/// The connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Connected,
    /// Why not, and that it is tried again.
    Disconnected(String),
}

/// What the keys are for.
#[derive(Debug)]
pub(super) enum Mode {
    Browse,
    /// A filter is written; with the one before.
    Filter(String),
    Publish(PublishForm),
    Help,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Publish(Box<Message>),
}

/// Bytes that are kept of all topics together.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Topics below `$SYS`, and bytes of them.
const SYSTEM_TOPICS_MAX: usize = 2_000;
const SYSTEM_BYTES_MAX: usize = 4 * 1024 * 1024;

const SYSTEM: &str = "$SYS";

/// There are no rates of less time.
const RATE_SECONDS_MIN: f64 = 0.5;

impl App {
    pub(super) fn new(server: String, topics_max: usize) -> Self {
        Self {
            server,
            status: Status::Connected,
            topics: Topics::new(topics_max, BYTES_MAX),
            system: Topics::new(SYSTEM_TOPICS_MAX, SYSTEM_BYTES_MAX),
            figures: Figures::default(),
            received: Counter::default(),
            sent: Counter::default(),
            now: Duration::ZERO,
            ticked: Duration::ZERO,
            mode: Mode::Browse,
            filter: String::new(),
            selected: None,
            // There are many of them, and most people look for their own.
            collapsed: HashSet::from([SYSTEM.to_owned()]),
            payload_view: PayloadView::default(),
            payload_scroll: 0,
            notice: None,
            is_paused: false,
            unseen: 0,
            page: 1,
        }
    }

    /// A message has come.
    pub(super) fn take(&mut self, message: Message) {
        let is_system = message.topic.split('/').next() == Some(SYSTEM);
        if is_system {
            self.take_system(message);
            return;
        }
        self.figures.count(message.payload.len());
        if self.is_paused {
            self.unseen += 1;
        } else {
            self.topics.take(message, self.now);
        }
    }

    fn take_system(&mut self, message: Message) {
        let value = message.text().ok().and_then(|text| text.parse().ok());
        let counter = match message.topic.as_str() {
            "$SYS/broker/publish/messages/received" => Some(&mut self.received),
            "$SYS/broker/publish/messages/sent" => Some(&mut self.sent),
            _ => None,
        };
        if let (Some(counter), Some(value)) = (counter, value) {
            counter.told(value, self.now);
        }
        self.system.take(message, self.now);
    }

    /// Time has gone by, up to `now`.
    pub(super) fn tick(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.ticked).as_secs_f64();
        self.now = now;
        // What comes in a moment, such as all that is retained, would be an absurd rate: it belongs to the next one.
        if seconds < RATE_SECONDS_MIN {
            return;
        }
        self.ticked = now;
        self.figures.tick(seconds);
        self.topics.tick(seconds);
        self.system.tick(seconds);
    }

    /// The lines of the tree.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = self.system.rows(&self.filter, &self.collapsed);
        rows.extend(self.topics.rows(&self.filter, &self.collapsed));
        rows
    }

    /// The number of the chosen line: the one that was chosen, or the one that is in its place.
    pub(super) fn selected_row(&self, rows: &[Row]) -> usize {
        let Some(selected) = &self.selected else { return 0 };
        rows.iter().position(|row| row.path == *selected).unwrap_or_else(|| {
            // It is not seen: the level that it is below, if that is.
            let is_above =
                |row: &Row| selected.strip_prefix(&row.path).is_some_and(|rest| rest.starts_with('/'));
            rows.iter().rposition(is_above).unwrap_or(0)
        })
    }

    /// The topic of the chosen line, if there have been messages on it.
    pub(super) fn selected_topic<'a>(&'a self, rows: &'a [Row]) -> Option<(&'a str, &'a Topic)> {
        let path = rows.get(self.selected_row(rows))?.path.as_str();
        let topic = self.topics.get(path).or_else(|| self.system.get(path))?;
        Some((path, topic))
    }

    /// Moves the choice by so many lines.
    pub(super) fn select_by(&mut self, distance: isize) {
        let rows = self.rows();
        let target =
            self.selected_row(&rows).saturating_add_signed(distance).min(rows.len().saturating_sub(1));
        self.select(rows.get(target));
    }

    pub(super) fn select(&mut self, row: Option<&Row>) {
        let path = row.map(|row| row.path.clone());
        if path != self.selected {
            self.payload_scroll = 0;
            self.selected = path;
        }
    }

    /// Closes the chosen level, or goes to the one above.
    pub(super) fn close(&mut self) {
        let rows = self.rows();
        let Some(row) = rows.get(self.selected_row(&rows)) else { return };
        if row.has_children && !row.is_collapsed {
            self.collapsed.insert(row.path.clone());
            self.select(Some(row));
        } else if let Some(depth) = row.depth.checked_sub(1) {
            let at = self.selected_row(&rows);
            let above = rows[..at].iter().rposition(|row| row.depth == depth);
            self.select(above.map(|above| &rows[above]));
        }
    }

    /// Opens the chosen level.
    pub(super) fn open(&mut self) {
        let rows = self.rows();
        if let Some(row) = rows.get(self.selected_row(&rows)) {
            self.collapsed.remove(&row.path);
            self.select(Some(row));
        }
    }

    /// Opens the chosen level if it is closed, else closes it.
    pub(super) fn toggle(&mut self) {
        let rows = self.rows();
        match rows.get(self.selected_row(&rows)) {
            Some(row) if row.is_collapsed => self.open(),
            Some(row) if row.has_children => self.close(),
            _ => {}
        }
    }

    pub(super) fn begin_publish(&mut self) {
        let rows = self.rows();
        // Nobody but the broker publishes below $SYS.
        let row = rows.get(self.selected_row(&rows)).filter(|row| !row.path.starts_with('$'));
        let topic = row.map_or(String::new(), |row| row.path.clone());
        self.mode = Mode::Publish(PublishForm::new(topic));
    }

    pub(super) fn toggle_pause(&mut self) {
        self.is_paused = !self.is_paused;
        self.unseen = 0;
    }

    /// What was published has been taken by the server, or refused.
    pub(super) fn published(&mut self, topic: &str, qos: QoS, result: Result<(), String>) {
        self.notice = Some(match result {
            Ok(()) if qos == QoS::AtMostOnce => format!("published to {topic}"),
            Ok(()) => format!("published to {topic}, and acknowledged"),
            Err(words) => format!("not published to {topic}: {words}"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(names: &[&str]) -> App {
        let mut app = App::new("here".to_owned(), 100);
        names.iter().for_each(|name| app.take(Message::new(*name, "1")));
        app
    }

    fn selected(app: &App) -> String {
        let rows = app.rows();
        rows[app.selected_row(&rows)].path.clone()
    }

    #[test]
    fn the_choice_moves_and_stays() {
        let mut app = app(&["b", "a/x/1", "$SYS/broker/version"]);
        assert_eq!(selected(&app), "$SYS");
        app.select_by(3);
        assert_eq!(selected(&app), "a/x/1");
        // What comes before it does not move it.
        app.take(Message::new("a/w", "1"));
        assert_eq!(selected(&app), "a/x/1");
        app.select_by(100);
        assert_eq!(selected(&app), "b");
        app.select_by(-100);
        assert_eq!(selected(&app), "$SYS");
        app.toggle();
        app.select_by(1);
        assert_eq!(selected(&app), "$SYS/broker");
        app.close();
        app.close();
        assert_eq!((selected(&app), app.rows().len()), ("$SYS".to_owned(), 7));
    }

    #[test]
    fn levels_open_and_close() {
        let mut app = app(&["a/x/1", "a/y"]);
        app.select_by(2);
        assert_eq!(selected(&app), "a/x/1");
        app.close();
        assert_eq!(selected(&app), "a/x");
        app.close();
        assert_eq!((selected(&app), app.rows().len()), ("a/x".to_owned(), 3));
        app.close();
        app.toggle();
        assert_eq!((selected(&app), app.rows().len()), ("a".to_owned(), 1));
        app.open();
        assert_eq!(app.rows().len(), 3);
        // What is filtered out is not seen: the level above is.
        app.select_by(2);
        assert_eq!(selected(&app), "a/y");
        app.filter = "x".to_owned();
        assert_eq!(selected(&app), "a");
    }

    #[test]
    fn counters_of_the_broker_have_rates() {
        let mut app = app(&[]);
        let received = "$SYS/broker/publish/messages/received";
        app.take(Message::new(received, "10"));
        app.tick(Duration::from_secs(10));
        app.take(Message::new(received, "40"));
        assert_eq!(app.received.rate, Some(3.0));
        assert_eq!(app.figures.messages, 0, "what the broker tells of itself is no traffic");
    }

    #[test]
    fn a_moment_has_no_rate() {
        let mut app = app(&["a", "b", "c"]);
        app.tick(Duration::from_millis(1));
        assert_eq!(app.figures.rates(), (0.0, 0.0));
        app.tick(Duration::from_secs(1));
        assert_eq!(app.figures.rates().0, 3.0);
        app.take(Message::new("a", "2"));
        app.tick(Duration::from_millis(1_001));
        app.tick(Duration::from_secs(2));
        assert_eq!(app.figures.rates().0, 2.0, "3 and 1");
    }

    #[test]
    fn what_comes_in_a_pause_is_counted_only() {
        let mut app = app(&["a"]);
        app.toggle_pause();
        app.take(Message::new("a", "2"));
        app.take(Message::new("b", "2"));
        assert_eq!((app.topics.len(), app.unseen, app.figures.messages), (1, 2, 3));
        app.toggle_pause();
        app.take(Message::new("b", "2"));
        assert_eq!((app.topics.len(), app.unseen), (2, 0));
    }
}
