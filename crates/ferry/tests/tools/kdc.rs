use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

use crate::program::{Process, Scratch};

/// A key distribution centre of its own for the realm `FERRY.TEST`, in a directory of its own.
pub(crate) struct Kdc {
    pub(crate) scratch: Scratch,
    process: Option<Process>,
}

impl Kdc {
    /// With these principals.
    pub(crate) fn start(principals: &[&str]) -> Self {
        // Between the choice of a port and the start somebody else may take it.
        std::iter::repeat_with(|| Self::try_start(principals)).flatten().next().expect("it starts")
    }

    fn try_start(principals: &[&str]) -> Option<Self> {
        let mut kdc = Self { scratch: Scratch::new(), process: None };
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = tcp.local_addr().expect("an address").port();
        drop((UdpSocket::bind(("127.0.0.1", port)).ok()?, tcp));
        let clients = format!(
            "[libdefaults]\ndefault_realm = FERRY.TEST\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\n\
             dns_canonicalize_hostname = false\n[realms]\nFERRY.TEST = {{\nkdc = 127.0.0.1:{port}\n}}\n\
             [domain_realm]\n.test = FERRY.TEST\n"
        );
        kdc.scratch.write("krb5.conf", clients.as_bytes());
        // Clocks that may differ by less let tickets end sooner.
        let exact = clients.replace("rdns = false", "rdns = false\nclockskew = 5");
        kdc.scratch.write("exact.conf", exact.as_bytes());
        let path = |name| kdc.scratch.path(name);
        let own = format!(
            "[kdcdefaults]\nkdc_listen = 127.0.0.1:{port}\nkdc_tcp_listen = 127.0.0.1:{port}\n[realms]\nFERRY.TEST = {{\n\
             database_name = {}\nkey_stash_file = {}\nacl_file = {}\n}}\n[logging]\nkdc = STDERR\n",
            path("principal"),
            path("stash"),
            path("acl"),
        );
        kdc.scratch.write("kdc.conf", own.as_bytes());
        kdc.administer("kdb5_util", &["create", "-s", "-W", "-P", "of a test"]);
        for principal in principals {
            kdc.administer("kadmin.local", &["-q", &format!("addprinc -randkey {principal}")]);
        }
        let mut command = kdc.command("krb5kdc");
        let mut child =
            command.arg("-n").stderr(Stdio::piped()).spawn().expect("krb5-kdc of Debian is installed");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        kdc.process = Some(Process(child));
        let is_running = lines.any(|line| line.contains("commencing operation"));
        std::thread::spawn(move || lines.for_each(drop));
        is_running.then_some(kdc)
    }

    /// Nobody gets a ticket any more.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// A keytab with the keys of these principals, which are new ones with `is_new`.
    pub(crate) fn keytab(&self, name: &str, principals: &str) -> String {
        let file = self.scratch.path(name);
        // Without new keys, tickets that were issued before stay good.
        self.administer("kadmin.local", &["-q", &format!("ktadd -norandkey -k {file} {principals}")]);
        file
    }

    /// A cache with a ticket-granting ticket.
    pub(crate) fn cache(&self, principal: &str, lifetime: &str) -> String {
        let keytab = self.keytab(&format!("{}.keytab", principal.replace('/', "-")), principal);
        let cache = self.scratch.path(&format!("{}-{lifetime}.cache", principal.replace('/', "-")));
        let mut kinit = self.command("kinit");
        succeed(kinit.args(["-k", "-t", &keytab, "-l", lifetime, "-c", &format!("FILE:{cache}"), principal]));
        cache
    }

    fn administer(&self, program: &str, arguments: &[&str]) {
        succeed(self.command(program).args(["-r", "FERRY.TEST"]).args(arguments));
    }

    fn command(&self, program: &str) -> Command {
        // Administrators' programs are not on everybody's path.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("env");
        command.arg(format!("PATH={path}")).arg(program);
        self.environment(&mut command, "krb5.conf");
        command.stdout(Stdio::null());
        command
    }

    /// Has a program know this realm only, and keep what it keeps in this directory.
    pub(crate) fn environment(&self, command: &mut Command, configuration: &str) {
        command
            .env("KRB5_CONFIG", self.scratch.path(configuration))
            .env("KRB5_KDC_PROFILE", self.scratch.path("kdc.conf"))
            .env("KRB5CCNAME", format!("FILE:{}", self.scratch.path("none.cache")))
            .env("KRB5RCACHENAME", "dfl:")
            .env("KRB5RCACHEDIR", self.scratch.path(""))
            .env_remove("KRB5_KTNAME")
            .env_remove("KRB5_CLIENT_KTNAME");
    }
}

fn succeed(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().expect("krb5-admin-server and krb5-user of Debian");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
