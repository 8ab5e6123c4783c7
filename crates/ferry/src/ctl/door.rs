use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ferry_broker::config::{Config, Flags, Sources};
use ferry_client::TlsOptions;

use super::failure::Failure;

/// How long the broker may take to say anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the admin API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// One of these Unix sockets: the first that is there.
    Unix(Vec<PathBuf>),
    /// `HOST:PORT`.
    Http(String),
    /// The same, with TLS.
    Https(String),
}

/// A connection to it.
pub(super) trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

impl Door {
    /// Where the command line says, or where a broker of this machine has its socket.
    pub(super) fn find(admin: Option<&str>, config: Option<&Path>) -> Result<Self, Failure> {
        match admin {
            Some(text) => Self::parse(text),
            None => usual(config),
        }
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            let words = format!("{text:?} is not the URL of an admin API");
            let remedy = "write http://HOST:PORT or https://HOST:PORT, such as http://127.0.0.1:9883, or the path of its socket";
            Failure::wrong_command_line(words, remedy)
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::Unix(vec![text.into()]));
        };
        let (door, port): (fn(String) -> Self, u16) = match scheme {
            "unix" => return Ok(Self::Unix(vec![rest.into()])),
            "http" => (Self::Http, 80),
            "https" => (Self::Https, 443),
            _ => return Err(wrong()),
        };
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
            return Err(wrong());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(door(if has_port { authority.to_owned() } else { format!("{authority}:{port}") }))
    }

    /// The name by which the broker is called.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Unix(_) => "localhost",
            Self::Http(authority) | Self::Https(authority) => authority,
        }
    }

    pub(super) fn open(&self, tls: &TlsOptions) -> Result<Box<dyn Connection>, Failure> {
        let authority = match self {
            Self::Unix(paths) => return open_unix(paths),
            Self::Http(authority) | Self::Https(authority) => authority,
        };
        let remedy = "is the broker running, and is this its admin.address?";
        let socket = open_tcp(authority)
            .map_err(|error| Failure::no_answer(format!("{authority}: {error}"), remedy))?;
        if matches!(self, Self::Http(_)) {
            return Ok(Box::new(socket));
        }
        let stream = tls.connect_blocking(socket, host_of(authority)).map_err(|error| {
            let remedy = "is it tls:// in admin.address? Name the authority of its certificate with --cafile FILE; if the \
                          certificate has another name than this, --insecure takes it";
            Failure::no_answer(format!("https://{authority}: {error}"), remedy)
        })?;
        Ok(Box::new(stream))
    }
}

/// The host of an authority, without port, and without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn open_tcp(authority: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => {
                socket.set_read_timeout(Some(PATIENCE))?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open_unix(paths: &[PathBuf]) -> Result<Box<dyn Connection>, Failure> {
    for path in paths {
        let opened = UnixStream::connect(path).and_then(|socket| {
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => return Ok(Box::new(socket)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let remedy = "be the user that runs the broker (for example: sudo -u ferry ferry ctl ...), or use \
                              --admin http://HOST:PORT with --token-file FILE";
                return Err(Failure::permission(format!("{}: {error}", path.display()), remedy));
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let words = format!("{}: nobody listens there any more", path.display());
                return Err(Failure::no_answer(words, "start the broker with `ferry serve`"));
            }
            Err(_) => {}
        }
    }
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let remedy = "start the broker with `ferry serve`; if it runs with another data directory, name its socket with --admin PATH \
                  or its configuration with --config FILE; if it keeps everything in memory, set admin.address and use \
                  --admin http://HOST:PORT";
    Err(Failure::no_answer(format!("no broker: there is no {}", paths.join(" nor ")), remedy))
}

/// The sockets where a broker of this configuration, or one that the system has started, would listen.
fn usual(config: Option<&Path>) -> Result<Door, Failure> {
    let sources = Sources::from_process(config.map(Path::to_owned), Flags::default());
    let system = PathBuf::from("/var/lib/ferry");
    let directory = match Config::load(&sources) {
        Ok(loaded) => loaded.config.storage.directory(),
        // The broker's user may be able to read what this one is not.
        Err(problems) if sources.file.is_some() => {
            let remedy = "name the socket itself with --admin PATH";
            return Err(Failure::no_answer(format!("{problems}"), remedy));
        }
        Err(_) => None,
    };
    let mut directories: Vec<PathBuf> = directory.into_iter().collect();
    if sources.file.is_none() && !directories.contains(&system) {
        directories.push(system);
    }
    if directories.is_empty() {
        let words = "this configuration keeps everything in memory, so the broker has no socket";
        return Err(Failure::no_answer(words, "set admin.address and use --admin http://HOST:PORT"));
    }
    Ok(Door::Unix(directories.into_iter().map(|directory| directory.join("admin.sock")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_are_urls_or_paths() {
        let http = |text: &str| Door::Http(text.to_owned());
        let parse = |text| Door::parse(text).expect("a door");
        assert_eq!(parse("http://127.0.0.1:9883/"), http("127.0.0.1:9883"));
        assert_eq!(parse("http://[::1]:9883"), http("[::1]:9883"));
        assert_eq!(parse("http://ferry.example"), http("ferry.example:80"));
        assert_eq!(parse("/run/x.sock"), Door::Unix(vec!["/run/x.sock".into()]));
        assert_eq!(parse("unix:///run/x.sock"), Door::Unix(vec!["/run/x.sock".into()]));
        assert_eq!(parse("https://ferry.example"), Door::Https("ferry.example:443".to_owned()));
        assert_eq!(["ferry.example:443", "[::1]:1"].map(host_of), ["ferry.example", "::1"]);
        for wrong in ["http://", "http://a/b", "http://a@b", "https://a/b", "ftp://a"] {
            assert!(Door::parse(wrong).is_err(), "{wrong}");
        }
    }
}
