//! Where statements are cited: in code, in tests, elsewhere.

use super::test_parts::{is_test_file, test_parts};
use crate::workspace::{files_under, relative};

/// One mention of a statement's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    pub(crate) id: String,
    /// Relative to the root.
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) place: Place,
}

/// What a citation says about the place where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Implements the statement.
    Code,
    /// Fails if the statement is broken.
    Test,
    /// Only speaks of it.
    Prose,
    /// A script names it that does not run in its version.
    OtherVersion,
}

/// How a script names what it tests.
const PROVES: &str = "# proves:";

/// How a script names the versions that it runs in; without it, 5.0.
const VERSIONS: &str = "# versions:";

/// What all Rust files under a path are; the first that fits counts. Elsewhere, `#[test]` and the like decide.
const PLACES: &[(&str, Place)] = &[
    // Every life in the simulator goes through these checks. What its clients do is another matter.
    ("crates/ferry-sim/src/oracle/", Place::Test),
    ("crates/ferry-sim/src/", Place::Prose),
    // The language of the scripts. The rest of that crate is checks that every script goes through.
    ("tests/src/script/", Place::Prose),
    ("tests/", Place::Test),
    ("fuzz/", Place::Prose),
];

/// All citations in sources, scripts and documents, in the order of files and lines.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn citations() -> Result<Vec<Citation>, String> {
    let mut citations = Vec::new();
    for file in files_under("") {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let path = relative(&file);
        // The ids in the tests of this tool are examples.
        if !["rs", "script", "md"].contains(&extension) || path.starts_with("xtask/") {
            continue;
        }
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{path}: {error}"))?;
        citations.extend(match extension {
            "rs" => in_rust(&path, &text),
            "script" => in_script(&path, &text),
            _ => cited(&path, &text, |_, _| Place::Prose),
        });
    }
    Ok(citations)
}

fn in_rust(path: &str, text: &str) -> Vec<Citation> {
    let by_path = PLACES.iter().find(|(start, _)| path.starts_with(start)).map(|(_, place)| *place);
    let whole = by_path.or_else(|| is_test_file(path).then_some(Place::Test));
    let tests = test_parts(text);
    cited(path, text, |line, _| {
        let in_test = tests.iter().any(|part| part.contains(&line));
        whole.unwrap_or(if in_test { Place::Test } else { Place::Code })
    })
}

fn in_script(path: &str, text: &str) -> Vec<Citation> {
    let (v3, v5) = versions(text);
    let mut citations =
        cited(path, text, |_, line| if line.starts_with(PROVES) { Place::Test } else { Place::Prose });
    for citation in citations.iter_mut().filter(|citation| citation.place == Place::Test) {
        let runs = if citation.id.starts_with("MQTT3-") { v3 } else { v5 };
        if !runs {
            citation.place = Place::OtherVersion;
        }
    }
    citations
}

/// Whether a script, or one of its clients, speaks MQTT 3, and whether MQTT 5.0.
fn versions(script: &str) -> (bool, bool) {
    let header = script.lines().find_map(|line| line.strip_prefix(VERSIONS));
    let run = |version: &str| header.unwrap_or("5").split_whitespace().any(|word| word == version);
    let spoken =
        |version: &str| script.split_whitespace().any(|word| word.strip_prefix("v=") == Some(version));
    (run("3.1") || run("3.1.1") || spoken("3") || spoken("4"), run("5") || spoken("5"))
}

fn cited(path: &str, text: &str, place: impl Fn(usize, &str) -> Place) -> Vec<Citation> {
    let mut citations = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for id in ids(line) {
            let place = place(number, line);
            citations.push(Citation { id: id.to_owned(), path: path.to_owned(), line: number, place });
        }
    }
    citations
}

/// Everything that looks like an id, so that a mistyped one is found too.
fn ids(line: &str) -> Vec<&str> {
    let mut ids = Vec::new();
    for prefix in ["MQTT-", "MQTT3-", "U5-"] {
        for (start, _) in line.match_indices(prefix) {
            let inside_word = line[..start].ends_with(|c: char| c.is_alphanumeric());
            let number = &line[start + prefix.len()..];
            let length = number.find(|c: char| !matches!(c, '0'..='9' | '.' | '-')).unwrap_or(number.len());
            let number = number[..length].trim_end_matches(['.', '-']);
            if !inside_word && number.starts_with(|c: char| c.is_ascii_digit()) {
                ids.push(&line[start..start + prefix.len() + number.len()]);
            }
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::{Place, ids, in_rust, in_script};

    #[test]
    fn ids_are_found_with_their_mistakes() {
        let line =
            "/// Both [MQTT-9.9.9-1] [MQTT3-9.9.9-2], U5-999. And MQTT-9.9.9.3, not XMQTT-9 or MQTT-x.y.z-n.";
        assert_eq!(ids(line), ["MQTT-9.9.9-1", "MQTT-9.9.9.3", "MQTT3-9.9.9-2", "U5-999"]);
    }

    #[test]
    fn code_and_tests_of_one_file_are_told_apart() {
        let text = "/// [MQTT-9.9.9-1]\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    // [MQTT-9.9.9-2]\n}\n";
        let places: Vec<Place> =
            in_rust("crates/a/src/b.rs", text).iter().map(|citation| citation.place).collect();
        assert_eq!(places, [Place::Code, Place::Test]);
    }

    #[test]
    fn files_have_their_places() {
        for (path, place) in [
            ("crates/a/tests/b.rs", Place::Test),
            ("crates/ferry-sim/src/oracle/order.rs", Place::Test),
            ("crates/ferry-sim/src/client/mod.rs", Place::Prose),
            ("tests/src/run/rules.rs", Place::Test),
            ("tests/src/script/parse.rs", Place::Prose),
        ] {
            assert_eq!(in_rust(path, "// [U5-999]")[0].place, place, "{path}");
        }
    }

    #[test]
    fn scripts_prove_what_their_headers_name() {
        let citations = in_script("a.script", "# Not U5-998.\n# proves: U5-999\n");
        assert_eq!(citations[0].place, Place::Prose);
        assert_eq!((citations[1].place, citations[1].line), (Place::Test, 2));
    }

    #[test]
    fn scripts_prove_nothing_about_versions_that_they_do_not_run_in() {
        let places = |text: &str| -> Vec<Place> {
            in_script("a.script", &format!("# proves: MQTT3-9.9.9-1 U5-999\n{text}"))
                .iter()
                .map(|citation| citation.place)
                .collect()
        };
        assert_eq!(places("a> CONNECT"), [Place::OtherVersion, Place::Test]);
        assert_eq!(places("# versions: 3.1.1 5"), [Place::Test, Place::Test]);
        assert_eq!(places("# versions: 3.1"), [Place::Test, Place::OtherVersion]);
        assert_eq!(places("a> CONNECT v=4"), [Place::Test, Place::Test]);
    }
}
