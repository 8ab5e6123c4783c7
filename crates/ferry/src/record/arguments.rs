use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::client::{ConnectionArguments, seconds};

/// Write the messages that come to a file
///
/// With their times, so that `ferry replay` can publish them again. It ends with Ctrl-C, or as -C and --for say. If the
/// connection is lost, it is made again.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    version,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Examples:
  ferry record day.jsonl -t 'house/#'
  ferry record day.jsonl --append --for 3600
  ferry record - -t 'house/#' | zstd > day.jsonl.zst
  ferry record day.jsonl -q 1 -c -i recorder        what comes while it does not run is recorded later

The file has one message on each line, as JSON; the guide says what is on it. It may be cut off at any place.

Exit codes: 0 done, or stopped; 1 it cannot be done, or the server cannot be reached; 2 wrong command line; 1 to 5 (before
MQTT 5.0) or 128 and above: the server refused the connection or the subscription for this reason."
)]
pub(crate) struct RecordArguments {
    /// Write to this new file; - is standard output
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// Record what matches this topic filter; may be given several times; without it everything but $SYS
    #[arg(short, long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) topic: Vec<String>,

    /// Do not record what matches this topic filter; may be given several times
    #[arg(short = 'T', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) filter_out: Vec<String>,

    /// The highest QoS wanted; with 2 each message has the QoS that it was published with
    #[arg(short, long, value_name = "QOS", default_value = "2", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: u8,

    /// Do not record what was retained before
    #[arg(short = 'R')]
    pub(super) no_retained: bool,

    /// End after so many messages
    #[arg(short = 'C', value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,

    /// End after so many seconds, such as 0.5
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub(super) duration: Option<Duration>,

    /// Write at the end of the file if it is there; its last line is cut off if it is torn
    #[arg(long, conflicts_with = "overwrite")]
    pub(super) append: bool,

    /// Replace the file if it is there
    #[arg(long)]
    pub(super) overwrite: bool,

    #[command(flatten)]
    pub(super) connection: ConnectionArguments,
}
