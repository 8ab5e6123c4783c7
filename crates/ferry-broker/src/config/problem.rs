//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a configuration file; line and column count from 1.
    File {
        /// The file's name as it was given.
        name: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
    },
    /// The file of this name as a whole.
    WholeFile(String),
    /// In the environment variable of this name.
    Environment(String),
    /// In the command line flag of this name.
    Flag(&'static str),
    /// In no source: a default, or set by the program itself.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(out, "{name}:{line}:{column}"),
            Self::WholeFile(name) => write!(out, "{name}"),
            Self::Environment(variable) => write!(out, "environment variable {variable}"),
            Self::Flag(flag) => write!(out, "flag {flag}"),
            Self::Default => write!(out, "configuration"),
        }
    }
}

/// One thing that is wrong, or (as a warning) doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// The option by its full name, for example `limits.packet_size_bytes_max`; empty when no single option is meant.
    pub option: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.place)?;
        if !self.option.is_empty() {
            write!(out, "{}: ", self.option)?;
        }
        write!(out, "{}\n  help: {}", self.message, self.remedy)
    }
}

/// Everything that is wrong with a configuration: never empty, in the order of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write!(out, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
