//! Reading what the hook is asked with.

use std::path::{Path, PathBuf};

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

use super::authentication::Authentication;
use super::file_access::FileUse;
use super::problem::{Place, Problem};
use crate::http_client::{HttpUrl, read_authorities};

const HEADER_FILE: &str = "authentication.hook_header_file";

/// Where the hook is, and what it is told about the broker.
#[derive(Debug)]
pub(crate) struct HookServer {
    pub(crate) url: HttpUrl,
    pub(crate) headers: HeaderMap,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Reads and checks what the hook is asked with, if there is one; what is doubtful goes to `warnings`. `place_of` says where an
/// option was set.
pub(crate) fn read_hook(
    authentication: &Authentication,
    place_of: &dyn Fn(&str) -> Place,
    warnings: &mut Vec<Problem>,
) -> Result<Option<HookServer>, Vec<Problem>> {
    let Some(text) = &authentication.hook_url else { return Ok(None) };
    let option = "authentication.hook_url";
    let url = read_url(option, text, place_of, "passwords", warnings).map_err(|problem| vec![problem])?;
    let ca_file = authentication.hook_ca_file.clone();
    if let Some(path) = &ca_file {
        check_ca_file("authentication.hook_ca_file", path).map_err(|problem| vec![problem])?;
    }
    let headers = match &authentication.hook_header_file {
        Some(path) => read_headers(HEADER_FILE, path, warnings)?,
        None => HeaderMap::new(),
    };
    Ok(Some(HookServer { url, headers, ca_file }))
}

/// The URL of a server that is asked; `secrets` are what would travel to it in plain text.
pub(super) fn read_url(
    option: &str,
    text: &str,
    place_of: &dyn Fn(&str) -> Place,
    secrets: &str,
    warnings: &mut Vec<Problem>,
) -> Result<HttpUrl, Problem> {
    let problem = |message: String, remedy: &str| Problem {
        place: place_of(option),
        option: option.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let url: HttpUrl = text
        .parse()
        .map_err(|error| problem(format!("{text:?}: {error}"), "write such as https://auth.example/mqtt"))?;
    if url.is_open() {
        warnings.push(problem(format!("{secrets} travel unencrypted to {url}"), "use https://"));
    }
    Ok(url)
}

/// Whether a file has authorities.
pub(super) fn check_ca_file(option: &str, path: &Path) -> Result<(), Problem> {
    read_authorities(path).map(drop).map_err(|error| Problem {
        place: Place::WholeFile(path.display().to_string()),
        option: option.to_owned(),
        message: error.to_string(),
        remedy: "give certificates in PEM, and check the permissions".to_owned(),
    })
}

/// The headers in the file that `option` names.
pub(super) fn read_headers(
    option: &str,
    path: &Path,
    warnings: &mut Vec<Problem>,
) -> Result<HeaderMap, Vec<Problem>> {
    let name = path.display().to_string();
    let problem = |place: Place, message: &str, remedy: &str| Problem {
        place,
        option: option.to_owned(),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
    };
    let whole = || Place::WholeFile(name.clone());
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the headers cannot be read: {error}");
        vec![problem(whole(), &message, "check the path and its permissions")]
    })?;
    let mut headers = HeaderMap::new();
    let mut problems = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        match header(text) {
            Ok((name, value)) => drop(headers.append(name, value)),
            Err(message) => {
                let place = Place::File { name: name.clone(), line, column: 1 };
                problems.push(problem(place, message, "write NAME: VALUE, such as X-Secret: 3nf8..."));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    warnings.extend(FileUse::Secret.warning(path, option));
    Ok(headers)
}

/// One line. What is wrong does not repeat it: it may be a secret.
fn header(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let (name, value) = text.split_once(':').ok_or("there is no colon in this line")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| "this is no name of a header")?;
    if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(&name) {
        return Err("this header is made by the broker");
    }
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| "this is no value of a header")?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(authentication: &Authentication) -> (Result<Option<HookServer>, String>, String) {
        let mut warnings = Vec::new();
        let read = read_hook(authentication, &|_| Place::Default, &mut warnings);
        let words = |problems: Vec<Problem>| {
            problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("\n")
        };
        (read.map_err(words), words(warnings))
    }

    #[test]
    fn urls() {
        let hook = |url: &str| Authentication { hook_url: Some(url.to_owned()), ..Authentication::default() };
        let (server, warnings) = read(&hook("http://127.0.0.1:8000/mqtt"));
        assert_eq!((server.expect("a hook").expect("set").url.port(), warnings.as_str()), (8000, ""));
        let (server, warnings) = read(&hook("http://auth.example/mqtt"));
        assert!(server.is_ok());
        assert_eq!(warnings, "passwords travel unencrypted to http://auth.example/mqtt");
        let wrong = read(&hook("auth.example")).0.expect_err("no URL");
        assert_eq!(wrong, "\"auth.example\": it does not begin with http:// or https://");
        assert!(read(&Authentication::default()).0.expect("nothing").is_none());
    }

    #[test]
    fn headers() {
        let file = std::env::temp_dir().join(format!("ferry-hook-headers-{}", std::process::id()));
        let read = |text: &str, mode: u32| {
            std::fs::write(&file, text).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("allowed");
            let (server, warnings) = read(&Authentication {
                hook_url: Some("http://localhost/".to_owned()),
                hook_header_file: Some(file.clone()),
                ..Authentication::default()
            });
            (server.map(|server| server.expect("a hook").headers), warnings)
        };
        let (headers, warnings) = read("# to be changed\n\nAuthorization: Bearer a b:c \nX-One:1\n", 0o600);
        let headers = headers.expect("headers");
        assert_eq!(
            (&headers["authorization"], &headers["x-one"]),
            (&"Bearer a b:c".parse().unwrap(), &"1".parse().unwrap())
        );
        assert_eq!(warnings, "");
        assert!(read("X-One: 1", 0o644).1.contains("other users of this machine"));
        let wrong = read("no\nHost: x\nX Y: z\nX: \u{7}", 0o600).0.expect_err("wrong");
        assert_eq!(
            wrong,
            "there is no colon in this line\nthis header is made by the broker\n\
             this is no name of a header\nthis is no value of a header"
        );
        std::fs::remove_file(&file).expect("removed");
    }

    #[test]
    fn authorities() {
        let (server, _) = read(&Authentication {
            hook_url: Some("https://localhost/".to_owned()),
            hook_ca_file: Some("/nowhere/ca.pem".into()),
            ..Authentication::default()
        });
        assert!(server.expect_err("no file").contains("/nowhere/ca.pem"));
    }
}
