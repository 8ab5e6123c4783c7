use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::{Action, App, Mode};

/// Lines that the payload moves at a time.
const PAYLOAD_STEP: usize = 5;

impl App {
    /// A key has been pressed.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Action> {
        self.notice = None;
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c')) {
            return Some(Action::Quit);
        }
        match self.mode {
            Mode::Browse => self.press_in_tree(key),
            Mode::Filter(_) => {
                self.press_in_filter(key, is_control);
                None
            }
            Mode::Publish(_) => self.press_in_form(key, is_control),
            Mode::Help => {
                self.mode = Mode::Browse;
                None
            }
        }
    }

    fn press_in_tree(&mut self, key: KeyEvent) -> Option<Action> {
        let page = isize::try_from(self.page.max(1)).unwrap_or(1);
        match key.code {
            KeyCode::Char('q') => return Some(Action::Quit),
            KeyCode::Up | KeyCode::Char('k') => self.select_by(-1),
            KeyCode::Down | KeyCode::Char('j') => self.select_by(1),
            KeyCode::PageUp => self.select_by(-page),
            KeyCode::PageDown => self.select_by(page),
            KeyCode::Home | KeyCode::Char('g') => self.select_by(isize::MIN / 2),
            KeyCode::End | KeyCode::Char('G') => self.select_by(isize::MAX / 2),
            KeyCode::Left | KeyCode::Char('h') => self.close(),
            KeyCode::Right | KeyCode::Char('l') => self.open(),
            KeyCode::Enter => self.toggle(),
            KeyCode::Char('/') => self.mode = Mode::Filter(self.filter.clone()),
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('v') => {
                self.payload_view = self.payload_view.next();
                self.payload_scroll = 0;
            }
            KeyCode::Char('J') => self.payload_scroll = self.payload_scroll.saturating_add(PAYLOAD_STEP),
            KeyCode::Char('K') => self.payload_scroll = self.payload_scroll.saturating_sub(PAYLOAD_STEP),
            KeyCode::Char('p') => self.begin_publish(),
            KeyCode::Char(' ') => self.toggle_pause(),
            KeyCode::Char('?') => self.mode = Mode::Help,
            _ => {}
        }
        None
    }

    /// What is written counts at once.
    fn press_in_filter(&mut self, key: KeyEvent, is_control: bool) {
        match key.code {
            KeyCode::Enter => self.mode = Mode::Browse,
            KeyCode::Esc => {
                if let Mode::Filter(before) = std::mem::replace(&mut self.mode, Mode::Browse) {
                    self.filter = before;
                }
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char('u') if is_control => self.filter.clear(),
            KeyCode::Char(letter) if !is_control => self.filter.push(letter),
            _ => {}
        }
    }

    fn press_in_form(&mut self, key: KeyEvent, is_control: bool) -> Option<Action> {
        let Mode::Publish(form) = &mut self.mode else { return None };
        match key.code {
            KeyCode::Esc => self.mode = Mode::Browse,
            KeyCode::Tab | KeyCode::Down => form.next(),
            KeyCode::BackTab | KeyCode::Up => form.previous(),
            KeyCode::Backspace => form.erase(false),
            KeyCode::Char('u') if is_control => form.erase(true),
            KeyCode::Char(letter) if !is_control => form.write(letter),
            KeyCode::Enter => {
                let message = form.message()?;
                self.mode = Mode::Browse;
                return Some(Action::Publish(Box::new(message)));
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use ferry_client::{Message, QoS};

    use super::*;
    use crate::top::payload_view::PayloadView;

    fn app() -> App {
        let mut app = App::new("here".to_owned(), 100);
        ["a/b", "a/c", "d"].iter().for_each(|name| app.take(Message::new(*name, "1")));
        app
    }

    fn press(app: &mut App, keys: &str) -> Option<Action> {
        let mut action = None;
        for letter in keys.chars() {
            let code = match letter {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                '\u{1b}' => KeyCode::Esc,
                '\u{8}' => KeyCode::Backspace,
                letter => KeyCode::Char(letter),
            };
            action = app.press(KeyEvent::from(code));
        }
        action
    }

    #[test]
    fn keys_move_and_end() {
        let mut app = app();
        assert_eq!(press(&mut app, "jj"), None);
        assert_eq!(app.selected.as_deref(), Some("a/c"));
        assert_eq!(press(&mut app, "Gv JK"), None);
        assert_eq!(
            (app.selected.as_deref(), app.payload_view, app.is_paused),
            (Some("d"), PayloadView::Text, true)
        );
        press(&mut app, "g\n");
        assert_eq!(app.rows().len(), 2);
        press(&mut app, "?");
        assert!(matches!(app.mode, Mode::Help));
        assert_eq!(press(&mut app, "q"), None, "it leaves the help only");
        assert_eq!(press(&mut app, "q"), Some(Action::Quit));
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        press(&mut app, "p");
        assert_eq!(app.press(control_c), Some(Action::Quit));
    }

    #[test]
    fn a_filter_is_written() {
        let mut app = app();
        press(&mut app, "/bq\u{8}\n");
        assert_eq!((app.filter.as_str(), app.rows().len()), ("b", 2));
        press(&mut app, "/x\u{1b}");
        assert_eq!(app.filter, "b");
        press(&mut app, "\u{1b}");
        assert_eq!(app.filter, "");
    }

    #[test]
    fn a_message_is_written() {
        let mut app = app();
        let expected = Message::new("a", "on").qos(QoS::AtLeastOnce).retain(true);
        assert_eq!(press(&mut app, "pon\t1\tx\n"), Some(Action::Publish(Box::new(expected))));
        assert!(matches!(app.mode, Mode::Browse));
        press(&mut app, "p\t\t\t/#\n");
        let Mode::Publish(form) = &app.mode else { panic!("it is not published") };
        assert!(form.wrong.as_ref().is_some_and(|wrong| wrong.contains("for subscribing")), "{form:?}");
        press(&mut app, "\u{1b}");
        assert!(matches!(app.mode, Mode::Browse));
    }
}
