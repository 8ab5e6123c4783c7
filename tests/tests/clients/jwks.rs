//! Keys made and signed with by Python's cryptography and PyJWT, and served by Python: nothing of it is ours but the broker.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use ferry_tests::ferry::{Ferry, ScratchDirectory, Transport};
use libtest_mimic::Trial;

use crate::library::python;
use crate::mosquitto_program::{MosquittoProgram, output};

const PATIENCE: Duration = Duration::from_secs(60);

const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

const BAD: &str = "Bad user name or password";

/// Makes keys, whose names begin with their algorithm, into files, and a set of those whose names end as wanted. As other servers
/// have it, there is one for encryption too, and one of a kind that came later than the broker.
const KEYS: &str = "
import json, os, sys
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
directory, published, *names = sys.argv[1:]
kinds = {
    'RS256': (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    'ES256': (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    'EdDSA': (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
}
keys = []
for name in names:
    make, algorithm = kinds[name.split('-')[0]]
    key = make()
    with open(f'{directory}/{name}.pem', 'wb') as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if name.endswith(published):
        jwk = json.loads(algorithm.to_jwk(key.public_key()))
        keys.append({**jwk, 'kid': name, 'use': 'sig', 'alg': name.split('-')[0]})
public = rsa.generate_private_key(65537, 2048).public_key()
keys.append({**json.loads(RSAAlgorithm.to_jwk(public)), 'kid': 'e', 'use': 'enc', 'alg': 'RSA-OAEP', 'key_ops': ['wrapKey']})
keys.append({'kty': 'AKP', 'alg': 'ML-DSA-44', 'kid': 'new', 'pub': 'AAAA'})
with open(f'{directory}/new.json', 'w') as file:
    json.dump({'keys': keys}, file)
os.makedirs(f'{directory}/served', exist_ok=True)
os.replace(f'{directory}/new.json', f'{directory}/served/jwks.json')
";

/// Says what CONNACK said to a token of such a key that names that one.
const PAHO: &str = "
import sys, time, jwt, paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
port, version, file, named = sys.argv[1:]
algorithm = file.split('/')[-1].split('-')[0]
claims = {'sub': 'ada', 'aud': 'mqtt', 'exp': time.time() + 600}
token = jwt.encode(claims, open(file, 'rb').read(), algorithm=algorithm, headers={'kid': named})
client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id='paho', protocol=int(version))
client.username_pw_set('whoever', token)
def answered(client, userdata, flags, reason, properties):
    print(reason)
    client.disconnect()
client.on_connect = answered
# Or it would come again after a refusal.
client.on_disconnect = lambda *_: client.disconnect()
client.connect('127.0.0.1', int(port))
client.loop_forever(retry_first_connection=False)
";

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn()| {
        Trial::test(format!("jwks::{name}"), move || {
            run();
            Ok(())
        })
    };
    vec![trial("tokens_of_each_algorithm", algorithms), trial("keys_are_changed", rotation)]
}

/// A broker that has its keys from a server, and what makes them.
struct Keys {
    directory: ScratchDirectory,
    _server: MosquittoProgram,
    ferry: Ferry,
}

impl Keys {
    /// With a key of each algorithm that is published, and one that is not.
    fn new() -> Self {
        let directory = ScratchDirectory::new();
        let names = ALGORITHMS.map(|algorithm| [format!("{algorithm}-1"), format!("{algorithm}-secret")]);
        make(&directory, "-1", &names.concat());
        // It tells of each request otherwise.
        let quiet = "exec \"$0\" -u -m http.server 0 --bind 127.0.0.1 --directory \"$1\" 2>/dev/null";
        let mut server = Command::new("sh");
        server.args(["-c", quiet]).arg(python()).arg(directory.path("served"));
        let mut server = MosquittoProgram::start(&mut server);
        let line = server.wait_for("Serving HTTP on 127.0.0.1 port ");
        let port = line.split(' ').nth(5).expect("the line has a port");
        let ferry = Ferry::start(&format!(
            "[authentication]\njwt_jwks_url = \"http://127.0.0.1:{port}/jwks.json\"\njwt_audience = \"mqtt\"\n\
             jwt_algorithms = [\"RS256\", \"ES256\", \"EdDSA\"]\njwt_jwks_cooldown_seconds = 1\n"
        ));
        Self { directory, _server: server, ferry }
    }

    /// What a client is told with a token that one key has signed and that names one.
    fn said(&self, version: &str, key: &str, named: &str) -> String {
        let port = self.ferry.port(Transport::Tcp).to_string();
        let file = self.file(key);
        let mut client = Command::new(python());
        output(client.args(["-c", PAHO, &port, version]).arg(file).arg(named)).trim().to_owned()
    }

    fn file(&self, key: &str) -> PathBuf {
        self.directory.path(&format!("{key}.pem"))
    }
}

fn make(directory: &ScratchDirectory, published: &str, names: &[String]) {
    let mut command = Command::new(python());
    output(command.args(["-c", KEYS]).arg(directory.path("")).arg(published).args(names));
}

fn algorithms() {
    let keys = Keys::new();
    for algorithm in ALGORITHMS {
        let (published, secret) = (format!("{algorithm}-1"), format!("{algorithm}-secret"));
        for version in ["4", "5"] {
            assert_eq!(keys.said(version, &published, &published), "Success", "{algorithm}");
        }
        // Another key, by its own name and by that of one that is good.
        assert_eq!(keys.said("5", &secret, &secret), BAD, "{algorithm}");
        assert_eq!(keys.said("5", &secret, &published), BAD, "{algorithm}");
    }
    assert_eq!(keys.said("5", "RS256-1", "ES256-1"), BAD);
    keys.ferry.stop();
}

fn rotation() {
    let keys = Keys::new();
    assert_eq!(keys.said("5", "ES256-1", "ES256-1"), "Success");
    let names = ALGORITHMS.map(|algorithm| format!("{algorithm}-2"));
    make(&keys.directory, "-2", &names);
    let begin = Instant::now();
    // Keys are not fetched twice within a second.
    while keys.said("5", "RS256-2", "RS256-2") != "Success" {
        assert!(begin.elapsed() < PATIENCE, "the new keys are not fetched:\n{}", keys.ferry.log());
    }
    assert_eq!(keys.said("5", "EdDSA-2", "EdDSA-2"), "Success");
    assert_eq!(keys.said("5", "ES256-1", "ES256-1"), BAD);
    keys.ferry.stop();
}
