use std::path::PathBuf;

use clap::{Args, Subcommand};
use ferry_client::{ClientCertificate, TlsOptions};

use super::bans::BansAct;
use super::door::Door;
use super::failure::Failure;
use super::roles::{GroupsAct, RolesAct, WhyAct};
use super::users::UsersAct;

/// Watch and manage a running broker
///
/// By its admin API: the Unix socket in its data directory, where the broker's own user needs no token, or the address that
/// its configuration has as admin.address.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry ctl status
  ferry ctl clients --search pump --connected
  ferry ctl client show pump7
  ferry ctl kick pump7 --reason 'under repair'
  ferry ctl trace pump7 --seconds 300
  ferry ctl slow-subscribers --connected
  ferry ctl retained list 'house/#'
  ferry ctl users add ada
  ferry ctl roles set guest --rules guest.toml
  ferry ctl roles grant guest ada
  ferry ctl why --user ada publish house/door
  ferry ctl bans add --address 198.51.100.0/24 --for 2h --reason 'it floods'
  ferry ctl --json subscriptions | jq -r .filter
  ferry ctl --admin http://127.0.0.1:9883 --token-file token drops
  ferry ctl --admin https://ferry.example:9883 --cafile authority.pem --token-file token status
  sudo -u ferry ferry ctl reload

Exit codes: 0 done; 1 the broker did not do it; 2 wrong command line; 3 no broker answers; 4 no permission; 5 there is no such
client, session, message, ban, user, role or group. For why 0 is allowed, 1 denied, and 2 also what the broker cannot answer.")]
pub(crate) struct CtlCommand {
    #[command(flatten)]
    pub(super) api: ApiArguments,

    /// The configuration file of the broker, to find its data directory [default: the one FERRY_CONFIG names, or none]
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,

    /// Print JSON; of lists, one line for each item
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Delete without a question; on a terminal it is asked before anything is deleted
    #[arg(short, long, global = true)]
    pub(super) yes: bool,

    #[command(subcommand)]
    pub(super) act: Act,
}

/// How the admin API is reached.
#[derive(Debug, Args)]
pub(crate) struct ApiArguments {
    /// Where the admin API is: https://HOST:PORT, http://HOST:PORT, or the path of its Unix socket [default: admin.sock in the data directory]
    #[arg(long, value_name = "URL|PATH", global = true)]
    pub(super) admin: Option<String>,

    /// A file whose first line is the secret of a token
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,

    /// With https://: trust the authorities in this PEM file [default: those of the system]
    #[arg(long, value_name = "FILE", global = true, help_heading = "TLS")]
    cafile: Option<PathBuf>,

    /// With https://: the certificate to show to a proxy that asks for one, a PEM file
    #[arg(long, value_name = "FILE", global = true, help_heading = "TLS")]
    cert: Option<PathBuf>,

    /// Its private key, a PEM file
    #[arg(long, value_name = "FILE", global = true, help_heading = "TLS")]
    key: Option<PathBuf>,

    /// With https://: take a certificate with another name than the one in the URL
    #[arg(long, global = true, help_heading = "TLS")]
    insecure: bool,
}

/// Which client is traced, and how long.
#[derive(Debug, Args)]
pub(super) struct TraceArguments {
    /// The client identifier; the client need not be connected yet
    #[arg(value_name = "ID")]
    pub(super) client_id: String,
    /// End after so long
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(super) seconds: u16,
    /// End after so many events
    #[arg(long, value_name = "NUMBER", default_value = "10000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) events: u32,
    /// Show so many bytes of each payload
    #[arg(long, value_name = "BYTES", num_args = 0..=1, default_missing_value = "256", value_parser = clap::value_parser!(u32).range(0..=65_536))]
    pub(super) payload: Option<u32>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Act {
    /// Version, uptime, totals
    Status,
    /// Where clients connect
    Listeners,
    /// Sessions, connected or not
    Clients {
        /// Only those with this in the client identifier, the user name or the address
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only those that are connected
        #[arg(long, conflicts_with = "disconnected")]
        connected: bool,
        /// Only those that are not connected
        #[arg(long)]
        disconnected: bool,
        /// Only those for which messages wait
        #[arg(long)]
        queued: bool,
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "1000")]
        limit: usize,
    },
    /// One client
    Client {
        #[command(subcommand)]
        act: ClientAct,
    },
    /// End the connection of a client; its session stays
    Kick {
        /// The client identifier
        #[arg(value_name = "ID")]
        client_id: String,
        /// The reason code of DISCONNECT, for MQTT 5.0 clients [default: 152, Administrative action]
        #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u8).range(128..=162))]
        reason_code: Option<u8>,
        /// Words for people
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Another server, with reason code 156 (Use another server) or 157 (Server moved)
        #[arg(long, value_name = "HOST:PORT")]
        server_reference: Option<String>,
    },
    /// Sessions
    Sessions {
        #[command(subcommand)]
        act: SessionsAct,
    },
    /// Who has subscribed to what
    Subscriptions {
        /// Only those of this client
        #[arg(long, value_name = "ID", conflicts_with = "search")]
        client: Option<String>,
        /// Only those with this in the filter
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "1000")]
        limit: usize,
    },
    /// Retained messages
    Retained {
        #[command(subcommand)]
        act: RetainedAct,
    },
    /// Who may not connect
    Bans {
        #[command(subcommand)]
        act: BansAct,
    },
    /// Users that are managed at run time
    Users {
        #[command(subcommand)]
        act: UsersAct,
    },
    /// What users may do, by roles that are managed at run time
    Roles {
        #[command(subcommand)]
        act: RolesAct,
    },
    /// Groups of users who have roles together
    Groups {
        #[command(subcommand)]
        act: GroupsAct,
    },
    /// Which of the rules in force decides
    Why(WhyAct),
    /// Copies of messages that were discarded, by reason
    Drops {
        /// Also reasons for which nothing was
        #[arg(long)]
        all: bool,
    },
    /// The configuration in force, with where each option was set
    Config {
        /// Only options that are not as they are by default
        #[arg(long)]
        changed: bool,
    },
    /// Have the configuration read again
    Reload,
    /// The clients with most traffic in the last one to two minutes
    TopTalkers {
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = clap::value_parser!(u8).range(1..=100))]
        limit: u8,
    },
    /// The clients for which most bytes wait
    SlowSubscribers {
        /// Only those that are connected
        #[arg(long)]
        connected: bool,
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "20", value_parser = clap::value_parser!(u8).range(1..=100))]
        limit: u8,
    },
    /// What one client sends and is sent, as it happens
    Trace(TraceArguments),
    /// Set how much is logged, by module, until the next reload
    Log {
        /// A level for all, and others for modules, such as info,ferry_broker::driver=debug
        #[arg(value_name = "LEVELS")]
        levels: String,
    },
    /// Publish a message as the broker itself
    Publish {
        /// The topic
        #[arg(short, long, value_name = "TOPIC")]
        topic: String,
        /// The message
        #[arg(short, long, value_name = "TEXT", default_value = "")]
        message: String,
        /// The QoS
        #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
        qos: u8,
        /// Keep it as the retained message of the topic
        #[arg(short, long)]
        retain: bool,
    },
}

/// What to do with one client.
#[derive(Debug, Subcommand)]
pub(super) enum ClientAct {
    /// Its connection, session and subscriptions
    Show {
        /// The client identifier
        #[arg(value_name = "ID")]
        client_id: String,
    },
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub(super) enum SessionsAct {
    /// Disconnect the client and delete its session, with all that waits for it
    Delete {
        /// The client identifier
        #[arg(value_name = "ID")]
        client_id: String,
    },
}

/// What to do with retained messages.
#[derive(Debug, Subcommand)]
pub(super) enum RetainedAct {
    /// List those whose topics match, without their payloads
    List {
        /// A topic filter
        #[arg(value_name = "FILTER", default_value = "#")]
        filter: String,
        /// Show so many at most
        #[arg(long, value_name = "NUMBER", default_value = "1000")]
        limit: usize,
    },
    /// Print the payload of one
    Get {
        /// The topic
        #[arg(value_name = "TOPIC")]
        topic: String,
    },
    /// Delete those whose topics match; subscribers are sent an empty message for each
    Delete {
        /// A topic filter
        #[arg(value_name = "FILTER")]
        filter: String,
    },
}

impl ApiArguments {
    /// Whom to trust, and what to show.
    ///
    /// # Errors
    /// A file cannot be used, or there is no TLS at this door.
    pub(super) fn tls_options(&self, door: &Door) -> Result<TlsOptions, Failure> {
        let client_certificate = match (&self.cert, &self.key) {
            (Some(certificate), Some(key)) => {
                Some(ClientCertificate::Files { certificate: certificate.clone(), key: key.clone() })
            }
            (None, None) => None,
            _ => {
                let remedy = "name both files, or none";
                return Err(Failure::wrong_command_line("--cert and --key belong together", remedy));
            }
        };
        let tls = TlsOptions {
            ca_file: self.cafile.clone(),
            client_certificate,
            any_server_name: self.insecure,
            ..TlsOptions::default()
        };
        let is_said = tls.ca_file.is_some() || tls.client_certificate.is_some() || tls.any_server_name;
        if is_said && !matches!(door, Door::Https(_)) {
            let words = "--cafile, --cert, --key and --insecure are for TLS";
            return Err(Failure::wrong_command_line(
                words,
                "add --admin https://HOST:PORT, or leave them out",
            ));
        }
        if tls.ca_file.is_some() || tls.client_certificate.is_some() {
            let remedy = "check the path, its permissions and what is in the file";
            tls.check().map_err(|error| Failure::wrong_command_line(error.to_string(), remedy))?;
        }
        Ok(tls)
    }

    /// The secret of the token, if one is given.
    pub(super) fn token(&self) -> Result<Option<String>, Failure> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::permission(format!("{}: {error}", path.display()), "check the path and its permissions")
        })?;
        let secret = text.lines().next().unwrap_or_default().trim();
        // It becomes part of a header.
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let words = format!("{}: the first line is no secret of a token", path.display());
            return Err(Failure::permission(words, "give the file that the broker's [[admin.token]] names"));
        }
        Ok(Some(secret.to_owned()))
    }
}
