//! Reading the keys of tokens, and what else is configured of them.

use std::io::Read;
use std::path::{Path, PathBuf};

use ferry_auth::{JwtAlgorithm, JwtKeys, JwtRules};

use super::authentication::Authentication;
use super::file_access::FileUse;
use super::hook::{check_ca_file, read_url};
use super::problem::{Place, Problem};
use crate::http_client::HttpUrl;

const OPTION: &str = "authentication.jwt_key_file";
const URL: &str = "authentication.jwt_jwks_url";

/// Bytes of a file of keys: a hundred of the largest.
const FILE_BYTES_MAX: u64 = 256 * 1024;

const ALGORITHMS: &str = "authentication.jwt_algorithms";

/// What tokens are checked with.
pub(crate) struct JwtSetup {
    /// Without keys, if these are fetched.
    pub(crate) rules: JwtRules,
    /// Where the keys are.
    pub(crate) jwks: Option<JwksServer>,
}

/// Where keys are fetched.
#[derive(Debug)]
pub(crate) struct JwksServer {
    pub(crate) url: HttpUrl,
    pub(crate) ca_file: Option<PathBuf>,
}

/// Reads and checks what tokens are checked with, if tokens are taken; what is doubtful goes to `warnings`. `place_of` says
/// where an option was set.
pub(crate) fn read_jwt_rules(
    authentication: &Authentication,
    place_of: &dyn Fn(&str) -> Place,
    warnings: &mut Vec<Problem>,
) -> Result<Option<JwtSetup>, Vec<Problem>> {
    let names = authentication.jwt_algorithms.iter().flatten();
    let algorithms: Vec<JwtAlgorithm> =
        names.filter_map(|algorithm| JwtAlgorithm::of_name(algorithm.name())).collect();
    let problem = |option: &str, message: &str, remedy: &str| Problem {
        place: place_of(option),
        option: option.to_owned(),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
    };
    if authentication.takes_tokens() && algorithms.is_empty() {
        let message = "nothing says how tokens must be signed";
        let remedy = "name what whoever makes them uses, such as [\"RS256\"]";
        return Err(vec![problem(ALGORITHMS, message, remedy)]);
    }
    let (keys, jwks) = match (&authentication.jwt_key_file, &authentication.jwt_jwks_url) {
        (None, None) => return Ok(None),
        (Some(path), None) => (read_keys(path, &algorithms, warnings)?, None),
        (Some(_), Some(_)) => {
            let message = "there is authentication.jwt_key_file too, and whose keys count would be unclear";
            return Err(vec![problem(URL, message, "name one of them")]);
        }
        (None, Some(text)) => {
            let url = read_url(URL, text, place_of, "keys, which somebody may change on the way,", warnings)
                .map_err(|problem| vec![problem])?;
            if algorithms.iter().any(|algorithm| is_secret(*algorithm)) {
                let message = "a secret for HS256 and its like does not belong where keys are fetched";
                return Err(vec![problem(ALGORITHMS, message, "remove it, or give a jwt_key_file")]);
            }
            let ca_file = authentication.jwt_jwks_ca_file.clone();
            if let Some(path) = &ca_file {
                check_ca_file("authentication.jwt_jwks_ca_file", path).map_err(|problem| vec![problem])?;
            }
            (JwtKeys::default(), Some(JwksServer { url, ca_file }))
        }
    };
    let rules = JwtRules {
        keys,
        algorithms,
        user_claim: authentication.jwt_user_claim.clone(),
        issuer: authentication.jwt_issuer.clone(),
        audience: authentication.jwt_audience.clone(),
        clock_skew_seconds: authentication.jwt_clock_skew_seconds,
        roles_claim: authentication.jwt_roles_claim.clone(),
        acl_claim: authentication.jwt_acl_claim.clone(),
    };
    Ok(Some(JwtSetup { rules, jwks }))
}

fn is_secret(algorithm: JwtAlgorithm) -> bool {
    matches!(algorithm, JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512)
}

/// The keys of a file, of which each algorithm needs one.
fn read_keys(
    path: &Path,
    algorithms: &[JwtAlgorithm],
    warnings: &mut Vec<Problem>,
) -> Result<JwtKeys, Vec<Problem>> {
    let problem = |option: &str, message: String, remedy: &str| Problem {
        place: Place::WholeFile(path.display().to_string()),
        option: option.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let text = read(path).map_err(|error| {
        let message = format!("the keys cannot be read: {error}");
        vec![problem(OPTION, message, "check the path and its permissions")]
    })?;
    let remedy = "give public keys in PEM, a set of keys (JWKS), or a secret";
    let keys = JwtKeys::parse(&text).map_err(|error| vec![problem(OPTION, error.to_string(), remedy)])?;
    if let Some(without) = algorithms.iter().find(|algorithm| !keys.fit(**algorithm)) {
        let message = format!("there is no key for {} in the file", without.name());
        let remedy = "remove the algorithm, or give a key for it; secrets must be as long as the hash: 32, 48 or 64 bytes";
        return Err(vec![problem(ALGORITHMS, message, remedy)]);
    }
    let has_secret = [JwtAlgorithm::Hs256, JwtAlgorithm::Hs384, JwtAlgorithm::Hs512].map(|one| keys.fit(one));
    let file_use = if has_secret.contains(&true) { FileUse::Secret } else { FileUse::Trusted };
    warnings.extend(file_use.warning(path, OPTION));
    Ok(keys)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it has more than 256 KiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::authentication::JwtAlgorithmName;
    use super::*;

    #[test]
    fn keys_and_algorithms_must_fit() {
        let file = std::env::temp_dir().join(format!("ferry-jwt-{}", std::process::id()));
        let read = |secret: &str, algorithms: Option<Vec<JwtAlgorithmName>>, mode: u32| {
            std::fs::write(&file, secret).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("allowed");
            let jwt_key_file = Some(file.clone());
            let authentication =
                Authentication { jwt_key_file, jwt_algorithms: algorithms, ..Authentication::default() };
            let mut warnings = Vec::new();
            let rules = read_jwt_rules(&authentication, &|_| Place::Default, &mut warnings);
            let words = |problems: Vec<Problem>| {
                problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("\n")
            };
            rules.map(|rules| (rules.is_some(), words(warnings))).map_err(words)
        };
        let hs256 = || Some(vec![JwtAlgorithmName::Hs256]);
        let secret = "x".repeat(32);
        assert_eq!(read(&secret, hs256(), 0o600), Ok((true, String::new())));
        let open = "other users of this machine may read it (its mode is 0644)".to_owned();
        assert_eq!(read(&secret, hs256(), 0o644), Ok((true, open)));
        let nothing = "nothing says how tokens must be signed".to_owned();
        assert_eq!(read(&secret, None, 0o600), Err(nothing));
        let no_key = "there is no key for HS256 in the file".to_owned();
        assert_eq!(read("short", hs256(), 0o600), Err(no_key));
        let large = "the keys cannot be read: it has more than 256 KiB".to_owned();
        assert_eq!(read(&"x".repeat(300_000), hs256(), 0o600), Err(large));
        std::fs::remove_file(&file).expect("removed");
        let nothing = read_jwt_rules(&Authentication::default(), &|_| Place::Default, &mut Vec::new());
        assert!(nothing.is_ok_and(|none| none.is_none()));
    }

    #[test]
    fn fetched_keys_are_public_and_the_only_ones() {
        let read = |algorithm, jwt_key_file| {
            let authentication = Authentication {
                jwt_jwks_url: Some("https://login.example/keys".to_owned()),
                jwt_key_file,
                jwt_algorithms: Some(vec![algorithm]),
                ..Authentication::default()
            };
            let rules = read_jwt_rules(&authentication, &|_| Place::Default, &mut Vec::new());
            rules
                .map(|setup| setup.is_some_and(|setup| setup.jwks.is_some()))
                .map_err(|problems| problems[0].option.clone())
        };
        assert_eq!(read(JwtAlgorithmName::Rs256, None), Ok(true));
        assert_eq!(read(JwtAlgorithmName::Hs256, None), Err(ALGORITHMS.to_owned()));
        assert_eq!(read(JwtAlgorithmName::Rs256, Some("/x".into())), Err(URL.to_owned()));
    }

    #[test]
    fn each_algorithm_has_its_name() {
        let names = JwtAlgorithm::ALL.map(JwtAlgorithm::name);
        assert_eq!(JwtAlgorithmName::NAMES, names);
    }
}
