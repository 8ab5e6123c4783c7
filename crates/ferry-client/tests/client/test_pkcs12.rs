use std::path::{Path, PathBuf};
use std::process::Command;

use ferry_client::{ClientCertificate, ClientOptions, ConnectionError};

use crate::certificates::Certificates;
use crate::scratch_directory::ScratchDirectory;
use crate::test_transports::tls_broker;

/// Runs openssl. False if there is none, or it has no such option.
fn openssl(arguments: &[&str]) -> bool {
    let Ok(output) = Command::new("openssl").args(arguments).output() else {
        eprintln!("SKIPPED: openssl is not installed");
        return false;
    };
    if !output.status.success() {
        eprintln!("SKIPPED: openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

/// Ways to write such a file, after `openssl pkcs12 -export`.
const EXPORTS: [&str; 10] = [
    "",
    // What programs wrote until a few years ago: RC2 of 40 bits, Triple DES, SHA-1.
    "-legacy",
    "-legacy -descert",
    "-keypbe AES-128-CBC -certpbe AES-192-CBC -macalg SHA512",
    "-keypbe AES-128-CBC -certpbe PBE-SHA1-3DES -macalg SHA384",
    "-keypbe NONE -certpbe NONE",
    "-certpbe NONE",
    "-nomac",
    "-name client -caname authority -certfile AUTHORITY",
    "-iter 1 -maciter",
];

/// With letters that are not in ASCII, too, and none.
const PASSWORDS: [&str; 3] = ["secret", "größer", ""];

fn export(certificates: &Certificates, file: &Path, how: &str, password: &str) -> bool {
    let text = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
    let password = format!("pass:{password}");
    let authority = text(&certificates.authority);
    let (client, key, file) =
        (text(&certificates.client), text(&certificates.client_key), file.display().to_string());
    let mut arguments =
        vec!["pkcs12", "-export", "-in", &client, "-inkey", &key, "-out", &file, "-passout", &password];
    arguments.extend(how.split_whitespace().map(|word| if word == "AUTHORITY" { &authority } else { word }));
    openssl(&arguments)
}

async fn attempt(
    certificates: &Certificates,
    port: u16,
    file: &Path,
    password: &str,
) -> Result<(), ConnectionError> {
    let mut options = ClientOptions::new(&format!("mqtts://localhost:{port}")).expect("a URL");
    options.transport.tls.ca_file = Some(certificates.authority.clone());
    options.transport.tls.client_certificate =
        Some(ClientCertificate::Pkcs12 { file: file.to_owned(), password: password.to_owned() });
    let client = options.connect().await?;
    client.disconnect().await;
    Ok(())
}

#[test]
fn files_of_openssl_are_read() {
    let directory = ScratchDirectory::new();
    let certificates = Certificates::new(&directory);
    let (broker, port) = tls_broker(&certificates, 0);
    let file = certificates.client.with_extension("p12");
    crate::run(async {
        for how in EXPORTS {
            for password in PASSWORDS {
                if !export(&certificates, &file, how, password) {
                    continue;
                }
                let connected = attempt(&certificates, port, &file, password).await;
                assert_eq!(connected, Ok(()), "{how:?} {password:?}");
                // What is not protected needs no password.
                if how != "-keypbe NONE -certpbe NONE" {
                    let error = attempt(&certificates, port, &file, "wrong").await.unwrap_err().to_string();
                    // Without a checksum, what it makes of the file looks like data one time in 256, and damaged then.
                    let cause = if how == "-nomac" { "" } else { "the password is wrong, or" };
                    assert!(error.contains(&format!("client.p12: {cause}")), "{how:?}: {error}");
                }
            }
        }
    });
    broker.shutdown();
    broker.join();
}

#[test]
fn files_that_cannot_be_used_are_explained() {
    let directory = ScratchDirectory::new();
    let certificates = Certificates::new(&directory);
    let (broker, port) = tls_broker(&certificates, 0);
    let file = certificates.client.with_extension("p12");
    crate::run(async {
        for (how, expected) in [
            ("-legacy -keypbe PBE-SHA1-2DES", "it is protected in a way that this program does not read"),
            (
                "-legacy -certpbe PBE-SHA1-RC4-128",
                "openssl pkcs12 -in OLD -nodes -legacy | openssl pkcs12 -export",
            ),
            ("-nokeys", "it has no private key"),
            ("-nocerts", "it has no "),
        ] {
            if export(&certificates, &file, how, "secret") {
                let error = attempt(&certificates, port, &file, "secret").await.unwrap_err().to_string();
                assert!(error.contains(expected), "{how}: {error}");
            }
        }
        for bytes in [&b""[..], b"-----BEGIN CERTIFICATE-----", &[0x30, 0x80, 0, 0]] {
            std::fs::write(&file, bytes).unwrap();
            let error = attempt(&certificates, port, &file, "secret").await.unwrap_err().to_string();
            assert!(error.contains("client.p12: not a PKCS#12 file"), "{error}");
        }
    });
    broker.shutdown();
    broker.join();
}
