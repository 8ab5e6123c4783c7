//! Checks of `[admin]`: nobody may reach it unprotected.

use ferry_net::{ListenAddress, TlsAcceptor};

use super::admin::{Admin, TokenSecret, read_secret};
use super::file_access::FileUse;
use super::load::Places;
use super::problem::Problem;

/// Checks the section, its files included.
pub(super) fn validate_admin(
    admin: &Admin,
    places: &Places,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let describe = |key: &str, message: String, remedy: &str| {
        let option = format!("admin.{key}");
        let place = places.of(&[&option, "admin.address"]);
        Problem { place, option, message, remedy: remedy.to_owned() }
    };
    for token in &admin.token {
        if let TokenSecret::File(path) = &token.secret
            && let Err(problem) = read_secret(path, warnings)
        {
            problems.push(problem);
        }
        if admin.token.iter().filter(|other| other.name == token.name).count() > 1 {
            let message = format!("there are two tokens with the name {}", token.name);
            problems.push(describe("token", message, "give each token a name of its own"));
            break;
        }
    }
    let Some(address) = &admin.address else { return };
    let uses_tls = match address {
        ListenAddress::Tcp(_) => false,
        ListenAddress::Tls(_) => true,
        _ => {
            let message = format!("{address} is no address for HTTP");
            let remedy = "write tcp://127.0.0.1:9883 or tls://HOST:9883; a Unix socket is there anyway";
            return problems.push(describe("address", message, remedy));
        }
    };
    if !address.is_local_only() {
        if admin.token.is_empty() {
            let message = format!("other machines can reach {address}, and nobody has a token");
            let remedy = "add a block [[admin.token]] with name, role and file, or listen on 127.0.0.1";
            problems.push(describe("address", message, remedy));
        }
        if !uses_tls && !admin.unencrypted_allowed {
            let message = format!("tokens would travel unencrypted to {address}");
            let remedy = "listen on tls:// with tls_certificate_file and tls_key_file, or on 127.0.0.1; in a network of \
                          your own, set admin.unencrypted_allowed = true";
            problems.push(describe("address", message, remedy));
        }
    }
    tls_files(admin, address, uses_tls, &describe, problems, warnings);
}

fn tls_files(
    admin: &Admin,
    address: &ListenAddress,
    uses_tls: bool,
    describe: &dyn Fn(&str, String, &str) -> Problem,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let files =
        [("tls_certificate_file", &admin.tls_certificate_file), ("tls_key_file", &admin.tls_key_file)];
    for (key, file) in files {
        if uses_tls && file.is_none() {
            let message = format!("{address} needs a {key}");
            problems.push(describe(key, message, "name a PEM file"));
        }
        if !uses_tls && file.is_some() {
            let message = format!("{address} does not use TLS");
            problems.push(describe(key, message, "listen on tls://, or remove the line"));
        }
    }
    if let Some(file) = admin.tls_key_file.as_ref().filter(|_| uses_tls) {
        warnings.extend(FileUse::Secret.warning(file, "admin.tls_key_file"));
    }
    if let Some(file) = admin.tls_certificate_file.as_ref().filter(|_| uses_tls) {
        warnings.extend(FileUse::Trusted.warning(file, "admin.tls_certificate_file"));
    }
    if let Some(options) = admin.tls_options()
        && let Err(error) = TlsAcceptor::new(&options, address.transport())
    {
        let remedy = "put the right file there and check its permissions";
        problems.push(describe("tls_certificate_file", error.to_string(), remedy));
    }
}
