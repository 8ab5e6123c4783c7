//! What the commands that are clients have in common: the options, the connection, the end.

mod address;
mod arguments;
mod ending;
mod losses;
mod options;
mod options_file;
mod properties;
mod property_words;
mod report;
mod sendable;
mod underway;

pub(crate) use arguments::{ConnectionArguments, seconds, seconds_above_0};
pub(crate) use ending::{Ending, end_within, run, stopped};
pub(crate) use losses::given_up;
pub(crate) use options::{DefaultVersion, Setup, check_topic_name, qos};
pub(crate) use options_file::{options_directory, with_options_files};
pub(crate) use property_words::with_joined_properties;
pub(crate) use report::Reporter;
pub(crate) use underway::Underway;
