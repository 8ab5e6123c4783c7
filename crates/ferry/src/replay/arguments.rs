use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Rewrite, Speed};
use crate::client::{ConnectionArguments, seconds};

/// Publish the messages of a recording
///
/// Reads what `ferry record` has written, or what `ferry sub -F %j` and `mosquitto_sub -F %j` have printed, and publishes it
/// at the speed at which it came, or another. Ends when the server has taken everything.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    version,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Examples:
  ferry replay day.jsonl
  ferry replay day.jsonl --speed 60                 an hour in a minute
  ferry replay day.jsonl --speed max --prefix test  as fast as the server takes it, below test/
  ferry replay day.jsonl --rewrite house=lab/house -t 'house/+/temperature'
  ferry replay day.jsonl --loop                     again and again
  zstd -dc day.jsonl.zst | ferry replay -

Exit codes: 0 the server has everything; 1 it cannot be done, the server cannot be reached, or messages of QoS 0 may be
lost with a lost connection; 2 wrong command line; 130 stopped with Ctrl-C or SIGTERM before the end; 1 to 5 (before MQTT 5.0) or
128 and above: the server refused the connection or a message for this reason."
)]
pub(crate) struct ReplayArguments {
    /// The recording; - is standard input
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// How many times as fast as it came: a number such as 2 or 0.5, or max
    #[arg(long, value_name = "SPEED", default_value = "1")]
    pub(super) speed: Speed,

    /// Wait at most so many seconds between two messages
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) gap_max: Option<Duration>,

    /// Publish everything so many times; without a number for ever
    #[arg(long = "loop", value_name = "NUMBER", num_args = 0..=1, require_equals = true, default_missing_value = "0", value_parser = clap::value_parser!(u64))]
    pub(super) rounds: Option<u64>,

    /// Publish only what matches this topic filter; may be given several times
    #[arg(short, long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) topic: Vec<String>,

    /// Do not publish what matches this topic filter; may be given several times
    #[arg(short = 'T', long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) filter_out: Vec<String>,

    /// Put TO in place of FROM at the beginning of topics, whole levels only; the first that fits counts
    #[arg(long, value_name = "FROM=TO")]
    pub(super) rewrite: Vec<Rewrite>,

    /// Put this level, or levels, before every topic
    #[arg(long, value_name = "TOPIC")]
    pub(super) prefix: Option<String>,

    /// Publish with this QoS [default: that of each message]
    #[arg(short, long, value_name = "QOS", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: Option<u8>,

    /// Have the server keep no message
    #[arg(long)]
    pub(super) no_retain: bool,

    /// Tell of lines that are wrong, and leave them out
    #[arg(long)]
    pub(super) skip_bad_lines: bool,

    #[command(flatten)]
    pub(super) connection: ConnectionArguments,
}
