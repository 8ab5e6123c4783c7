use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

use crate::workspace::{root, target_directory};

/// A broker of `xtask/peers.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Peer {
    /// Its column in the table.
    pub(super) name: String,
    /// What of Ferry it is; none for other brokers.
    pub(super) part: Option<Part>,
    pub(super) from: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    /// None: it has no configuration for TLS.
    files_tls: Option<BTreeMap<String, String>>,
    files_v5: BTreeMap<String, String>,
    lacks: BTreeMap<String, String>,
    programs: Vec<String>,
    version: Vec<String>,
    tried: Option<String>,
}

/// The configurations of Ferry that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything in memory, as the peers.
    Main,
    /// With its store.
    Durable,
    /// With two shards.
    Shards,
}

/// What a broker is started for, which decides its configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) tls: bool,
    pub(super) v5: bool,
}

impl Peer {
    /// All entries of the file, also of brokers that are not on this machine.
    ///
    /// # Errors
    /// When the file is wrong.
    pub(super) fn all() -> Result<Vec<Self>, String> {
        let path = root().join("xtask/peers.toml");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// # Errors
    /// What is missing, or is not what it should be.
    pub(super) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let peers = table.get("peer").and_then(Value::as_array).ok_or("there is no [[peer]]")?;
        peers.iter().map(|peer| Self::from_entry(peer.as_table().ok_or("a peer is a table")?)).collect()
    }

    /// # Errors
    /// As for [`Peer::parse`].
    fn from_entry(entry: &Table) -> Result<Self, String> {
        let name = text(entry.get("name")).ok_or("a peer without a name")?;
        let wrong = |key: &str| format!("peer {name:?}: {key} is missing, or not what it should be");
        let list = |key: &str| list(entry.get(key)).ok_or_else(|| wrong(key));
        let map = |key: &str| entry.get(key).map(|value| map(value).ok_or_else(|| wrong(key))).transpose();
        const KEYS: [&str; 12] = [
            "name",
            "part",
            "programs",
            "from",
            "version",
            "arguments",
            "environment",
            "files",
            "files-tls",
            "files-v5",
            "lacks",
            "tried",
        ];
        if let Some(unknown) = entry.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("peer {name:?}: there is no {unknown}"));
        }
        let part = match entry.get("part").map(Value::as_str) {
            None => None,
            Some(Some("main")) => Some(Part::Main),
            Some(Some("durable")) => Some(Part::Durable),
            Some(Some("shards")) => Some(Part::Shards),
            Some(_) => return Err(wrong("part")),
        };
        Ok(Self {
            part,
            from: text(entry.get("from")).ok_or_else(|| wrong("from"))?,
            arguments: list("arguments")?,
            environment: map("environment")?.unwrap_or_default(),
            files: map("files")?.unwrap_or_default(),
            files_tls: map("files-tls")?,
            files_v5: map("files-v5")?.unwrap_or_default(),
            lacks: map("lacks")?.unwrap_or_default(),
            programs: list("programs")?,
            version: list("version")?,
            tried: text(entry.get("tried")),
            name,
        })
    }

    /// Why a scenario need not be tried.
    pub(super) fn lacks(&self, scenario: &str, need: Need) -> Option<String> {
        let lacks_tls = need.tls.then(|| self.lacks.get("tls")).flatten();
        let no_tls = || (need.tls && self.files_tls.is_none()).then(|| "no configuration for TLS".to_owned());
        lacks_tls.or_else(|| self.lacks.get(scenario)).cloned().or_else(no_tls)
    }

    /// The files that it is to find in its directory.
    pub(super) fn files(&self, need: Need) -> BTreeMap<String, String> {
        let mut files = self.files.clone();
        files.extend(self.files_tls.clone().filter(|_| need.tls).unwrap_or_default());
        files.extend(if need.v5 { self.files_v5.clone() } else { BTreeMap::new() });
        files
    }

    /// Its program, if it is on this machine.
    pub(super) fn program(&self) -> Option<PathBuf> {
        let target = target_directory();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
        places.extend(["/usr/sbin", "/usr/local/sbin", "/usr/lib/rabbitmq/bin"].map(PathBuf::from));
        places.push(target.join("tools/bin"));
        self.programs.iter().find_map(|program| {
            let program = program.replace("{target}", &target.to_string_lossy());
            // An absolute path takes the place of the one that it is joined to.
            places.iter().map(|place| place.join(&program)).find(|file| file.is_file())
        })
    }

    /// What it says of its version; empty if nothing that looks like one.
    pub(super) fn version(&self, program: &Path) -> String {
        let output = Command::new(program).args(&self.version).output();
        let said = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        version_in(&String::from_utf8_lossy(&said))
    }

    /// What readers have to know: nobody has seen that this version works with this entry.
    pub(super) fn remark(&self, version: &str) -> &'static str {
        match &self.tried {
            Some(tried) if tried == version => "",
            Some(_) => ", a version that this has not been tried with",
            None => ", never tried before",
        }
    }
}

/// The first word that is numbers with points.
fn version_in(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || ",()".contains(c));
    let version = words.map(|word| word.trim_start_matches('v')).find(|word| {
        let mut parts = word.split(['.', '-', '+']);
        let is_number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u64>().is_ok());
        word.contains('.') && is_number(parts.next()) && is_number(parts.next())
    });
    version.unwrap_or_default().to_owned()
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn list(value: Option<&Value>) -> Option<Vec<String>> {
    value?.as_array()?.iter().map(|entry| text(Some(entry))).collect()
}

fn map(value: &Value) -> Option<BTreeMap<String, String>> {
    value.as_table()?.iter().map(|(key, value)| Some((key.clone(), text(Some(value))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        "[[peer]]\nname = \"B\"\nprograms = [\"sh\"]\nfrom = \"x\"\nversion = [\"-v\"]\narguments = []\n";

    #[test]
    fn the_file_is_right() {
        let peers = Peer::all().unwrap();
        let of = |part| peers.iter().filter(|peer| peer.part == part).count();
        assert_eq!([of(Some(Part::Main)), of(Some(Part::Durable)), of(Some(Part::Shards))], [1, 1, 1]);
        assert!(peers.iter().any(|peer| peer.name == "Mosquitto" && peer.files_tls.is_some()));
        for peer in &peers {
            let files: String = peer.files(Need::default()).into_values().collect();
            assert!(files.contains("{port}"), "{}: nothing says where to listen", peer.name);
        }
    }

    #[test]
    fn entries_are_checked() {
        assert_eq!(Peer::parse(ENTRY).unwrap()[0].name, "B");
        for (text, words) in [
            ("", "there is no [[peer]]"),
            ("[[peer]]\nfrom = \"x\"", "without a name"),
            (&ENTRY.replace("from = \"x\"\n", ""), "from is missing"),
            (&ENTRY.replace("[\"sh\"]", "\"sh\""), "programs is missing, or not what it should be"),
            (&format!("{ENTRY}colour = 1"), "there is no colour"),
            (&format!("{ENTRY}part = \"half\""), "part is missing"),
            (&format!("{ENTRY}files = {{ a = 1 }}"), "files is missing"),
            ("[[peer", "TOML"),
        ] {
            let error = Peer::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_configuration_is_for_what_is_needed() {
        let text = format!(
            "{ENTRY}files = {{ a = \"1\", b = \"2\" }}\nfiles-v5 = {{ b = \"5\" }}\nlacks = {{ p2p-qos2 = \"none\" }}"
        );
        let peer = Peer::parse(&text).unwrap().remove(0);
        let joined = |need| peer.files(need).into_values().collect::<Vec<_>>().join(" ");
        assert_eq!(joined(Need::default()), "1 2");
        assert_eq!(joined(Need { v5: true, tls: false }), "1 5");
        assert_eq!(peer.lacks("p2p-qos1", Need::default()), None);
        assert_eq!(peer.lacks("p2p-qos2", Need::default()).as_deref(), Some("none"));
        let tls = Need { tls: true, v5: false };
        assert_eq!(peer.lacks("idle-tls", tls).as_deref(), Some("no configuration for TLS"));
        assert!(peer.program().is_some_and(|program| program.ends_with("sh")));
    }

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, version) in [
            ("mosquitto version 2.0.11\n\nmosquitto is an MQTT v5.0 broker", "2.0.11"),
            ("nats-server: v2.9.10", "2.9.10"),
            ("ferry 0.1.0", "0.1.0"),
            ("usage: x [-v]", ""),
        ] {
            assert_eq!(version_in(text), version);
        }
    }
}
