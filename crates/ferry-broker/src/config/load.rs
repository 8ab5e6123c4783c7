//! Brings the sources together: flags over environment over file over defaults.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::file_access::FileUse;
use super::listener::Listener;
use super::option::{Section, SectionSpec};
use super::problem::{Place, Problem, Problems};
use super::storage::usual_directory;
use super::value::Raw;
use super::{Config, SECTIONS, environment, file, validate};

/// Everything a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Environment variables: name and value.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Flags,
}

impl Sources {
    /// The process's environment, the file given or else named by `FERRY_CONFIG`, and the flags.
    /// Variables that are not UTF-8 are left out.
    pub fn from_process(file: Option<PathBuf>, flags: Flags) -> Self {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named =
            || environment.iter().find(|(name, value)| name == environment::CONFIG && !value.is_empty());
        let file = file.or_else(|| named().map(|(_, value)| PathBuf::from(value)));
        Self { file, environment, flags }
    }
}

/// What the command line says; the default says nothing.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Addresses that replace all other listeners, unless empty.
    pub listen: Vec<String>,
    /// Certificate chain for every `tls` and `wss` listener.
    pub tls_certificate_file: Option<PathBuf>,
    /// Users and the hashes of their passwords.
    pub password_file: Option<PathBuf>,
    /// Who may do what, in the form of Mosquitto.
    pub acl_file: Option<PathBuf>,
    /// Who may do what, in our own form.
    pub rules_file: Option<PathBuf>,
    /// Private key for every `tls` and `wss` listener.
    pub tls_key_file: Option<PathBuf>,
    /// Authorities of clients' certificates, which are then required on every `tls` and `wss` listener.
    pub tls_client_ca_file: Option<PathBuf>,
    /// Clients may connect without a user name, on every listener.
    pub allow_anonymous: bool,
    /// Keep everything in memory, whatever the file says.
    pub memory: bool,
    /// Keep sessions, queues and retained messages in this directory.
    pub data_directory: Option<PathBuf>,
    /// The log level.
    pub log_level: Option<String>,
    /// The number of shards, or `auto`.
    pub shards: Option<String>,
}

/// A configuration that may be used, and what is doubtful in it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the operator should look at.
    pub warnings: Vec<Problem>,
    /// Where each option was set that is not as it is without any source.
    pub origins: Origins,
}

/// Where options were set, by their full names: `limits.packet_size_bytes_max`, `listener[0].address`.
#[derive(Clone, Debug, Default)]
pub struct Origins(HashMap<String, Place>);

impl Origins {
    /// The place where the option was set; [`Place::Default`] if it was not.
    #[must_use]
    pub fn of(&self, option: &str) -> Place {
        self.0.get(option).cloned().unwrap_or(Place::Default)
    }
}

impl Config {
    /// Reads and checks all sources.
    ///
    /// # Errors
    /// All problems found, each with its place and remedy.
    pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
        let mut loader = Loader::default();
        if let Some(path) = &sources.file {
            match std::fs::read_to_string(path) {
                Ok(text) => {
                    loader.file(&path.display().to_string(), &text);
                    loader.warnings.extend(FileUse::Trusted.warning(path, ""));
                }
                Err(error) => loader.problems.push(unreadable(path, &error)),
            }
        }
        loader.environment(&sources.environment);
        loader.flags(&sources.flags);
        loader.place_storage(&sources.environment);
        loader.finish()
    }

    /// Reads and checks the text of a file alone, as `ferry check` does; `name` is for the messages.
    ///
    /// # Errors
    /// All problems found, each with its place and remedy.
    pub fn parse(name: &str, text: &str) -> Result<Loaded, Problems> {
        let mut loader = Loader::default();
        loader.file(name, text);
        loader.finish()
    }
}

impl Config {
    /// Checks a configuration that was made by a program rather than loaded.
    ///
    /// # Errors
    /// All problems found.
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = Vec::new();
        validate::validate(self, &Places::default(), &mut problems, &mut Vec::new());
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }
}

/// Which block an assignment is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Section(&'static str),
    Listener(usize),
}

impl Target {
    fn spec(&self) -> Option<&'static SectionSpec> {
        let name = match self {
            Self::Section(name) => name,
            Self::Listener(_) => Listener::SPEC.name,
        };
        SECTIONS.iter().copied().find(|spec| spec.name == name)
    }
}

/// One option set by one source.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) target: Target,
    pub(super) key: String,
    pub(super) raw: Raw,
    pub(super) place: Place,
}

/// Where each option was set, by its full name: `limits.packet_size_bytes_max`, `listener[0].address`.
#[derive(Default)]
pub(super) struct Places(HashMap<String, Place>);

impl Places {
    /// The place of the first of these options that was set anywhere.
    pub(super) fn of(&self, options: &[&str]) -> Place {
        options.iter().find_map(|option| self.0.get(*option)).cloned().unwrap_or(Place::Default)
    }

    /// Whether a source has set the option.
    pub(super) fn is_set(&self, option: &str) -> bool {
        self.0.contains_key(option)
    }
}

#[derive(Default)]
struct Loader {
    config: Config,
    /// Whether a source has named listeners, so that the default ones are gone.
    listeners_named: bool,
    places: Places,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Loader {
    fn file(&mut self, name: &str, text: &str) {
        let contents = file::parse(name, text);
        self.problems.extend(contents.problems);
        for (index, place) in contents.listeners.into_iter().enumerate() {
            self.places.0.insert(format!("listener[{index}]"), place);
            self.add_listener();
        }
        contents.assignments.into_iter().for_each(|assignment| self.assign(assignment));
    }

    fn environment(&mut self, variables: &[(String, String)]) {
        let contents = environment::parse(variables);
        self.problems.extend(contents.problems);
        self.warnings.extend(contents.warnings);
        if let Some(addresses) = contents.listen {
            self.replace_listeners(&addresses, &Place::Environment(environment::LISTEN.to_owned()));
        }
        let mut assignments = contents.assignments;
        // A listener comes into being with its first assignment, so they must come in the order of their numbers.
        assignments.sort_by_key(|assignment| match assignment.target {
            Target::Section(_) => 0,
            Target::Listener(index) => index,
        });
        assignments.into_iter().for_each(|assignment| self.assign(assignment));
    }

    fn flags(&mut self, flags: &Flags) {
        if !flags.listen.is_empty() {
            self.replace_listeners(&flags.listen, &Place::Flag("--listen"));
        }
        if flags.allow_anonymous {
            for index in 0..self.config.listeners.len() {
                self.assign_flag(Target::Listener(index), "allow_anonymous", "true", "--allow-anonymous");
            }
        }
        self.tls_flags(flags);
        if let Some(file) = &flags.password_file {
            let target = Target::Section("authentication");
            self.assign_flag(target, "password_file", &file.to_string_lossy(), "--password-file");
        }
        if let Some(file) = &flags.acl_file {
            let target = Target::Section("authorization");
            self.assign_flag(target, "acl_file", &file.to_string_lossy(), "--acl-file");
        }
        if let Some(file) = &flags.rules_file {
            let target = Target::Section("authorization");
            self.assign_flag(target, "rules_file", &file.to_string_lossy(), "--rules-file");
        }
        if flags.memory {
            self.assign_flag(Target::Section("storage"), "data_directory", "", "--memory");
            self.assign_flag(Target::Section("storage"), "durability", "memory", "--memory");
        }
        if let Some(directory) = &flags.data_directory {
            self.assign_flag(
                Target::Section("storage"),
                "data_directory",
                &directory.to_string_lossy(),
                "--data",
            );
        }
        if let Some(level) = &flags.log_level {
            self.assign_flag(Target::Section("log"), "level", level, "--log");
        }
        if let Some(shards) = &flags.shards {
            self.assign_flag(Target::Section("server"), "shards", shards, "--shards");
        }
    }

    fn tls_flags(&mut self, flags: &Flags) {
        let files = [
            (&flags.tls_certificate_file, "tls_certificate_file", "--tls-cert"),
            (&flags.tls_key_file, "tls_key_file", "--tls-key"),
            (&flags.tls_client_ca_file, "tls_client_ca_file", "--tls-client-ca"),
        ];
        for (path, key, flag) in files {
            let Some(path) = path else { continue };
            let listeners: Vec<usize> = (0..self.config.listeners.len())
                .filter(|index| self.config.listeners[*index].uses_tls())
                .collect();
            if listeners.is_empty() {
                self.problems.push(Problem {
                    place: Place::Flag(flag),
                    option: String::new(),
                    message: "no listener uses TLS".to_owned(),
                    remedy: "add --listen tls://127.0.0.1:8883 or --listen wss://127.0.0.1:8084".to_owned(),
                });
            }
            for index in listeners {
                self.assign_flag(Target::Listener(index), key, &path.to_string_lossy(), flag);
                if key == "tls_client_ca_file" {
                    self.assign_flag(Target::Listener(index), "tls_client_certificate", "required", flag);
                }
            }
        }
    }

    /// Names the data directory if no source has.
    fn place_storage(&mut self, variables: &[(String, String)]) {
        let storage = &mut self.config.storage;
        if !storage.is_on_disk() || storage.data_directory.is_some() {
            return;
        }
        storage.data_directory = usual_directory(&|name| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        });
        if storage.data_directory.is_none() {
            self.problems.push(Problem {
                place: self.places.of(&["storage.data_directory", "storage.durability"]),
                option: "storage.data_directory".to_owned(),
                message: "there is no usual place for data: HOME is not set".to_owned(),
                remedy:
                    "name a directory (or start with --data DIR), or keep everything in memory (--memory)"
                        .to_owned(),
            });
        }
    }

    fn finish(mut self) -> Result<Loaded, Problems> {
        validate::validate(&self.config, &self.places, &mut self.problems, &mut self.warnings);
        if self.problems.is_empty() {
            let origins = Origins(self.places.0);
            Ok(Loaded { config: self.config, warnings: self.warnings, origins })
        } else {
            Err(Problems(self.problems))
        }
    }

    fn assign_flag(&mut self, target: Target, key: &'static str, text: &str, flag: &'static str) {
        let Some(option) = target.spec().and_then(|spec| spec.option(key)) else { return };
        let raw = option.kind.raw_from_text(text);
        self.assign(Assignment { target, key: key.to_owned(), raw, place: Place::Flag(flag) });
    }

    fn assign(&mut self, assignment: Assignment) {
        let Assignment { target, key, raw, place } = assignment;
        let option_name = match target {
            Target::Section(name) => format!("{name}.{key}"),
            Target::Listener(index) if self.ensure_listener(index, &place) => {
                format!("listener[{index}].{key}")
            }
            Target::Listener(_) => return,
        };
        let section: Option<&mut dyn Section> = match target {
            Target::Section(name) => self.config.section_mut(name),
            Target::Listener(index) => self.config.listeners.get_mut(index).map(|listener| listener as _),
        };
        let (Some(section), Some(option)) = (section, target.spec().and_then(|spec| spec.option(&key)))
        else {
            return;
        };
        self.places.0.insert(option_name.clone(), place.clone());
        match option.kind.check(&raw) {
            // Each kind is narrower than its field's type, which a test checks.
            Ok(setting) => section.set(&key, setting).expect("the kind has been checked"),
            Err(misfit) => self.problems.push(Problem {
                place,
                option: option_name,
                message: misfit.message,
                remedy: misfit.remedy,
            }),
        }
    }

    /// Makes the listener with this number if it is the next one.
    fn ensure_listener(&mut self, index: usize, place: &Place) -> bool {
        let count = if self.listeners_named { self.config.listeners.len() } else { 0 };
        if index > count {
            self.problems.push(Problem {
                place: place.clone(),
                option: format!("listener[{index}]"),
                message: format!("there is no listener {count}"),
                remedy: "number the listeners from 0 without gaps; those of the file come first".to_owned(),
            });
            return false;
        }
        if index == count {
            self.places.0.insert(format!("listener[{index}]"), place.clone());
            self.add_listener();
        }
        true
    }

    fn add_listener(&mut self) {
        if !self.listeners_named {
            self.config.listeners.clear();
            self.listeners_named = true;
        }
        self.config.listeners.push(Listener::default());
    }

    fn replace_listeners(&mut self, addresses: &[String], place: &Place) {
        self.config.listeners.clear();
        self.listeners_named = true;
        self.places.0.retain(|option, _| !option.starts_with("listener["));
        for (index, address) in addresses.iter().enumerate() {
            self.assign(Assignment {
                target: Target::Listener(index),
                key: "address".to_owned(),
                raw: Raw::Text(address.clone()),
                place: place.clone(),
            });
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem {
        place: Place::WholeFile(path.display().to_string()),
        option: String::new(),
        message: format!("the file cannot be read: {error}"),
        remedy: match error.kind() {
            std::io::ErrorKind::InvalidData => "save it as UTF-8".to_owned(),
            _ => "check the path and its permissions".to_owned(),
        },
    }
}
