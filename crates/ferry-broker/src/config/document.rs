//! The example file and the reference, made from the table of options. Tests keep the files in the repository equal
//! to these; `UPDATE_DOCUMENTS=1 cargo test -p ferry-broker` writes them anew.

use std::fmt::Write;

use super::option::{OptionSpec, Reload, Section, SectionSpec};
use super::{Config, SECTIONS, environment};

const WIDTH: usize = 100;

/// The text of `ferry.example.toml`: every option, commented out, with its default.
pub fn example() -> String {
    let mut out = String::from(
        "# Ferry's configuration: every option there is, with its default.\n\
         # Remove the # before an option to set it. `ferry check FILE` tells whether a file is right.\n\
         # Sizes may be written \"64 KiB\", \"2 MiB\", \"1 GB\"; durations \"30s\", \"5m\", \"1h\", \"7d\".\n\
         # Each option is also an environment variable, which wins over this file: see docs/guide.\n",
    );
    let defaults = Config::default();
    for spec in SECTIONS {
        out.push('\n');
        comment(&mut out, spec.documentation);
        if spec.name != "listener" {
            writeln!(out, "[{}]", spec.name).expect(NO_FAILURE);
            if let Some(section) = defaults.section(spec.name) {
                example_options(&mut out, spec, section);
            }
            continue;
        }
        for (index, listener) in defaults.listeners.iter().enumerate() {
            out.push_str("#[[listener]]\n");
            if index == 0 {
                example_options(&mut out, spec, listener);
                out.push('\n');
            } else {
                writeln!(out, "#address = \"{}\"", listener.address).expect(NO_FAILURE);
            }
        }
    }
    out
}

/// The chapter "Configuration reference" of the guide, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration reference\n\n\
         <!-- Made from the table of options in ferry-broker: do not edit. -->\n\n\
         Every option of `ferry.toml`. *Live* options change on reload (when the file changes, or on SIGHUP); the others\n\
         at the next start.\n\
         Where a text and a number are both possible, the number is in the unit that the key names.\n",
    );
    let defaults = Config::default();
    for spec in SECTIONS {
        let (header, section) = match defaults.section(spec.name) {
            Some(section) => (format!("[{}]", spec.name), section),
            None => ("[[listener]]".to_owned(), &defaults.listeners[0] as &dyn Section),
        };
        write!(out, "\n## `{header}`\n\n{}\n", unwrapped(spec.documentation)).expect(NO_FAILURE);
        for option in spec.options {
            reference_option(&mut out, spec, option, section);
        }
    }
    out
}

/// Writing to a `String` reports no error but running out of memory, which ends the process.
const NO_FAILURE: &str = "a String can be written to";

fn example_options(out: &mut String, spec: &SectionSpec, section: &dyn Section) {
    for option in spec.options {
        out.push('\n');
        comment(out, option.documentation);
        let unit = option.kind.unit();
        let unit = if unit.is_empty() { String::new() } else { format!(" Unit: {unit}.") };
        let restart = if option.reload == Reload::Restart { " Needs a restart." } else { "" };
        comment(out, &format!("Values: {}.{unit}{restart}", option.kind.describe()));
        writeln!(out, "#{} = {}", option.key, default_of(option, section)).expect(NO_FAILURE);
    }
}

fn reference_option(out: &mut String, spec: &SectionSpec, option: &OptionSpec, section: &dyn Section) {
    let reload = match option.reload {
        Reload::Live => "live",
        Reload::Restart => "at the next start",
    };
    let unit = option.kind.unit();
    let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
    write!(
        out,
        "\n### `{}`\n\n{}\n\n- Default: `{}`\n- Values{unit}: {}\n- Changes: {reload}\n- Environment: `{}`\n",
        option.key,
        unwrapped(option.documentation),
        default_of(option, section),
        option.kind.describe(),
        environment::variable_name(spec, option),
    )
    .expect(NO_FAILURE);
}

fn default_of(option: &OptionSpec, section: &dyn Section) -> String {
    section.setting(option.key).map(|setting| option.kind.show(&setting)).unwrap_or_default()
}

fn unwrapped(documentation: &str) -> String {
    documentation.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn comment(out: &mut String, documentation: &str) {
    let mut line = String::from("#");
    for word in documentation.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
