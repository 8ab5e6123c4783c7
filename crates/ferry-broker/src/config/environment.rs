//! Environment variables as assignments: `FERRY_<SECTION>_<KEY>`, `FERRY_LISTENER_<N>_<KEY>`, `FERRY_LISTEN`.

use super::SECTIONS;
use super::file::unknown_key;
use super::load::{Assignment, Target};
use super::option::{OptionSpec, SectionSpec};
use super::problem::{Place, Problem};
use super::value::nearest;

/// The variable that names the configuration file.
pub(super) const CONFIG: &str = "FERRY_CONFIG";
/// The variable that lists addresses to listen on.
pub(super) const LISTEN: &str = "FERRY_LISTEN";

const PREFIX: &str = "FERRY_";

/// What the environment says.
#[derive(Default)]
pub(super) struct EnvironmentContents {
    pub(super) assignments: Vec<Assignment>,
    /// The addresses of `FERRY_LISTEN`, if it is set and not empty.
    pub(super) listen: Option<Vec<String>>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// Reads the variables that begin with `FERRY_`; all others are ignored.
pub(super) fn parse(variables: &[(String, String)]) -> EnvironmentContents {
    let mut contents = EnvironmentContents::default();
    let mut variables: Vec<&(String, String)> =
        variables.iter().filter(|(name, _)| name.starts_with(PREFIX) && !is_service_variable(name)).collect();
    variables.sort();
    for (name, value) in variables {
        match name.as_str() {
            CONFIG => {}
            LISTEN => {
                let addresses = value.split(',').map(str::trim).filter(|address| !address.is_empty());
                let addresses: Vec<String> = addresses.map(str::to_owned).collect();
                contents.listen = (!addresses.is_empty()).then_some(addresses);
            }
            _ => contents.variable(name, value),
        }
    }
    contents
}

/// The name of the variable that sets an option; listeners are numbered from 0.
pub(super) fn variable_name(section: &SectionSpec, option: &OptionSpec) -> String {
    let number = if section.name == "listener" { "_<N>" } else { "" };
    format!("{PREFIX}{}{number}_{}", section.name.to_uppercase(), option.key.to_uppercase())
}

impl EnvironmentContents {
    fn variable(&mut self, name: &str, value: &str) {
        let place = Place::Environment(name.to_owned());
        let rest = name[PREFIX.len()..].to_lowercase();
        let section = SECTIONS.iter().find_map(|section| {
            let key = rest.strip_prefix(section.name)?.strip_prefix('_')?;
            Some((*section, key))
        });
        let Some((section, key)) = section else {
            self.warnings.extend(misspelt_section(&rest, place));
            return;
        };
        let (target, key) = if section.name == "listener" {
            let numbered = key.split_once('_').and_then(|(number, key)| Some((number.parse().ok()?, key)));
            let Some((number, key)) = numbered else {
                self.problems.push(Problem {
                    place,
                    option: "listener".to_owned(),
                    message: "no number of a listener in the variable's name".to_owned(),
                    remedy: "number the listeners from 0, for example FERRY_LISTENER_0_ADDRESS".to_owned(),
                });
                return;
            };
            (Target::Listener(number), key)
        } else {
            (Target::Section(section.name), key)
        };
        match section.option(key) {
            Some(option) => self.assignments.push(Assignment {
                target,
                key: option.key.to_owned(),
                raw: option.kind.raw_from_text(value),
                place,
            }),
            None => self.problems.push(unknown_key(section, key, place)),
        }
    }
}

/// Kubernetes puts such variables into every container when a service is named `ferry` or `ferry-...`.
fn is_service_variable(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name
            .split_once("_PORT_")
            .is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// A warning if the variable is almost that of an option. Others may be for other programs and are left alone.
fn misspelt_section(rest: &str, place: Place) -> Option<Problem> {
    let names: Vec<String> = SECTIONS
        .iter()
        .flat_map(|section| section.options.iter().map(|option| variable_name(section, option)))
        .collect();
    let near = nearest(rest, names.iter().map(|name| &name[PREFIX.len()..]))?;
    Some(Problem {
        place,
        option: String::new(),
        message: "names no option and is ignored".to_owned(),
        remedy: format!("did you mean {PREFIX}{near}?"),
    })
}
