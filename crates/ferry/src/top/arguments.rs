use clap::Args;

use crate::client::ConnectionArguments;

/// Watch a broker: rates, and a tree of the topics with their last messages
///
/// For every broker. It subscribes to everything, or to what -t says, and to $SYS, so it costs the broker a copy of each message.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    version,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Examples:
  ferry top
  ferry top -h broker.example -u ada -P secret -t 'house/#'

Keys: arrows move, open and close; / filters; v shows the payload as text, JSON or hex; p publishes; ? tells the others; q ends.

Exit codes: those of ferry sub."
)]
pub(crate) struct TopArguments {
    /// Subscribe to this topic filter; may be given several times; without it everything
    #[arg(short, long, value_name = "FILTER", allow_hyphen_values = true)]
    pub(super) topic: Vec<String>,

    /// The highest QoS wanted
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(super) qos: u8,

    /// Keep so many topics; messages of others are counted only
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) topics_max: u32,

    #[command(flatten)]
    pub(super) connection: ConnectionArguments,
}
