use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ferry_client::Message;
use jiff::Timestamp;

/// A directory in which each payload becomes a file of its own.
pub(super) struct MessageFiles {
    directory: PathBuf,
    count: u64,
}

impl MessageFiles {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), count: 0 }
    }

    /// Writes the payload to a new file: a directory for each level of the topic, a name of the time and a number. Returns its path.
    ///
    /// # Errors
    /// It cannot be written, or a level is too long for a name. Whoever watches the directory never sees half a file under its name.
    pub(super) fn save(&mut self, message: &Message, time: Timestamp) -> io::Result<PathBuf> {
        self.count += 1;
        let mut directory = self.directory.clone();
        directory.extend(message.topic.split('/').map(file_name));
        fs::create_dir_all(&directory)?;
        let name = format!("{}-{}", time.strftime("%Y%m%dT%H%M%S.%6fZ"), self.count);
        let part = directory.join(format!("{name}.part"));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&part)?;
        file.write_all(&message.payload)?;
        let path = directory.join(name);
        fs::rename(&part, &path)?;
        Ok(path)
    }
}

/// A level as a name of a file: letters and digits of any script, and a few signs, as they are; other bytes as `%` and two
/// digits. So no topic leads out of the directory.
fn file_name(level: &str) -> String {
    if level.is_empty() {
        return "%".to_owned();
    }
    let mut name = String::with_capacity(level.len());
    for (at, character) in level.char_indices() {
        let is_plain =
            character.is_alphanumeric() || "_-@=+,$".contains(character) || character == '.' && at > 0;
        if is_plain {
            name.push(character);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in character.encode_utf8(&mut bytes).bytes() {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_topic_leads_out_of_the_directory() {
        for (level, name) in [
            ("kitchen", "kitchen"),
            ("Küche.2", "Küche.2"),
            ("", "%"),
            (".", "%2E"),
            ("..", "%2E."),
            ("a b\n\u{0}%", "a%20b%0A%00%25"),
            ("\\", "%5C"),
            ("\u{202E}", "%E2%80%AE"),
        ] {
            assert_eq!(file_name(level), name);
        }
    }
}
