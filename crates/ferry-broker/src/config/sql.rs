//! Reading which database knows the users, and what it is asked.

use super::authentication::Authentication;
use super::problem::{Place, Problem};
#[cfg(any(feature = "postgresql", feature = "sqlite"))]
use {super::file_access::FileUse, crate::sql::Dialect, crate::sql::Query};
#[cfg(feature = "postgresql")]
use {super::hook::check_ca_file, crate::sql::PostgresqlUrl, std::path::Path};
#[cfg(feature = "sqlite")]
use {crate::sql::Sqlite, std::path::PathBuf};

const URL: &str = "authentication.sql_url";

#[cfg(any(feature = "postgresql", feature = "sqlite"))]
const QUERY: &str = "authentication.sql_query";

#[cfg(feature = "postgresql")]
const PASSWORD_FILE: &str = "authentication.sql_password_file";

/// The database that is asked, and its query.
pub(crate) enum SqlSource {
    /// A server.
    #[cfg(feature = "postgresql")]
    Postgresql(Box<PostgresqlUrl>, Query),
    /// A file.
    #[cfg(feature = "sqlite")]
    Sqlite(PathBuf, Query),
}

/// Where problems are.
struct Report<'a> {
    place_of: &'a dyn Fn(&str) -> Place,
    #[cfg(any(feature = "postgresql", feature = "sqlite"))]
    warnings: &'a mut Vec<Problem>,
}

impl Report<'_> {
    fn problem(&self, option: &str, message: String, remedy: &str) -> Vec<Problem> {
        let place = (self.place_of)(option);
        vec![Problem { place, option: option.to_owned(), message, remedy: remedy.to_owned() }]
    }
}

/// Reads and checks which database is asked, if there is one; what is doubtful goes to `warnings`. `place_of` says where an option
/// was set. A file is opened and its query prepared; a server is not asked.
pub(crate) fn read_sql(
    authentication: &Authentication,
    place_of: &dyn Fn(&str) -> Place,
    warnings: &mut Vec<Problem>,
) -> Result<Option<SqlSource>, Vec<Problem>> {
    let Some(url) = &authentication.sql_url else { return Ok(None) };
    #[cfg(not(any(feature = "postgresql", feature = "sqlite")))]
    let _ = warnings;
    let mut report = Report {
        place_of,
        #[cfg(any(feature = "postgresql", feature = "sqlite"))]
        warnings,
    };
    // What is wrong does not repeat the URL: there may be a password in it.
    match url.split_once("://") {
        Some(("postgresql" | "postgres", _)) => read_postgresql(authentication, url, &mut report).map(Some),
        Some(("sqlite", path)) => read_sqlite(authentication, path, &mut report).map(Some),
        _ => {
            let message = "this is the URL of no database".to_owned();
            Err(report.problem(URL, message, "write postgresql://USER@HOST/DATABASE or sqlite:///PATH"))
        }
    }
}

#[cfg(any(feature = "postgresql", feature = "sqlite"))]
fn read_query(
    authentication: &Authentication,
    dialect: Dialect,
    report: &Report<'_>,
) -> Result<Query, Vec<Problem>> {
    let remedy = "write such as SELECT password_hash FROM users WHERE name = :user_name";
    let Some(text) = &authentication.sql_query else {
        return Err(report.problem(QUERY, "nothing says what the database is asked".to_owned(), remedy));
    };
    Query::parse(text, dialect).map_err(|fault| report.problem(QUERY, fault.to_string(), remedy))
}

#[cfg(feature = "postgresql")]
fn read_postgresql(
    authentication: &Authentication,
    url: &str,
    report: &mut Report<'_>,
) -> Result<SqlSource, Vec<Problem>> {
    let remedy = "write such as postgresql://ferry@db.example/users";
    let mut server: PostgresqlUrl = url.parse().map_err(|fault| report.problem(URL, fault, remedy))?;
    let query = read_query(authentication, Dialect::Postgresql, report)?;
    if server.is_open() {
        let message = "hashes of passwords travel unencrypted from the database".to_owned();
        let warning = report.problem(URL, message, "use sslmode=verify-full");
        report.warnings.extend(warning);
    }
    if let Some(path) = &authentication.sql_ca_file {
        check_ca_file("authentication.sql_ca_file", path).map_err(|problem| vec![problem])?;
        server.ca_file = Some(path.clone());
    }
    if let Some(path) = &authentication.sql_password_file {
        server.set_password(&read_password(path)?);
        report.warnings.extend(FileUse::Secret.warning(path, PASSWORD_FILE));
    }
    Ok(SqlSource::Postgresql(Box::new(server), query))
}

#[cfg(feature = "postgresql")]
fn read_password(path: &Path) -> Result<String, Vec<Problem>> {
    let problem = |message: String, remedy: &str| {
        let place = Place::WholeFile(path.display().to_string());
        vec![Problem { place, option: PASSWORD_FILE.to_owned(), message, remedy: remedy.to_owned() }]
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        problem(format!("the password cannot be read: {error}"), "check the path and its permissions")
    })?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() || password.contains(['\n', '\0']) {
        return Err(problem("this is not one line".to_owned(), "write the password and nothing else"));
    }
    Ok(password.to_owned())
}

#[cfg(feature = "sqlite")]
fn read_sqlite(
    authentication: &Authentication,
    path: &str,
    report: &mut Report<'_>,
) -> Result<SqlSource, Vec<Problem>> {
    if !path.starts_with('/') || path.contains('?') {
        let message = "this is no absolute path of a file".to_owned();
        return Err(report.problem(URL, message, "write such as sqlite:///var/lib/users.db"));
    }
    let path = PathBuf::from(path);
    let query = read_query(authentication, Dialect::Sqlite, report)?;
    let is_file = std::fs::File::open(&path).and_then(|file| Ok(file.metadata()?.is_file()));
    let fault = match is_file {
        Ok(true) => None,
        Ok(false) => Some(format!("{} is no file", path.display())),
        Err(error) => Some(format!("{} cannot be read: {error}", path.display())),
    };
    if let Some(message) = fault {
        return Err(report.problem(URL, message, "check the path and its permissions"));
    }
    Sqlite::check(&path, &query).map_err(|fault| {
        let remedy = format!("try it with sqlite3 -readonly {}", path.display());
        report.problem(QUERY, fault, &remedy)
    })?;
    // As with a password file: hashes can be tried by whoever reads them.
    report.warnings.extend(FileUse::Secret.warning(&path, URL));
    Ok(SqlSource::Sqlite(path, query))
}

#[cfg(not(feature = "postgresql"))]
fn read_postgresql(_: &Authentication, _: &str, report: &mut Report<'_>) -> Result<SqlSource, Vec<Problem>> {
    Err(without(report, "postgresql", "PostgreSQL"))
}

#[cfg(not(feature = "sqlite"))]
fn read_sqlite(_: &Authentication, _: &str, report: &mut Report<'_>) -> Result<SqlSource, Vec<Problem>> {
    Err(without(report, "sqlite", "SQLite"))
}

#[cfg(not(all(feature = "postgresql", feature = "sqlite")))]
fn without(report: &Report<'_>, feature: &str, name: &str) -> Vec<Problem> {
    let message = format!("this program is built without {name}");
    report.problem(URL, message, &format!("build it with `cargo build --release --features {feature}`"))
}

#[cfg(all(test, not(all(feature = "postgresql", feature = "sqlite"))))]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_the_feature_says_which_one_is_missing() {
        let mut missing: Vec<(&str, &str)> = Vec::new();
        #[cfg(not(feature = "postgresql"))]
        missing.push(("postgresql://ferry@db.example/users", "postgresql"));
        #[cfg(not(feature = "sqlite"))]
        missing.push(("sqlite:///users.db", "sqlite"));
        for (url, feature) in missing {
            let authentication =
                Authentication { sql_url: Some(url.to_owned()), ..Authentication::default() };
            let read = read_sql(&authentication, &|_| Place::Default, &mut Vec::new());
            let problems = read.map(drop).expect_err(url);
            assert!(problems[0].message.contains("is built without"), "{}", problems[0].message);
            assert!(problems[0].remedy.contains(&format!("--features {feature}`")), "{}", problems[0].remedy);
        }
    }
}
