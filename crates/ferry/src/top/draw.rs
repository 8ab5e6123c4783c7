use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Sparkline};

use super::app::{App, Mode, Status};
use super::figures::rate_text;
use super::payload_view::printable;
use super::publish_form::{Place, PublishForm};
use super::topics::{KEPT_BYTES_MAX, Row, Topic};
use crate::progress::{clock, grouped, size};

/// A payload beside its topic is cut to this.
const PREVIEW_BYTES_MAX: usize = 200;

const QUIET: Style = Style::new().fg(Color::DarkGray);

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let [header, main, footer] =
        Layout::vertical([Constraint::Length(4), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    let [tree, detail] =
        Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(main);
    let rows = app.rows();
    draw_header(frame, app, header);
    app.page = usize::from(tree.height.saturating_sub(2));
    draw_tree(frame, app, &rows, tree);
    draw_detail(frame, app, &rows, detail);
    draw_footer(frame, app, footer);
    match &app.mode {
        Mode::Publish(form) => draw_form(frame, form),
        Mode::Help => draw_help(frame),
        Mode::Browse | Mode::Filter(_) => {}
    }
}

fn draw_header(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let [words, chart] = Layout::horizontal([Constraint::Min(20), Constraint::Length(32)]).areas(area);
    let figure = |topic: &str| {
        let text = app.system.text(&format!("$SYS/broker/{topic}")).map(printable);
        text.map_or("–".to_owned(), |text| text.parse().map_or(text, grouped))
    };
    let status = match &app.status {
        Status::Connected => Span::from("connected").green(),
        Status::Disconnected(words) => Span::from(printable(words)).red(),
    };
    let (rate, bytes) = app.figures.rates();
    let rate_of = |rate: Option<f64>| rate.map_or("–".to_owned(), rate_text);
    let lines = vec![
        Line::from(vec!["ferry top  ".bold(), Span::from(printable(&app.server)), "  ".into(), status]),
        Line::from(format!("broker   {}, up {}", figure("version"), figure("uptime"))),
        Line::from(format!(
            "         clients {} of {}   subscriptions {}   retained {}   in {}/s   out {}/s   dropped {}",
            figure("clients/connected"),
            figure("clients/total"),
            figure("subscriptions/count"),
            figure("retained messages/count"),
            rate_of(app.received.rate),
            rate_of(app.sent.rate),
            figure("publish/messages/dropped"),
        )),
        Line::from(format!(
            "seen     {}/s   {}/s   {} messages   {} topics",
            rate_text(rate),
            size(bytes as u64),
            grouped(app.figures.messages),
            grouped(app.topics.len() as u64),
        )),
    ];
    frame.render_widget(Paragraph::new(lines), words);
    let block = Block::new().borders(Borders::LEFT).border_style(QUIET);
    let inner = block.inner(chart);
    frame.render_widget(block, chart);
    let seconds = app.figures.last_seconds(inner.width.into());
    frame.render_widget(Sparkline::default().data(&seconds).style(Style::new().cyan()), inner);
}

fn draw_tree(frame: &mut Frame<'_>, app: &App, rows: &[Row], area: Rect) {
    let title = if app.filter.is_empty() {
        " topics ".to_owned()
    } else {
        format!(" topics: {} ", printable(&app.filter))
    };
    let block = Block::bordered().title(title).border_style(QUIET);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let height = usize::from(inner.height);
    let selected = app.selected_row(rows);
    // The chosen line stays in the middle, where there is one.
    let first = selected.saturating_sub(height / 2).min(rows.len().saturating_sub(height));
    let lines: Vec<Line<'_>> = rows
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(number, row)| {
            let line = tree_line(app, row, inner.width);
            if number == selected { line.patch_style(Modifier::REVERSED) } else { line }
        })
        .collect();
    if rows.is_empty() {
        let words =
            if app.filter.is_empty() { "nothing has come yet" } else { "no topic matches the filter" };
        frame.render_widget(Paragraph::new(words).style(QUIET), inner);
    } else {
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

fn tree_line<'a>(app: &App, row: &Row, width: u16) -> Line<'a> {
    let mark = match (row.has_children, row.is_collapsed) {
        (true, true) => "▸ ",
        (true, false) => "▾ ",
        _ => "  ",
    };
    let label = if row.label.is_empty() { "(empty)".to_owned() } else { printable(&row.label) };
    let mut spans = vec![Span::from(format!("{}{mark}{label}", "  ".repeat(row.depth)))];
    if row.has_children && row.is_collapsed {
        spans.push(Span::styled(format!("  {} topics", grouped(row.topics as u64)), QUIET));
    }
    if let Some(topic) =
        app.topics.get(&row.path).or_else(|| app.system.get(&row.path)).filter(|_| row.is_topic)
    {
        spans.push(Span::from("  "));
        spans.push(preview(topic));
    }
    let rate = if row.rate > 0.0 { format!(" {}/s", rate_text(row.rate)) } else { String::new() };
    // The rate is at the right, over what is there.
    let room = usize::from(width).saturating_sub(rate.len());
    let mut line = cut(Line::from(spans), room);
    line.push_span(Span::from(" ".repeat(room.saturating_sub(line.width()))));
    line.push_span(Span::from(rate).yellow());
    line
}

fn preview<'a>(topic: &Topic) -> Span<'a> {
    if topic.payload_length == 0 {
        return Span::styled("(empty)", QUIET);
    }
    let beginning = &topic.payload[..topic.payload.len().min(PREVIEW_BYTES_MAX)];
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => Some(text),
        // A sign that is cut is none that is wrong.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    match text {
        Some(text) => Span::from(printable(text)).cyan(),
        None => Span::styled(size(topic.payload_length as u64), QUIET),
    }
}

/// The beginning of a line that is too long.
fn cut(line: Line<'_>, width: usize) -> Line<'_> {
    if line.width() <= width {
        return line;
    }
    let mut room = width.saturating_sub(1);
    let mut spans = Vec::new();
    for span in line.spans {
        let mut text = String::new();
        for character in span.content.chars() {
            let wide = Span::from(character.to_string()).width();
            if wide > room {
                room = 0;
                break;
            }
            room -= wide;
            text.push(character);
        }
        spans.push(Span::styled(text, span.style));
    }
    spans.push(Span::from("…"));
    Line::from(spans)
}

fn draw_detail(frame: &mut Frame<'_>, app: &App, rows: &[Row], area: Rect) {
    let block =
        Block::bordered().title(format!(" payload: {} ", app.payload_view.name())).border_style(QUIET);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines = match (app.selected_topic(rows), rows.get(app.selected_row(rows))) {
        (Some((path, topic)), _) => {
            let mut lines = about(path, topic, app.now);
            let payload = app.payload_view.lines(&topic.payload);
            let below = usize::from(inner.height).saturating_sub(lines.len()).max(1);
            let scroll = app.payload_scroll.min(payload.len().saturating_sub(below));
            lines.extend(payload.into_iter().skip(scroll).take(below).map(Line::from));
            lines
        }
        (None, Some(row)) => vec![
            Line::from(printable(&row.path)).bold(),
            Line::from(format!("{} topics, {} messages", grouped(row.topics as u64), grouped(row.messages))),
        ],
        (None, None) => Vec::new(),
    };
    frame.render_widget(Paragraph::new(lines), inner);
}

/// What is known of a message besides its payload.
fn about<'a>(path: &str, topic: &Topic, now: Duration) -> Vec<Line<'a>> {
    let retained = if topic.retain { ", retained" } else { "" };
    let mut lines = vec![
        Line::from(printable(path)).bold(),
        Line::from(format!(
            "QoS {}{retained}, {} ago",
            topic.qos as u8,
            clock(now.saturating_sub(topic.last))
        )),
        Line::from(format!("{} messages, {}/s", grouped(topic.messages), rate_text(topic.rate))),
    ];
    let mut length = size(topic.payload_length as u64);
    if topic.payload.len() < topic.payload_length {
        length = format!("the first {} of {length}", size(topic.payload.len().min(KEPT_BYTES_MAX) as u64));
    }
    lines.push(Line::from(length));
    if let Some(properties) = &topic.properties {
        let texts = [
            properties.content_type.as_ref().map(|text| format!("Content Type {text}")),
            properties.response_topic.as_ref().map(|text| format!("Response Topic {text}")),
            properties.message_expiry_interval.map(|seconds| format!("expires in {seconds} s")),
        ];
        let pairs = properties.user_properties.iter().map(|(name, value)| format!("{name}: {value}"));
        let texts = texts.into_iter().flatten().chain(pairs);
        lines.extend(texts.map(|text| Line::styled(printable(&text), Style::new().magenta())));
    }
    lines.push(Line::default());
    lines
}

fn draw_footer(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let unshown = app.topics.unshown;
    let line = match &app.mode {
        Mode::Filter(_) => Line::from(format!("filter: {}▏ a part of the topic, or a topic filter; Enter, Esc", printable(&app.filter))),
        _ if app.notice.is_some() => Line::from(printable(app.notice.as_deref().unwrap_or_default())).yellow(),
        _ if app.is_paused => Line::from(format!("paused: {} messages came meanwhile; Space goes on", grouped(app.unseen))).yellow(),
        _ if unshown > 0 => Line::from(format!(
            "{} topics are all that is kept: {} messages of others are not shown; --topics-max, or fewer with -t",
            grouped(app.topics.len() as u64),
            grouped(unshown)
        ))
        .yellow(),
        _ => Line::styled("q quit  / filter  v view  p publish  Space pause  ? help", QUIET),
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_form(frame: &mut Frame<'_>, form: &PublishForm) {
    let area = middle(frame.area(), 70, 8);
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(" publish ");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.width).saturating_sub(11);
    let field = |place: Place, name: &str, text: &str| {
        let text = printable(text);
        // The end is where it is written.
        let skipped = text.chars().count().saturating_sub(room);
        let text: String = text.chars().skip(skipped).collect();
        let cursor = if form.at == place { "▏" } else { "" };
        let line = Line::from(format!("{name:<9} {text}{cursor}"));
        if form.at == place { line.bold() } else { line }
    };
    let lines = vec![
        field(Place::Topic, "topic", &form.texts[0]),
        field(Place::Payload, "message", &form.texts[1]),
        field(Place::Qos, "QoS", &form.qos.to_string()),
        field(Place::Retain, "retain", if form.retain { "yes" } else { "no" }),
        Line::from(form.wrong.as_deref().map(printable).unwrap_or_default()).red(),
        Line::styled("Tab next  Space changes QoS, retain  Enter publish  Esc leave", QUIET),
    ];
    frame.render_widget(Paragraph::new(lines), inner);
}

const HELP: [&str; 11] = [
    "↑ ↓ j k PgUp PgDn Home End   move",
    "→ l   ← h   Enter            open, close, either",
    "/                            filter: a part of the topic,",
    "                             or a filter such as +/door/#",
    "Esc                          no filter",
    "v                            payload: auto, text, JSON, hex",
    "J K                          move in the payload",
    "p                            publish",
    "Space                        pause, and go on",
    "q Ctrl-C                     quit",
    "",
];

fn draw_help(frame: &mut Frame<'_>) {
    let area = middle(frame.area(), 64, 13);
    frame.render_widget(Clear, area);
    let lines: Vec<Line<'_>> = HELP.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" keys ")), area);
}

/// A part of the screen in its middle, as large as there is room for.
fn middle(screen: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    let corner =
        Position::new(screen.x + (screen.width - width) / 2, screen.y + (screen.height - height) / 2);
    Rect::new(corner.x, corner.y, width, height)
}

#[cfg(test)]
mod tests {
    use ferry_client::Message;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent};

    use super::*;

    fn screen(app: &mut App, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect()
    }

    fn app() -> App {
        let mut app = App::new("mqtt://localhost:1883".to_owned(), 4);
        for (topic, payload) in [
            ("$SYS/broker/version", "ferry version 0.1.0"),
            ("$SYS/broker/uptime", "7 seconds"),
            ("$SYS/broker/clients/connected", "1234"),
            ("$SYS/broker/publish/messages/received", "10"),
            ("house/kitchen/temperature", "21.5"),
            ("house/door", "{\"open\":true}"),
            ("evil\u{1b}[2J", "\u{1b}]0;x\u{7}"),
            ("binary", "x"),
            ("one/too/many", "x"),
        ] {
            app.take(Message::new(topic, payload));
        }
        app.take(Message::new("binary", [0xFF, 0xFE]).content_type("image/png").user_property("a", "b"));
        app.tick(Duration::from_secs(2));
        app.take(Message::new("$SYS/broker/publish/messages/received", "30"));
        app
    }

    #[test]
    fn the_screen_has_figures_tree_and_payload() {
        let mut app = app();
        app.select_by(5);
        let screen = screen(&mut app, 110, 16);
        assert!(screen[0].starts_with("ferry top  mqtt://localhost:1883  connected"), "{screen:#?}");
        assert!(screen[1].starts_with("broker   ferry version 0.1.0, up 7 seconds"), "{screen:#?}");
        assert!(screen[2].contains("clients 1,234 of –"), "{screen:#?}");
        assert!(screen[2].contains("in 10/s"), "{screen:#?}");
        assert!(screen[3].starts_with("seen     3.0/s   "), "{screen:#?}");
        assert!(screen[3].contains("6 messages   4 topics"), "{screen:#?}");
        let tree: Vec<&str> = screen[5..]
            .iter()
            .map(|line| line.get(3..).unwrap_or("").split('│').next().unwrap_or("").trim_end())
            .collect();
        for (line, expected) in tree.iter().zip([
            "▸ $SYS  4 topics",
            "  binary  2 bytes",
            "  evil·[2J  ·]0;x·",
            "▾ house",
            "    door  {\"open\":true}",
            "  ▾ kitchen",
            "      temperature  21.5",
        ]) {
            assert!(line.starts_with(expected), "{expected:?} in {screen:#?}");
        }
        assert!(screen[11].contains("0.5/s"), "{screen:#?}");
        assert!(
            screen[5].contains("house/kitchen") && screen[6].contains("1 topics, 1 messages"),
            "{screen:#?}"
        );
        let footer = "4 topics are all that is kept: 1 messages of others are not shown; --topics-max";
        assert!(screen[15].starts_with(footer), "{screen:#?}");
    }

    #[test]
    fn the_payload_is_shown_with_its_properties() {
        let mut app = app();
        app.select_by(1);
        let text = screen(&mut app, 120, 20).join("\n");
        for part in
            ["QoS 0, 0:02 ago", "2 messages, 1.0/s", "Content Type image/png", "a: b", "000000  ff fe"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        app.select_by(3);
        let text = screen(&mut app, 120, 20).join("\n");
        assert!(text.contains("\"open\":  true"), "{text}");
    }

    #[test]
    fn every_mode_fits_every_screen() {
        let mut app = app();
        app.take(Message::new("long/".repeat(100), "wide 字".repeat(100)));
        for key in ['?', 'x', 'p', 'x', '/', 'h'] {
            app.press(KeyEvent::from(KeyCode::Char(key)));
            for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 24), (300, 100)] {
                let screen = screen(&mut app, width, height);
                assert!(!screen.join("").contains('\u{1b}'));
            }
            if key == 'x' {
                app.press(KeyEvent::from(KeyCode::Esc));
            }
        }
        let screen = screen(&mut app, 80, 24);
        assert!(screen[23].starts_with("filter: h▏"), "{screen:#?}");
    }

    #[test]
    fn forms_and_help_are_windows() {
        let mut app = app();
        app.press(KeyEvent::from(KeyCode::Char('?')));
        assert!(screen(&mut app, 100, 30).join("\n").contains("payload: auto, text, JSON, hex"));
        app.press(KeyEvent::from(KeyCode::Esc));
        app.press(KeyEvent::from(KeyCode::Char('p')));
        let text = screen(&mut app, 100, 30).join("\n");
        assert!(text.contains("topic     ▏") && text.contains("message"), "{text}");
    }
}
