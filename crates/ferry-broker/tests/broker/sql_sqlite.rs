//! Clients whose password hashes SQLite has.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ferry_broker::config::{Authentication, AuthenticatorKind, Config, WhenUnavailable};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Packet, QoS, ReasonCode};
use rusqlite::Connection;

use crate::client::Client;
use crate::sql::{
    QUERY, config_of, connack, is_served, judges, judges_certificates, login, publishes, secret,
    send_connect, start, table, with,
};

const REFUSED: ReasonCode = ReasonCode::BAD_USER_NAME_OR_PASSWORD;
const UNAVAILABLE: ReasonCode = ReasonCode::SERVER_UNAVAILABLE;

/// A query that never ends for the user `slow`.
const SLOW: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE :user_name = 'slow') \
                    SELECT password_hash FROM users WHERE name = :user_name AND (SELECT max(i) FROM n) > 0";

struct Users {
    directory: PathBuf,
    connection: Connection,
}

impl Users {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("ferry-sqlite-{}-{test}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).expect("a directory for the test");
        let connection = Self::write(&directory.join("users.db"));
        Self { directory, connection }
    }

    fn write(path: &Path) -> Connection {
        let connection = Connection::open(path).expect("a database");
        connection.execute_batch(&table()).expect("a table");
        connection
    }

    fn path(&self) -> PathBuf {
        self.directory.join("users.db")
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path().display())
    }

    fn run(&self, statements: &str) {
        self.connection.execute_batch(statements).expect(statements);
    }

    fn start(&self, query: &str) -> RunningBroker {
        start(with(&self.url(), query))
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn each_kind_of_hash_is_compared_and_nothing_else_lets_in() {
    let users = Users::new("judges");
    let broker = users.start(QUERY);
    judges(&broker);
    let left: i64 =
        users.connection.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).expect("a table");
    assert_eq!(left as usize, crate::sql::users().len());
}

#[test]
fn a_query_may_ask_for_the_certificate() {
    let users = Users::new("certificates");
    let name = "SELECT value FROM json_each(:certificate_alternative_names)";
    judges_certificates(&users.url(), &format!("'URI:urn:pump-7' IN ({name})"));
}

#[test]
fn nobody_gets_in_by_a_row_that_is_none() {
    let users = Users::new("rows");
    users.run("UPDATE users SET password_hash = NULL WHERE name = 'bcrypt'");
    users.run("UPDATE users SET password_hash = 'secret' WHERE name = 'sha512'");
    users.run("UPDATE users SET password_hash = 7 WHERE name = 'scrypt'");
    users.run("UPDATE users SET password_hash = x'ff00' WHERE name = 'scram'");
    let broker = users.start(QUERY);
    for name in ["bcrypt", "sha512", "scrypt"] {
        assert_eq!(secret(&broker, name), REFUSED, "{name}");
    }
    assert_eq!(secret(&broker, "scram"), UNAVAILABLE);
    // Two rows, the first of which would do.
    let two = "SELECT password_hash FROM users WHERE name = :user_name UNION ALL SELECT 'x'";
    assert_eq!(secret(&users.start(two), "argon2id"), REFUSED);
    // An empty table and a password that nobody has.
    users.run("DELETE FROM users");
    assert_eq!(secret(&broker, "argon2id"), REFUSED);
}

#[test]
fn a_file_that_is_gone_lets_nobody_in_until_it_is_there_again() {
    let users = Users::new("gone");
    let broker = users.start(QUERY);
    let (mut before, reason_code) = login(&broker, "before", Some("argon2id"), Some(b"secret"));
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    before.subscribe("t", QoS::AtMostOnce);
    let away = users.directory.join("away");
    std::fs::rename(users.path(), &away).expect("renamed");
    assert_eq!(secret(&broker, "argon2id"), UNAVAILABLE);
    is_served(&mut before);
    // Another file of the same name.
    Users::write(&users.path()).execute_batch("DELETE FROM users WHERE name = 'argon2id'").expect("deleted");
    assert_eq!(secret(&broker, "argon2id"), REFUSED);
    assert_eq!(secret(&broker, "pbkdf2"), ReasonCode::SUCCESS);
    std::fs::rename(&away, users.path()).expect("renamed");
    assert_eq!(secret(&broker, "argon2id"), ReasonCode::SUCCESS);
    users.run("DROP TABLE users");
    assert_eq!(secret(&broker, "argon2id"), UNAVAILABLE);
    std::fs::write(users.path(), "no database").expect("written");
    assert_eq!(secret(&broker, "argon2id"), UNAVAILABLE);
    is_served(&mut before);
}

#[test]
fn what_takes_too_long_is_not_waited_for_and_holds_nobody_up() {
    let users = Users::new("slow");
    users.run("INSERT INTO users (name) VALUES ('slow')");
    let mut authentication = with(&users.url(), SLOW);
    authentication.sql_timeout_seconds = 4;
    authentication.sql_connections_max = 2;
    let broker = start(authentication);
    let mut slow = Client::open(&broker);
    send_connect(&mut slow, "slow", Some("slow"), Some(b"secret"));
    let (mut quick, reason_code) = login(&broker, "quick", Some("argon2id"), Some(b"secret"));
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    quick.subscribe("t", QoS::AtMostOnce);
    is_served(&mut quick);
    assert_eq!(connack(&mut slow), UNAVAILABLE);
    // Both places are free again.
    for name in ["argon2id", "pbkdf2", "scram"] {
        assert_eq!(secret(&broker, name), ReasonCode::SUCCESS);
    }
    // Locked by somebody who writes.
    users.run("BEGIN EXCLUSIVE");
    assert_eq!(secret(&broker, "argon2id"), UNAVAILABLE);
    users.run("COMMIT");
    assert_eq!(secret(&broker, "argon2id"), ReasonCode::SUCCESS);
}

#[test]
fn what_waits_is_limited() {
    let users = Users::new("waits");
    users.run("INSERT INTO users (name) VALUES ('slow')");
    let mut authentication = with(&users.url(), SLOW);
    authentication.sql_timeout_seconds = 2;
    authentication.sql_connections_max = 1;
    authentication.sql_waiting_max = 1;
    let broker = start(authentication);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::open(&broker)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        send_connect(client, &format!("c{number}"), Some("slow"), Some(b"secret"));
    }
    let mut codes: Vec<ReasonCode> = clients.iter_mut().map(connack).collect();
    codes.sort_by_key(|code| code.code());
    // The one that waits has no time left when its turn comes.
    assert_eq!(codes, [UNAVAILABLE, UNAVAILABLE, ReasonCode::SERVER_BUSY]);
    assert_eq!(secret(&broker, "argon2id"), ReasonCode::SUCCESS);
}

#[test]
fn a_reload_changes_the_query() {
    let users = Users::new("reload");
    let mut broker = users.start(QUERY);
    let (mut before, _) = login(&broker, "before", Some("argon2id"), Some(b"secret"));
    before.subscribe("t", QoS::AtMostOnce);
    let mut reload = |query: &str| {
        let mut config = broker.config().clone();
        config.authentication.sql_query = Some(query.to_owned());
        broker.reload(config).map(|_| secret(&broker, "argon2id"))
    };
    let others = format!("{QUERY} AND name <> 'argon2id'");
    assert_eq!(reload(&others).expect("reloaded"), REFUSED);
    // One that is wrong changes nothing.
    let problems = reload("SELECT nowhere FROM users").expect_err("wrong").to_string();
    assert!(problems.contains("no such column: nowhere"), "{problems}");
    assert_eq!(secret(&broker, "argon2id"), REFUSED);
    is_served(&mut before);
}

#[test]
fn the_database_grants_roles_rules_and_time() {
    let users = Users::new("grants");
    let rule = r#"[{"permission":"allow","action":"all","topic":"own/#"}]"#;
    users.run(&format!("UPDATE users SET acl = '{rule}', alias = 'countess' WHERE name = 'argon2id'"));
    users.run("UPDATE users SET expire_at = 1 WHERE name = 'pbkdf2'");
    users.run("UPDATE users SET expire_at = strftime('%s') + 2 WHERE name = 'scram'");
    users.run("UPDATE users SET acl = '[' WHERE name = 'bcrypt'");
    let broker = users.start(
        "SELECT password_hash, acl, roles, expire_at, alias AS user_name FROM users WHERE name = :user_name",
    );
    let (mut client, _) = login(&broker, "c", Some("argon2id"), Some(b"secret"));
    assert!(publishes(&mut client, "own/x") && !publishes(&mut client, "else"));
    assert_eq!(secret(&broker, "pbkdf2"), ReasonCode::NOT_AUTHORIZED);
    // What is wrong in a row is told to those only who have the password.
    assert_eq!(secret(&broker, "bcrypt"), UNAVAILABLE);
    assert_eq!(login(&broker, "c", Some("bcrypt"), Some(b"wrong")).1, REFUSED);
    let (mut client, reason_code) = login(&broker, "c", Some("scram"), Some(b"secret"));
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::MAXIMUM_CONNECT_TIME);
    });
}

#[test]
fn a_name_that_the_database_was_not_told_is_not_taken_on() {
    let users = Users::new("names");
    let by_client_id = "SELECT password_hash FROM users WHERE name = :client_id";
    let broker = users.start(by_client_id);
    let as_admin = |broker| login(broker, "argon2id", Some("admin"), Some(b"secret")).1;
    assert_eq!(as_admin(&broker), UNAVAILABLE);
    let named = "SELECT password_hash, name AS user_name FROM users WHERE name = :client_id";
    let mut config = config_of(with(&users.url(), named));
    let acl_file = users.directory.join("acl");
    std::fs::write(&acl_file, "user argon2id\ntopic write t\nuser admin\ntopic write admin\n")
        .expect("written");
    config.authorization.acl_file = Some(acl_file);
    let broker = Broker::start(config).expect("started");
    let (mut client, reason_code) = login(&broker, "argon2id", Some("admin"), Some(b"secret"));
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    assert!(publishes(&mut client, "t") && !publishes(&mut client, "admin"));
}

#[test]
fn unknown_users_are_left_to_the_next_who_judges_passwords() {
    let users = Users::new("chain");
    let file = users.directory.join("passwords");
    let hash = &crate::sql::users()[3].1;
    std::fs::write(&file, format!("filed:{hash}\n")).expect("written");
    for order in [
        [AuthenticatorKind::Sql, AuthenticatorKind::PasswordFile],
        [AuthenticatorKind::PasswordFile, AuthenticatorKind::Sql],
    ] {
        let mut config =
            config_of(Authentication { password_file: Some(file.clone()), ..with(&users.url(), QUERY) });
        config.listeners[0].authentication = Some(order.into());
        let broker = Broker::start(config).expect("started");
        assert_eq!(secret(&broker, "filed"), ReasonCode::SUCCESS);
        assert_eq!(secret(&broker, "argon2id"), ReasonCode::SUCCESS);
        assert_eq!(login(&broker, "c", Some("filed"), Some(b"wrong")).1, REFUSED);
        assert_eq!(login(&broker, "c", Some("argon2id"), Some(b"wrong")).1, REFUSED);
        assert_eq!(secret(&broker, "nobody"), REFUSED);
    }
    // With the database away, the file judges if it may.
    let mut authentication = Authentication {
        password_file: Some(file),
        sql_unavailable: WhenUnavailable::Next,
        ..with(&users.url(), QUERY)
    };
    let broker = start(authentication.clone());
    std::fs::remove_file(users.path()).expect("removed");
    assert_eq!(secret(&broker, "filed"), ReasonCode::SUCCESS);
    assert_eq!(secret(&broker, "argon2id"), REFUSED);
    Users::write(&users.path());
    authentication.sql_unavailable = WhenUnavailable::Refuse;
    let broker = start(authentication);
    std::fs::remove_file(users.path()).expect("removed");
    assert_eq!(secret(&broker, "filed"), UNAVAILABLE);
}

#[test]
fn what_was_found_is_remembered_for_the_same_question_only() {
    let users = Users::new("cache");
    let broker = start(Authentication { sql_cache_seconds: 600, ..with(&users.url(), QUERY) });
    assert_eq!(secret(&broker, "argon2id"), ReasonCode::SUCCESS);
    assert_eq!(secret(&broker, "later"), REFUSED);
    users.run("INSERT INTO users (name, password_hash) SELECT 'later', password_hash FROM users WHERE name = 'bcrypt'");
    users.run("DELETE FROM users WHERE name = 'argon2id'");
    assert_eq!(secret(&broker, "argon2id"), ReasonCode::SUCCESS);
    assert_eq!(secret(&broker, "later"), REFUSED);
    assert_eq!(login(&broker, "c", Some("argon2id"), Some(b"secre")).1, REFUSED);
    assert_eq!(login(&broker, "c", Some("argon2id"), None).1, REFUSED);
    // Faults are not.
    users.run("ALTER TABLE users RENAME TO others");
    assert_eq!(secret(&broker, "pbkdf2"), UNAVAILABLE);
    users.run("ALTER TABLE others RENAME TO users");
    assert_eq!(secret(&broker, "pbkdf2"), ReasonCode::SUCCESS);
}

#[test]
fn what_cannot_work_is_found_before_the_start() {
    let users = Users::new("check");
    let check = |url: &str, query: &str| {
        let text = format!("[authentication]\nsql_url = \"{url}\"\nsql_query = '''{query}'''\n");
        Config::parse("ferry.toml", &text).map(|_| ()).map_err(|problems| problems.to_string())
    };
    assert_eq!(check(&users.url(), QUERY), Ok(()));
    let warnings = |mode: u32| {
        std::fs::set_permissions(users.path(), Permissions::from_mode(mode)).expect("ours");
        let text = format!("[authentication]\nsql_url = \"{}\"\nsql_query = \"{QUERY}\"\n", users.url());
        let warnings = Config::parse("ferry.toml", &text).expect("right").warnings;
        warnings.iter().map(ToString::to_string).collect::<String>()
    };
    assert_eq!(warnings(0o600), "");
    assert!(warnings(0o644).contains("other users of this machine may read it"));
    for (query, words) in [
        (
            "DELETE FROM users RETURNING password_hash",
            "ferry.toml:3:1: authentication.sql_query: a query that begins with DELETE",
        ),
        ("WITH x AS (SELECT 1) DELETE FROM users RETURNING password_hash", "the query writes"),
        ("SELECT password_hash FROM users; DROP TABLE users", "more than one query"),
        ("SELECT password_hash FROM nowhere", "no such table: nowhere"),
        ("SELECT name FROM users", "\"name\", which means nothing"),
        ("SELECT roles FROM users", "no column \"password_hash\""),
        ("SELECT password_hash FROM users WHERE name = :user", "nothing is known as :user"),
        ("SELECT password_hash FROM users WHERE name = ?", "a parameter with ?"),
    ] {
        let problem = check(&users.url(), query).expect_err(query);
        assert!(problem.contains(words), "{query}: {problem}");
    }
    for (url, words) in [
        ("sqlite://users.db", "no absolute path"),
        ("sqlite:///nowhere/users.db", "cannot be read: No such file"),
        ("sqlite:///", "authentication.sql_url: / is no file"),
        ("mysql://x", "the URL of no database"),
        ("users.db", "the URL of no database"),
    ] {
        let problem = check(url, QUERY);
        assert!(problem.as_ref().is_err_and(|problem| problem.contains(words)), "{url}: {problem:?}");
    }
    let text = format!("[authentication]\nsql_url = \"{}\"\n", users.url());
    let problem = Config::parse("ferry.toml", &text).expect_err("no query").to_string();
    assert!(problem.contains("nothing says what the database is asked"), "{problem}");
}
