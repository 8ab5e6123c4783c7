//! A PostgreSQL server of its own for a test: in a new directory, on a Unix socket there.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

/// Where Debian has the programs of a server, by its version.
const PROGRAMS: &str = "/usr/lib/postgresql";

const START: [&str; 7] = ["start", "-w", "-s", "-D", "data", "-l", "log"];

const STOP: [&str; 6] = ["stop", "-s", "-m", "immediate", "-D", "data"];

pub(crate) struct Server {
    directory: PathBuf,
    programs: PathBuf,
    pub(crate) port: u16,
}

impl Server {
    /// On a Unix socket alone, so that no port can be somebody else's. `None` if there is no PostgreSQL on this machine: `cargo xtask
    /// features` says so.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let server = Self::new(test)?;
        server.configure("");
        server.go();
        server.sql(&crate::sql::table());
        Some(server)
    }

    /// On a port of the loopback address too, with TLS.
    pub(crate) fn start_with_port(test: &str) -> Option<Self> {
        const TRIES: usize = 10;
        let mut server = Self::new(test)?;
        server.certificates();
        // What was free a moment ago may be taken now.
        let started = (0..TRIES).any(|_| {
            let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
            server.port = socket.local_addr().expect("an address").port();
            drop(socket);
            server.configure(
                "listen_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = '../server.pem'\n\
                 ssl_key_file = '../server-key.pem'\n",
            );
            server.command("pg_ctl", &START).status().is_ok_and(|status| status.success())
        });
        assert!(started, "{}", std::fs::read_to_string(server.path("log")).unwrap_or_default());
        server.sql(&crate::sql::table());
        Some(server)
    }

    fn new(test: &str) -> Option<Self> {
        let programs = programs()?;
        let directory = std::env::temp_dir().join(format!("ferry-postgresql-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).expect("a directory for the test");
        std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).expect("ours");
        if let Some(user_id) = server_user() {
            chown(&directory, Some(user_id), None).expect("root may");
        }
        let server = Self { directory, programs, port: 5432 };
        server.run(
            "initdb",
            &["-U", "ferry", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D", "data"],
        );
        // `locked` must prove who it is, and only by TLS.
        server.write(
            "data/pg_hba.conf",
            "local all all trust\nhostssl all locked 127.0.0.1/32 scram-sha-256\n",
        );
        Some(server)
    }

    fn configure(&self, more: &str) {
        let (port, directory) = (self.port, self.directory.display());
        self.write(
            "data/postgresql.conf",
            &format!(
                "port = {port}\nunix_socket_directories = '{directory}'\nlisten_addresses = ''\nfsync = off\n\
                 shared_buffers = 1MB\nmax_connections = 20\n{more}"
            ),
        );
    }

    /// Starts it (again), and waits until it answers.
    pub(crate) fn go(&self) {
        self.run("pg_ctl", &START);
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&self) {
        self.run("pg_ctl", &STOP);
    }

    /// Has statements executed, and returns what they give, without headings.
    pub(crate) fn sql(&self, statements: &str) -> String {
        let port = self.port.to_string();
        let directory = self.directory.display().to_string();
        let arguments = [
            "-h",
            &directory,
            "-p",
            &port,
            "-U",
            "ferry",
            "-d",
            "postgres",
            "-v",
            "ON_ERROR_STOP=1",
            "-qAtc",
        ];
        let output = self.run("psql", &[&arguments[..], &[statements]].concat());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// By its Unix socket, as a user that is trusted.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://ferry@/postgres?host={}&port={}", self.directory.display(), self.port)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("ours");
        if let Some(user_id) = server_user() {
            chown(&path, Some(user_id), None).expect("root may");
        }
        path
    }

    /// The certificate of an authority in `ca.pem`, and that of the server for `localhost` alone.
    fn certificates(&self) {
        let mut authority = CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"));
        let authority = authority.expect("a certificate");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
        self.write("ca.pem", &authority.pem());
        self.write("server.pem", &certificate.pem());
        self.write("server-key.pem", &key.serialize_pem());
    }

    /// A program of the server, as the user that it runs as, without our input and output: what it starts stays.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(&self.directory).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(user_id) = server_user() {
            command.uid(user_id).gid(user_id);
        }
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(program, arguments);
        if program != "pg_ctl" {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let output = command.output().unwrap_or_else(|error| panic!("{program}: {error}"));
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {words}\n{log}");
        output
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.command("pg_ctl", &STOP).status();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(PROGRAMS).ok()?.flatten().map(|entry| entry.path().join("bin"));
    let mut found: Vec<PathBuf> = versions.filter(|programs| programs.join("initdb").exists()).collect();
    found.sort();
    found.pop()
}

/// The server refuses to run as root.
fn server_user() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    let of_postgres =
        users.lines().find_map(|line| line.strip_prefix("postgres:x:")?.split(':').next()?.parse().ok());
    Some(of_postgres.unwrap_or(65_534))
}
