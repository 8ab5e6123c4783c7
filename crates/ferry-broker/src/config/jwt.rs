//! Reading the keys of tokens, and what else is configured of them.

use std::io::Read;
use std::path::Path;

use ferry_auth::{JwtAlgorithm, JwtKeys, JwtRules};

use super::authentication::Authentication;
use super::file_access::FileUse;
use super::problem::{Place, Problem};

const OPTION: &str = "authentication.jwt_key_file";

/// Bytes of a file of keys: a hundred of the largest.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Reads and checks what tokens are checked with, if tokens are taken; what is doubtful goes to `warnings`.
pub(crate) fn read_jwt_rules(
    authentication: &Authentication,
    warnings: &mut Vec<Problem>,
) -> Result<Option<JwtRules>, Vec<Problem>> {
    let Some(path) = &authentication.jwt_key_file else { return Ok(None) };
    let problem = |option: &str, message: String, remedy: &str| Problem {
        place: Place::WholeFile(path.display().to_string()),
        option: option.to_owned(),
        message,
        remedy: remedy.to_owned(),
    };
    let text = read(path).map_err(|error| {
        vec![problem(
            OPTION,
            format!("the keys cannot be read: {error}"),
            "check the path and its permissions",
        )]
    })?;
    let remedy = "give public keys in PEM, a set of keys (JWKS), or a secret";
    let keys = JwtKeys::parse(&text).map_err(|error| vec![problem(OPTION, error.to_string(), remedy)])?;
    let names = authentication.jwt_algorithms.iter().flatten();
    let algorithms: Vec<JwtAlgorithm> =
        names.filter_map(|algorithm| JwtAlgorithm::of_name(algorithm.name())).collect();
    let option = "authentication.jwt_algorithms";
    if algorithms.is_empty() {
        let message = "nothing says how tokens must be signed".to_owned();
        return Err(vec![problem(option, message, "name what whoever makes them uses, such as [\"RS256\"]")]);
    }
    if let Some(without) = algorithms.iter().find(|algorithm| !keys.fit(**algorithm)) {
        let message = format!("there is no key for {} in the file", without.name());
        let remedy = "remove the algorithm, or give a key for it; secrets must be as long as the hash: 32, 48 or 64 bytes";
        return Err(vec![problem(option, message, remedy)]);
    }
    let has_secret = [JwtAlgorithm::Hs256, JwtAlgorithm::Hs384, JwtAlgorithm::Hs512].map(|one| keys.fit(one));
    let file_use = if has_secret.contains(&true) { FileUse::Secret } else { FileUse::Trusted };
    warnings.extend(file_use.warning(path, OPTION));
    Ok(Some(JwtRules {
        keys,
        algorithms,
        user_claim: authentication.jwt_user_claim.clone(),
        issuer: authentication.jwt_issuer.clone(),
        audience: authentication.jwt_audience.clone(),
        clock_skew_seconds: authentication.jwt_clock_skew_seconds,
    }))
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
            let rules = read_jwt_rules(&authentication, &mut warnings);
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
        assert!(read_jwt_rules(&Authentication::default(), &mut Vec::new()).is_ok_and(|none| none.is_none()));
    }

    #[test]
    fn each_algorithm_has_its_name() {
        let names = JwtAlgorithm::ALL.map(JwtAlgorithm::name);
        assert_eq!(JwtAlgorithmName::NAMES, names);
    }
}
