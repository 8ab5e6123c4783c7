//! The result as a page: one file without script that needs nothing else, light or dark as its reader likes it.
//!
//! Text from outside, such as a broker's version or a failure, goes through `Escaped` and nowhere else.

mod chart;
mod charts;
mod comparison;
mod details;
mod escaped;
mod quantity;
mod scale;
mod single;
mod table;
#[cfg(test)]
mod tests;

use crate::report::Report;
use escaped::Escaped;

/// A report and what to call it next to others.
#[derive(Clone, Debug)]
pub struct NamedReport {
    /// Such as the file it comes from.
    pub name: String,
    /// What was measured.
    pub report: Report,
}

/// The page of one run, or of several side by side.
#[must_use]
pub fn page(runs: &[NamedReport]) -> String {
    match runs {
        [run] => whole(&single::title(&run.report), &single::body(&run.report)),
        runs => whole("Runs of ferry bench side by side", &comparison::body(runs)),
    }
}

fn whole(title: &str, body: &str) -> String {
    let style = include_str!("style.css");
    let title = Escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         {body}</main>\n</body>\n</html>\n"
    )
}

/// A part of the page; nothing if it has no content.
fn section(title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{}</h2>\n{content}</section>\n", Escaped(title))
}

/// A list of texts; nothing if there are none.
fn list(class: &str, entries: &[String]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let items: String = entries.iter().map(|entry| format!("<li>{}</li>\n", Escaped(entry))).collect();
    format!("<ul class=\"{class}\">\n{items}</ul>\n")
}
