//! The leading comments of a script that mean something to the runner.

use crate::wire::Level;

/// What `# proves:`, `# versions:`, `# config:` and their like say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Statement ids, e.g. `MQTT-3.1.2-4`, `MQTT3-3.1.2-4`, `U5-010`.
    pub proves: Vec<String>,
    /// Protocol levels that the script is run with; each CONNECT may still name its own.
    pub versions: Vec<Level>,
    /// Lines of `ferry.toml` that the broker needs.
    pub config: Vec<String>,
    /// Lines of the `[[listener]]` block.
    pub listener: Vec<String>,
    /// `# only: core`: needs what only the driver in process has (time, rules of access, a mechanism).
    pub only_in_process: bool,
    /// `# only: ferry`: a choice that the standard leaves to the broker, so not for others.
    pub only_ferry: bool,
    /// `# deny: publish t/secret`: rules of access.
    pub deny: Vec<String>,
    /// `# password: alice secret`: who may connect; none: everybody.
    pub passwords: Vec<(String, String)>,
    /// `# enhanced: method`: an authentication method that asks for the answer `right` until it gets it.
    pub enhanced_method: Option<String>,
}

impl Default for Header {
    fn default() -> Self {
        Self {
            proves: Vec::new(),
            versions: vec![5],
            config: Vec::new(),
            listener: Vec::new(),
            only_in_process: false,
            only_ferry: false,
            deny: Vec::new(),
            passwords: Vec::new(),
            enhanced_method: None,
        }
    }
}

impl Header {
    /// Whether the broker must be started or set up in a special way.
    #[must_use]
    pub fn needs_setup(&self) -> bool {
        !self.config.is_empty() || !self.listener.is_empty() || self.needs_access_rules()
    }

    /// Whether the broker must refuse some clients or topics.
    #[must_use]
    pub fn needs_access_rules(&self) -> bool {
        !self.deny.is_empty() || !self.passwords.is_empty() || self.enhanced_method.is_some()
    }

    /// Reads one comment; comments without a known word and a colon are for people.
    ///
    /// # Errors
    /// When a known word is followed by something it does not take.
    pub fn read(&mut self, comment: &str) -> Result<(), String> {
        let Some((key, value)) = comment.trim_start_matches('#').trim().split_once(':') else {
            return Ok(());
        };
        let value = value.trim();
        match key {
            "proves" => self.proves.extend(value.split_whitespace().map(str::to_owned)),
            "versions" => self.versions = versions(value)?,
            "config" => self.config.push(value.to_owned()),
            "listener" => self.listener.push(value.to_owned()),
            "deny" => self.deny.push(value.to_owned()),
            "enhanced" => self.enhanced_method = Some(value.to_owned()),
            "password" => {
                let (user, password) = value.split_once(' ').ok_or("# password: USER PASSWORD")?;
                self.passwords.push((user.to_owned(), password.to_owned()));
            }
            "only" => match value {
                "core" => self.only_in_process = true,
                "ferry" => self.only_ferry = true,
                other => return Err(format!("# only: {other}")),
            },
            _ => {}
        }
        Ok(())
    }
}

fn versions(text: &str) -> Result<Vec<Level>, String> {
    let level = |word: &str| match word {
        "3.1" => Ok(3),
        "3.1.1" => Ok(4),
        "5" => Ok(5),
        other => Err(format!("there is no version {other}: 3.1, 3.1.1 or 5")),
    };
    text.split_whitespace().map(level).collect()
}
