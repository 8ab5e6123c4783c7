//! Pure crates name nothing of the world outside: no sockets, files, threads, clocks, random numbers.

use super::Source;
use super::crate_rules::PURE;
use super::lexer::{Token, tokens};

/// Pure parts of other crates.
const PURE_DIRECTORIES: &[&str] = &["crates/ferry-client/src/session/"];

/// Paths that a pure crate may not name.
const FORBIDDEN: &[&[&str]] = &[
    &["std", "net"],
    &["std", "fs"],
    &["std", "thread"],
    &["std", "process"],
    &["std", "env"],
    &["std", "io"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["std", "collections", "hash_map", "RandomState"],
    &["std", "hash", "RandomState"],
    &["tokio"],
    &["rand"],
    &["getrandom"],
];

pub(crate) fn check(source: &Source) -> Vec<String> {
    let pure = PURE.iter().any(|name| source.path.starts_with(&format!("crates/{name}/src/")))
        || PURE_DIRECTORIES.iter().any(|directory| source.path.starts_with(directory));
    if !pure {
        return Vec::new();
    }
    let tokens = tokens(&source.text);
    let mut problems = Vec::new();
    for (path, line) in paths(&tokens) {
        if let Some(forbidden) = FORBIDDEN.iter().find(|forbidden| starts_with(&path, forbidden)) {
            problems.push(format!("{}:{line}: a pure crate names {}", source.path, forbidden.join("::")));
        }
    }
    problems
}

fn starts_with(path: &[&str], forbidden: &[&str]) -> bool {
    path.len() >= forbidden.len() && path.iter().zip(forbidden).all(|(part, wanted)| part == wanted)
}

/// All paths with more than one part, those in braces (`std::{fs, net}`) written out.
fn paths(tokens: &[Token]) -> Vec<(Vec<&str>, usize)> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let in_path = at >= 2 && tokens[at - 1].text == ":" && tokens[at - 2].text == ":";
        if is_name(&tokens[at]) && !in_path && separator_at(tokens, at + 1) {
            at = collect(tokens, at, &mut Vec::new(), &mut paths);
        } else {
            at += 1;
        }
    }
    paths
}

/// Adds the paths that start at `at` behind `prefix`; returns where they end.
fn collect<'a>(
    tokens: &'a [Token],
    mut at: usize,
    prefix: &mut Vec<&'a str>,
    paths: &mut Vec<(Vec<&'a str>, usize)>,
) -> usize {
    let depth = prefix.len();
    while let Some(token) = tokens.get(at) {
        if is_name(token) {
            prefix.push(&token.text);
            at += 1;
            if separator_at(tokens, at) {
                at += 2;
                continue;
            }
            paths.push((prefix.clone(), token.line));
        } else if token.text == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token.text != "}") {
                let next = collect(tokens, at, prefix, paths);
                at = next.max(at + 1);
            }
            at += 1;
        }
        break;
    }
    prefix.truncate(depth);
    at
}

fn is_name(token: &Token) -> bool {
    token.text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn separator_at(tokens: &[Token], at: usize) -> bool {
    [at, at + 1].iter().all(|at| tokens.get(*at).is_some_and(|token| token.text == ":"))
}

#[cfg(test)]
mod tests {
    use super::{Source, check};

    fn problems(text: &str) -> usize {
        check(&Source { path: "crates/ferry-core/src/shard.rs".to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn forbidden_paths_are_found_in_every_form() {
        for text in [
            "use std::net::TcpStream;",
            "use std::{fmt, fs};",
            "use std::time::{Duration, Instant};",
            "fn f() { std::thread::spawn(g); }",
            "use tokio::sync::mpsc;",
            "use std::{collections::HashMap, time::{SystemTime}};",
        ] {
            assert_eq!(problems(text), 1, "{text}");
        }
    }

    #[test]
    fn what_is_allowed_passes() {
        for text in
            ["use std::time::Duration;", "use std::collections::HashMap;", "// std::fs", "let net = fs;"]
        {
            assert_eq!(problems(text), 0, "{text}");
        }
    }

    #[test]
    fn other_crates_may() {
        let source = Source {
            path: "crates/ferry-net/src/tcp.rs".to_owned(),
            text: "use std::net::IpAddr;".to_owned(),
        };
        assert!(check(&source).is_empty());
    }
}
