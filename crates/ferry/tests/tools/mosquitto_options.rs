//! Every option of mosquitto_pub, mosquitto_sub and mosquitto_rr 2.0, and what becomes of it here.

use Here::{Alike, Feature, Other, Refused};

/// One option.
pub(crate) struct MosquittoOption {
    /// All names that it has there.
    pub(crate) names: &'static [&'static str],
    /// Which clients have it: the letters p, s and r.
    pub(crate) clients: &'static str,
    pub(crate) here: Here,
    /// What is to be known besides, in the words of the guide.
    pub(crate) note: &'static str,
    /// Options with which it is tried. `OPTION` is each of its names, `TOPIC` the topic of the client, words in capital letters
    /// ports, files and directories. Empty if it cannot be tried.
    pub(crate) trial: &'static str,
}

/// What becomes of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    /// The same comes out, and the exit code is the same.
    Alike,
    /// It does the same, but something about it cannot be compared; the note says what.
    Other,
    /// An error with these words says what to do instead.
    Refused(&'static str),
    /// It does the same if the program is built with this feature, which has tests of its own; otherwise it is refused, with
    /// words that name it.
    Feature(&'static str),
}

const fn option(
    names: &'static [&'static str],
    clients: &'static str,
    here: Here,
    trial: &'static str,
    note: &'static str,
) -> MosquittoOption {
    MosquittoOption { names, clients, here, note, trial }
}

const PSK: &str =
    "cannot be together with `--cafile` and `--capath`; other options about certificates have no effect then";
const ENGINE: &str = "there are no engines of OpenSSL; give the private key as a PEM file: `--key`";
const WITH_CERTIFICATE: &str =
    "OPTION CLIENT_CERTIFICATE --key CLIENT_KEY --cafile AUTHORITY -h localhost -p TLS_PORT";

/// In the order of the guide.
pub(crate) const OPTIONS: &[MosquittoOption] = &[
    // Where to, and as whom.
    option(&["-h", "--host"], "psr", Alike, "OPTION 127.0.0.1", ""),
    option(&["-p", "--port"], "psr", Alike, "OPTION PORT", ""),
    option(
        &["-L", "--url"],
        "psr",
        Alike,
        "OPTION mqtt://127.0.0.1:PORT/TOPIC",
        "also `mqtt+srv://`, `ws://` and `wss://`; cannot be together with `-h` and `-p`",
    ),
    option(
        &["-S"],
        "psr",
        Alike,
        "",
        "Debian's clients are built without it; needs `-h`, and cannot be together with `-p`: the port is in the records",
    ),
    option(&["--unix"], "psr", Alike, "OPTION SOCKET", "cannot be together with `-h` and `-p`"),
    option(&["-A"], "psr", Alike, "OPTION 127.0.0.1", "of a name with several addresses, one of IPv4"),
    option(&["--proxy"], "psr", Alike, "OPTION socks5h://127.0.0.1:PROXY_PORT", "also `http://`"),
    option(&["--nodelay"], "psr", Alike, "OPTION", "always so"),
    option(&["-i", "--id"], "psr", Alike, "OPTION TOPIC", ""),
    option(&["-I", "--id-prefix"], "psr", Alike, "OPTION me-", ""),
    option(&["-u", "--username"], "psr", Alike, "OPTION ada", ""),
    option(&["-P", "--pw"], "psr", Alike, "OPTION secret -u ada", "in MQTT 5.0 also without `-u`"),
    option(&["-c", "--disable-clean-session"], "psr", Alike, "OPTION -i lasting-TOPIC", ""),
    option(&["-x"], "psr", Alike, "OPTION 5 -V mqttv5", "without `-V` it makes the version MQTT 5.0"),
    option(&["-k", "--keepalive"], "psr", Alike, "OPTION 30", "also 0 to 4"),
    option(&["-V", "--protocol-version"], "psr", Alike, "OPTION mqttv31", ""),
    option(&["-M"], "psr", Alike, "OPTION 5", ""),
    option(
        &["-D", "--property"],
        "psr",
        Alike,
        "OPTION connect receive-maximum 5",
        "without `-V` it makes the version MQTT 5.0; `publish topic-alias` has no effect, and `subscribe \
         subscription-identifier` is refused: the client uses both for itself",
    ),
    option(&["-d", "--debug"], "psr", Other, "OPTION", "writes to standard error, in other words"),
    option(&["--quiet"], "psr", Alike, "OPTION", ""),
    option(&["--help"], "psr", Other, "OPTION", "ends with 0, not 1"),
    option(&["--version"], "psr", Other, "OPTION", "ends with 0, not 1"),
    // The will.
    option(&["--will-topic"], "psr", Alike, "OPTION w", ""),
    option(&["--will-payload"], "psr", Alike, "OPTION x --will-topic w", ""),
    option(&["--will-qos"], "psr", Alike, "OPTION 1 --will-topic w", ""),
    option(&["--will-retain"], "psr", Alike, "OPTION --will-topic w", ""),
    // TLS.
    option(&["--cafile"], "psr", Alike, "OPTION AUTHORITY -h localhost -p TLS_PORT", ""),
    option(
        &["--capath"],
        "psr",
        Alike,
        "OPTION AUTHORITIES -h localhost -p TLS_PORT",
        "all files of the directory; it needs no names made by `openssl rehash`",
    ),
    option(
        &["--tls-use-os-certs"],
        "psr",
        Alike,
        "OPTION -h localhost -p TLS_PORT",
        "also together with `--cafile`",
    ),
    option(&["--cert"], "psr", Alike, WITH_CERTIFICATE, ""),
    option(
        &["--key"],
        "psr",
        Alike,
        "OPTION CLIENT_KEY --cert CLIENT_CERTIFICATE --cafile AUTHORITY -h localhost -p TLS_PORT",
        "one that is encrypted is refused: `openssl pkey` writes it without a password",
    ),
    option(
        &["--keyform"],
        "psr",
        Alike,
        "OPTION pem --key CLIENT_KEY --cert CLIENT_CERTIFICATE --cafile AUTHORITY -h localhost -p TLS_PORT",
        "`engine` is refused: there are no engines of OpenSSL",
    ),
    option(
        &["--insecure"],
        "psr",
        Alike,
        "OPTION --cafile AUTHORITY -h 127.0.0.1 -p TLS_PORT",
        "alone it switches TLS on, with the authorities of the system",
    ),
    option(
        &["--tls-version"],
        "psr",
        Alike,
        "OPTION tlsv1.3 --cafile AUTHORITY -h localhost -p TLS_PORT",
        "`tlsv1.1` is refused, as it is not safe; alone it switches TLS on",
    ),
    option(
        &["--tls-alpn"],
        "psr",
        Alike,
        "OPTION mqtt --cafile AUTHORITY -h localhost -p TLS_PORT",
        "alone it switches TLS on",
    ),
    option(
        &["--ciphers"],
        "psr",
        Refused("leave it out"),
        "OPTION ALL",
        "cipher suites cannot be chosen, as there are only safe ones of TLS 1.2 and 1.3; leave it out",
    ),
    option(&["--tls-engine"], "psr", Refused("--key"), "OPTION x", ENGINE),
    option(&["--tls-engine-kpass-sha1"], "psr", Refused("--key"), "OPTION x", ENGINE),
    option(&["--psk"], "psr", Feature("psk"), "OPTION 12ab", PSK),
    option(&["--psk-identity"], "psr", Feature("psk"), "OPTION x", "not without `--psk`"),
    // What to publish.
    option(&["-t", "--topic"], "psr", Alike, "OPTION TOPIC", ""),
    option(&["-m", "--message"], "pr", Alike, "OPTION text", ""),
    option(&["-f", "--file"], "pr", Alike, "OPTION AUTHORITY", ""),
    option(&["-n", "--null-message"], "pr", Alike, "OPTION", ""),
    option(&["-s", "--stdin-file"], "pr", Alike, "OPTION", ""),
    option(&["-l", "--stdin-line"], "p", Alike, "OPTION", ""),
    option(&["-r", "--retain"], "p", Alike, "OPTION", ""),
    option(&["-q", "--qos"], "psr", Alike, "OPTION 2", ""),
    option(&["--repeat"], "p", Alike, "OPTION 2", ""),
    option(&["--repeat-delay"], "p", Alike, "OPTION 0.01 --repeat 2", ""),
    option(&["-e"], "r", Alike, "OPTION answer", ""),
    // What to print.
    option(&["-v", "--verbose"], "sr", Alike, "OPTION", ""),
    option(
        &["-F"],
        "sr",
        Alike,
        "OPTION %t|%p|%q|%r",
        "of numbers in `%J`, `2.0` stays `2.0`; `%A` and `%S` are blank",
    ),
    option(&["-N"], "sr", Alike, "OPTION", ""),
    option(&["--pretty"], "sr", Alike, "OPTION", ""),
    option(&["-C"], "s", Alike, "OPTION 1", ""),
    option(&["-W"], "sr", Alike, "OPTION 1", ""),
    option(&["-E"], "s", Alike, "OPTION", ""),
    option(&["-R"], "s", Alike, "OPTION -W 1", ""),
    option(&["-R"], "r", Other, "OPTION -W 1", "mosquitto_rr 2.0.11 takes a retained answer nevertheless"),
    option(&["-T", "--filter-out"], "s", Alike, "OPTION other", ""),
    option(&["-U", "--unsubscribe"], "s", Alike, "OPTION other", ""),
    option(
        &["--random-filter"],
        "s",
        Other,
        "OPTION 100",
        "100 prints all; mosquitto_sub 2.0.11 leaves some out",
    ),
    option(&["--retained-only"], "s", Alike, "OPTION", ""),
    option(&["--remove-retained"], "s", Other, "OPTION", "mosquitto_sub 2.0.11 does not end then with `-C`"),
    option(
        &["--retain-as-published"],
        "s",
        Alike,
        "OPTION -V mqttv5",
        "without `-V` it makes the version MQTT 5.0",
    ),
];
