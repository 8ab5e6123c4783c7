//! The command line.

use std::path::PathBuf;

use crate::bench::BenchCommand;
use crate::ctl::{ApiArguments, CtlCommand};
use crate::publish::PublishArguments;
use crate::record::RecordArguments;
use crate::replay::ReplayArguments;
use crate::request::RequestArguments;
use crate::subscribe::SubscribeArguments;
use crate::top::TopArguments;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use ferry_broker::config::{Flags, LogLevel, Sources};

/// Ferry: a broker for MQTT 3.1, 3.1.1 and 5.0
#[derive(Debug, Parser)]
#[command(
    name = "ferry",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "\
Examples:
  ferry serve                           start a broker for this machine only
  ferry serve --config ferry.toml       start with a configuration file
  ferry check ferry.toml                is this file right? what would it do?
  ferry sub -t 'house/#'                print what is published below house
  ferry pub -t house/lamp -m on         publish
  ferry record day.jsonl -t 'house/#'   messages to a file; ferry replay publishes them again
  ferry top                             watch a broker: rates, topics, messages
  ferry ctl status                      ask the broker of this machine; ferry ctl clients lists who is there
  ferry passwd -c passwords ada         make a file of users, with one in it
  ferry store dump /var/lib/ferry       a backup of the data of a broker that is stopped
  ferry bench p2p                       load a broker, and verify every message
  ferry serve --help                    all about starting

Exit codes:
  0  done; for serve: stopped by SIGTERM or SIGINT
  1  wrong configuration, or the broker could not start or go on; standard error says why
  2  wrong command line
  clients such as pub and sub have more: see ferry sub --help"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A command line that starts the broker, by itself: whatever it does not understand, also `--help`, is for
/// [`Arguments`].
#[derive(Debug, Parser)]
pub(crate) struct ServeLine {
    #[command(subcommand)]
    pub(crate) command: ServeCommand,
}

/// The only command of a [`ServeLine`].
#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    Serve(ServeArguments),
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(ServeArguments),
    Check(CheckArguments),
    Pub(Box<PublishArguments>),
    Sub(Box<SubscribeArguments>),
    Rr(Box<RequestArguments>),
    Record(Box<RecordArguments>),
    Replay(Box<ReplayArguments>),
    Top(Box<TopArguments>),
    Passwd(PasswdArguments),
    Ctl(CtlCommand),
    Store(StoreArguments),
    Why(WhyArguments),
    Bench(Box<BenchCommand>),
    Completions(CompletionsArguments),
    Man(ManualArguments),
    /// One of the processes of a bench
    #[command(hide = true)]
    BenchAgent,
}

/// Start the broker
///
/// Without options it listens on tcp://127.0.0.1:1883 and ws://127.0.0.1:8083/mqtt, lets in everyone on this machine,
/// and keeps sessions, queues and retained messages on disk: what it has acknowledged survives a loss of power.
#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct ServeArguments {
    /// Read this configuration file [default: the one FERRY_CONFIG names, or none]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Listen here, in place of all other listeners; may be given several times
    ///
    /// tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or unix:///PATH. The host * is every
    /// address of the machine, port 0 any free port, and the path of a WebSocket /mqtt if none is given.
    #[arg(short, long, value_name = "ADDRESS")]
    listen: Vec<String>,

    /// Let in clients without a user name, on every listener, also from other machines
    #[arg(long)]
    allow_anonymous: bool,

    /// Users and the hashes of their passwords, a file made by `ferry passwd`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Who may do what, a file in the form of Mosquitto's acl_file
    #[arg(long, value_name = "FILE")]
    acl_file: Option<PathBuf>,

    /// Who may do what, a file of rules in TOML
    #[arg(long, value_name = "FILE", conflicts_with = "acl_file")]
    rules_file: Option<PathBuf>,

    /// Certificate chain for tls and wss, a PEM file
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// Private key of the certificate, a PEM file
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Require clients' certificates signed by one of these authorities, a PEM file
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,

    /// Keep everything in memory, whatever the file says: it ends with the process
    #[arg(long, conflicts_with = "data")]
    memory: bool,

    /// Keep sessions, queues and retained messages in this directory
    ///
    /// It is made if there is none. Without this, and without a file that names one, it is /var/lib/ferry for root and
    /// for whoever may write there, else ~/.local/share/ferry.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// How much to log, to standard error
    #[arg(long, value_name = "LEVEL", value_parser = PossibleValuesParser::new(LogLevel::NAMES))]
    log: Option<String>,

    /// Threads that serve clients, or "auto"
    #[arg(long, value_name = "NUMBER")]
    shards: Option<String>,
}

const SERVE_HELP: &str = "\
Examples:
  ferry serve --listen tcp://127.0.0.1:1884
  ferry serve --listen 'tcp://*:1883' --allow-anonymous
  ferry serve --listen 'tls://*:8883' --tls-cert chain.pem --tls-key key.pem --password-file passwords
  ferry serve --listen unix:///run/ferry.sock --log debug
  ferry serve --data /srv/ferry
  ferry serve --memory
  FERRY_LIMITS_CONNECTIONS_MAX=500 ferry serve

Settings, the stronger first: flags, environment variables, configuration file, defaults.
ferry.example.toml shows every option; each is also an environment variable, FERRY_<SECTION>_<KEY>.

Signals: SIGTERM and SIGINT stop the broker, SIGHUP reads the configuration again, as does a change of its file.
Exit codes: 0 stopped by a signal; 1 wrong configuration or could not start or go on; 2 wrong command line.";

/// Check a configuration file
///
/// Reads the file, and the environment as `ferry serve` would, and prints what it would do, or everything that is wrong
/// with it: file, line, column, option, and what to do.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  ferry check ferry.toml && kill -HUP $(pidof ferry)

Exit codes: 0 the file is right, perhaps with warnings; 1 it is not; 2 wrong command line.")]
pub(crate) struct CheckArguments {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Add, change and delete users in a password file
///
/// Asks for the password twice if standard input is a terminal, else reads it from there: its first line. The file is
/// replaced as a whole, so a running broker never reads half of it; who others are is left as it was. Files of
/// mosquitto_passwd can be changed too.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry passwd -c passwords ada                make the file
  ferry passwd passwords ben                   add ben, or change his password
  ferry passwd passwords ben < secret.txt
  ferry passwd -D passwords ben                delete ben
  ferry passwd -U passwords                    hash what is in plain text
  ferry passwd -H sha512-pbkdf2 passwords ada  so that Mosquitto 2.0 reads it too
  ferry passwd -H scram-sha-256 passwords ada  for clients that authenticate by SCRAM

Exit codes: 0 done; 1 it cannot be done, and the file is as it was; 2 wrong command line; 130 stopped with Ctrl-C.")]
pub(crate) struct PasswdArguments {
    /// Make the file; one that is there is replaced, with all its users
    #[arg(short, long, conflicts_with_all = ["delete", "upgrade"])]
    pub(crate) create: bool,

    /// Delete the user
    #[arg(short = 'D', long, conflicts_with_all = ["upgrade", "batch", "password_file"])]
    pub(crate) delete: bool,

    /// Hash the passwords of all users that are there in plain text
    #[arg(short = 'U', long, conflicts_with_all = ["user", "batch", "password_file"])]
    pub(crate) upgrade: bool,

    /// Take the password from the command line, where everyone on this machine can see it
    #[arg(short, long, requires = "password")]
    pub(crate) batch: bool,

    /// Take the password from the first line of this file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub(crate) password_file: Option<PathBuf>,

    /// How to hash; with scram-... the user can authenticate by that method, and with a plain password as before
    #[arg(short = 'H', long, value_name = "KIND", default_value = "argon2id", value_parser = PossibleValuesParser::new(["argon2id", "sha512-pbkdf2", "scram-sha-256", "scram-sha-512", "scram-sha-1"]))]
    pub(crate) hash: String,

    /// Rounds of the hash [default: 2 for argon2id, 210000 for sha512-pbkdf2, 100000 for scram]
    #[arg(short = 'I', long, value_name = "NUMBER")]
    pub(crate) iterations: Option<u32>,

    /// Memory of argon2id, in KiB, which the broker needs for each password it checks [default: 19456]
    #[arg(long, value_name = "KIB")]
    pub(crate) memory_kib: Option<u32>,

    /// Lanes of argon2id [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) parallelism: Option<u32>,

    /// The password file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The user
    #[arg(value_name = "USER", required_unless_present = "upgrade")]
    pub(crate) user: Option<String>,

    /// The password, with --batch
    #[arg(value_name = "PASSWORD", requires = "batch")]
    pub(crate) password: Option<String>,
}

/// Say which rule lets a client do something, or does not; or why a client was refused
///
/// With an action and a topic it reads the configuration, the files that it names, and the roles in the data directory, as
/// `ferry serve` would, and asks no running broker: `ferry ctl why` does. With --client it asks the running broker why a client was refused, disconnected, or not delivered to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry why --config ferry.toml --user ada publish house/door
  ferry why --config ferry.toml --client-id pump7 receive house/door
  ferry why --config ferry.toml --address 192.0.2.7 --qos 1 --retain publish house/door
  ferry why --client pump7

Exit codes: 0 allowed; 1 denied; 2 wrong command line or configuration. With --client those of ferry ctl.")]
pub(crate) struct WhyArguments {
    /// Ask the running broker about this client identifier
    #[arg(long, value_name = "ID", conflicts_with_all = ["action", "topic", "user", "client_id", "address", "certificate", "certificate_subject", "certificate_san", "certificate_fingerprint", "roles", "qos", "retain"])]
    pub(crate) client: Option<String>,

    #[command(flatten)]
    pub(crate) api: ApiArguments,

    /// The configuration file [default: the one FERRY_CONFIG names, or none]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The client's user name [default: an anonymous client]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// The client identifier
    #[arg(short = 'i', long, value_name = "ID", default_value = "")]
    pub(crate) client_id: String,

    /// Where the client comes from [default: rules about addresses do not match]
    #[arg(short, long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub(crate) address: String,

    /// Common name of the client's certificate [default: it has none]
    #[arg(long, value_name = "NAME")]
    pub(crate) certificate: Option<String>,

    /// Subject of the client's certificate, such as CN=pump-7,O=Example
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) certificate_subject: Option<String>,

    /// Alternative name of its certificate, such as DNS:pump-7.example; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) certificate_san: Vec<String>,

    /// SHA-256 of its certificate, in hexadecimal digits
    #[arg(long, value_name = "SHA256")]
    pub(crate) certificate_fingerprint: Option<String>,

    /// A role that the client has by its token or from the hook; may be given several times
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,

    /// The QoS to publish with
    #[arg(short, long, value_name = "QOS", default_value = "0", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) qos: u8,

    /// Publish a retained message
    #[arg(short, long)]
    pub(crate) retain: bool,

    /// What the client wants: publish, subscribe, or receive a message
    #[arg(value_name = "ACTION", required_unless_present = "client", value_parser = PossibleValuesParser::new(["publish", "subscribe", "receive"]))]
    pub(crate) action: Option<String>,

    /// The topic; for subscribe, the topic filter
    #[arg(value_name = "TOPIC", required_unless_present = "client")]
    pub(crate) topic: Option<String>,
}

/// Print a script that completes command lines
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry completions bash > ~/.local/share/bash-completion/completions/ferry
  ferry completions fish > ~/.config/fish/completions/ferry.fish
  ferry completions zsh > ~/.zfunc/_ferry        with fpath+=~/.zfunc before compinit in ~/.zshrc

Exit codes: 0 done; 2 wrong command line.")]
pub(crate) struct CompletionsArguments {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Print the manual page, or write the pages of all commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry man | man -l -
  ferry man ~/.local/share/man/man1

Exit codes: 0 done; 1 it cannot be written; 2 wrong command line.")]
pub(crate) struct ManualArguments {
    /// Write ferry.1, ferry-pub.1 and so on into this directory
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

/// Check, back up and restore a data directory
///
/// For directories that no broker uses at the time: stop it first, or work on a copy of the whole directory.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

/// What to do with a data directory.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything in it and say what is wrong; changes nothing
    #[command(after_help = "\
Example:
  ferry store check /var/lib/ferry

Exit codes: 0 nothing is lost; 1 something is damaged, or it cannot be read; 2 wrong command line.")]
    Check {
        /// The data directory
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Write everything in it as lines of JSON; changes nothing
    ///
    /// Sessions, messages and retained messages, and what is managed at run time: users, bans, roles and groups. Hashes
    /// of passwords are among them, and what messages say: the file of --output is for its owner alone (mode 0600); who
    /// may read what else the lines are written to is for you to say, such as by umask 077.
    #[command(after_help = "\
Examples:
  ferry store dump /var/lib/ferry --output backup.jsonl
  (umask 077; ferry store dump /var/lib/ferry | zstd > backup.jsonl.zst)
  ferry store dump /var/lib/ferry --without-users --output messages.jsonl
  ferry store dump /var/lib/ferry | jq 'select(.kind == \"retained\") | .topic'

Exit codes: 0 everything is in the dump; 1 what is damaged is not, or it cannot be done; 2 wrong command line.")]
    Dump {
        /// The data directory
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Write into this new file [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Leave out the users who are managed at run time, with the hashes of their passwords
        #[arg(long)]
        without_users: bool,
    },
    /// Make a data directory of a dump
    ///
    /// Also of one that an earlier version has made. Every line is checked as a broker would that reads it, and nothing is
    /// served of a dump that was not loaded to its end: after an error the directory is as empty as before, and if the
    /// program was stopped in the middle, no broker starts there until the dump has been loaded again.
    #[command(after_help = "\
Examples:
  ferry store load /var/lib/ferry --input backup.jsonl
  zstd -dc backup.jsonl.zst | ferry store load /var/lib/ferry

Exit codes: 0 all of it is there; 1 it cannot be done, and the directory is as empty as before; 2 wrong command line.")]
    Load {
        /// The directory: empty, or not there
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Read this file [default: standard input]
        #[arg(short, long, value_name = "FILE")]
        input: Option<PathBuf>,
    },
}

impl ServeArguments {
    pub(crate) fn into_sources(self) -> Sources {
        let flags = Flags {
            listen: self.listen,
            password_file: self.password_file,
            acl_file: self.acl_file,
            rules_file: self.rules_file,
            tls_certificate_file: self.tls_cert,
            tls_key_file: self.tls_key,
            tls_client_ca_file: self.tls_client_ca,
            allow_anonymous: self.allow_anonymous,
            memory: self.memory,
            data_directory: self.data,
            log_level: self.log,
            shards: self.shards,
        };
        Sources::from_process(self.config, flags)
    }
}

impl WhyArguments {
    pub(crate) fn sources(&self) -> Sources {
        Sources::from_process(self.config.clone(), Flags::default())
    }
}

impl CheckArguments {
    pub(crate) fn into_sources(self) -> Sources {
        Sources::from_process(Some(self.file), Flags::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_reach_the_configuration() {
        let line = "ferry serve --listen tcp://127.0.0.1:1 -l unix:///a --allow-anonymous --password-file p --acl-file a --tls-cert c --tls-key k \
                    --tls-client-ca a --memory --log debug --shards 3";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Some(Command::Serve(serve)) = arguments.command else { panic!("not serve") };
        let flags = serve.into_sources().flags;
        assert_eq!(flags.listen, ["tcp://127.0.0.1:1", "unix:///a"]);
        assert!(flags.allow_anonymous && flags.memory);
        assert_eq!(flags.password_file, Some("p".into()));
        assert_eq!(flags.acl_file, Some("a".into()));
        assert_eq!(flags.tls_certificate_file, Some("c".into()));
        assert_eq!(flags.tls_key_file, Some("k".into()));
        assert_eq!(flags.tls_client_ca_file, Some("a".into()));
        assert_eq!(flags.log_level.as_deref(), Some("debug"));
        assert_eq!(flags.shards.as_deref(), Some("3"));
    }

    #[test]
    fn memory_and_data_exclude_each_other() {
        assert!(Arguments::try_parse_from(["ferry", "serve", "--memory", "--data", "d"]).is_err());
    }
}
