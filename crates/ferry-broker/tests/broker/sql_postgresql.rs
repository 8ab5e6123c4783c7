//! Clients whose password hashes PostgreSQL has. Where there is no server to start, nothing is checked, as `cargo xtask
//! features` says.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use ferry_broker::RunningBroker;
use ferry_broker::config::{Authentication, Config};
use ferry_codec::{QoS, ReasonCode};

use crate::client::{Client, tcp_address};
use crate::postgresql_server::Server;
use crate::sql::{
    QUERY, connack, is_served, judges, judges_certificates, login, publishes, secret, send_connect, start,
    users, with,
};

const REFUSED: ReasonCode = ReasonCode::BAD_USER_NAME_OR_PASSWORD;
const UNAVAILABLE: ReasonCode = ReasonCode::SERVER_UNAVAILABLE;

#[test]
fn each_kind_of_hash_is_compared_and_nothing_else_lets_in() {
    let Some(server) = Server::start("judges") else { return };
    let broker = start(with(&server.url(), QUERY));
    judges(&broker);
    assert_eq!(server.sql("SELECT count(*) FROM users"), users().len().to_string());
    // Of a fixed width, in other types, and what the client says as another type.
    server.sql(
        "CREATE TABLE others (name varchar(20), hash char(200), id uuid, address inet);
         INSERT INTO others SELECT name, password_hash, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '127.0.0.1' FROM users",
    );
    let broker = start(with(
        &server.url(),
        "SELECT hash AS password_hash FROM others WHERE name = :user_name AND id = :client_id::uuid \
         AND address = :address::inet; -- :this",
    ));
    let as_client = |client_id: &str| login(&broker, client_id, Some("bcrypt"), Some(b"secret")).1;
    assert_eq!(as_client("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), ReasonCode::SUCCESS);
    assert_eq!(as_client("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"), REFUSED);
    // What is no UUID is nobody's, and the database is there all the same.
    for client_id in ["c", "' OR 1=1 --", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"] {
        assert_eq!(as_client(client_id), REFUSED, "{client_id}");
    }
    assert_eq!(as_client("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), ReasonCode::SUCCESS);
}

#[test]
fn a_query_may_ask_for_the_certificate() {
    let Some(server) = Server::start("certificates") else { return };
    judges_certificates(&server.url(), "CAST(:certificate_alternative_names AS jsonb) ? 'URI:urn:pump-7'");
}

#[test]
fn nobody_gets_in_by_a_row_that_is_none() {
    let Some(server) = Server::start("rows") else { return };
    server.sql("UPDATE users SET password_hash = NULL WHERE name = 'bcrypt'");
    server.sql("UPDATE users SET password_hash = 'secret' WHERE name = 'sha512'");
    server.sql("CREATE SEQUENCE counter");
    let broker = start(with(&server.url(), QUERY));
    for name in ["bcrypt", "sha512"] {
        assert_eq!(secret(&broker, name), REFUSED, "{name}");
    }
    let code = |query: &str, name: &str| secret(&start(with(&server.url(), query)), name);
    let two = "SELECT password_hash FROM users WHERE name = :user_name UNION ALL SELECT repeat('x', 100) FROM generate_series(1, 100000)";
    assert_eq!(code(two, "argon2id"), REFUSED);
    for wrong in [
        "SELECT name FROM users WHERE name = :user_name",
        "SELECT password_hash, 1.5 AS expire_at FROM users WHERE name = :user_name",
        "SELECT password_hash FROM nowhere",
        "SELECT password_hash FROM users WHERE",
        // The server is told to refuse it.
        "WITH gone AS (DELETE FROM users RETURNING *) SELECT password_hash FROM gone WHERE name = :user_name",
        "SELECT password_hash FROM users WHERE name = :user_name AND nextval('counter') > 0",
    ] {
        assert_eq!(code(wrong, "argon2id"), UNAVAILABLE, "{wrong}");
    }
    assert_eq!(server.sql("SELECT count(*) FROM users"), users().len().to_string());
    assert_eq!(server.sql("SELECT is_called FROM counter"), "f");
}

#[test]
fn the_database_grants_roles_rules_and_time() {
    let Some(server) = Server::start("grants") else { return };
    let broker = start(with(
        &server.url(),
        "SELECT password_hash, 'countess' AS user_name, ARRAY['operators'] AS roles, \
         jsonb_build_array(jsonb_build_object('permission', 'allow', 'action', 'all', 'topic', 'own/#')) AS acl, \
         CASE WHEN name = 'bcrypt' THEN 1::bigint END AS expire_at FROM users WHERE name = :user_name",
    ));
    let (mut client, reason_code) = login(&broker, "c", Some("argon2id"), Some(b"secret"));
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    assert!(publishes(&mut client, "own/x") && !publishes(&mut client, "else"));
    assert_eq!(secret(&broker, "bcrypt"), ReasonCode::NOT_AUTHORIZED);
}

#[test]
fn a_server_that_dies_lets_nobody_in_until_it_is_there_again() {
    let Some(server) = Server::start("dies") else { return };
    let broker = start(with(&server.url(), QUERY));
    let (mut before, reason_code) = login(&broker, "before", Some("argon2id"), Some(b"secret"));
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    before.subscribe("t", QoS::AtMostOnce);
    // It dies while clients log in: each of them gets one of two answers.
    let mut clients: Vec<Client> = (0..50).map(|_| Client::open(&broker)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        send_connect(client, &format!("c{number}"), Some("argon2id"), Some(b"secret"));
        if number == 25 {
            server.kill();
        }
    }
    for client in &mut clients {
        let reason_code = connack(client);
        assert!([ReasonCode::SUCCESS, UNAVAILABLE].contains(&reason_code), "{reason_code:?}");
    }
    assert_eq!(secret(&broker, "argon2id"), UNAVAILABLE);
    assert_eq!(login(&broker, "c", Some("argon2id"), Some(b"wrong")).1, UNAVAILABLE);
    is_served(&mut before);
    server.go();
    // It is left alone for a moment after each vain try, so that a crowd of clients does not overrun it.
    let tries = (0..100_000).find(|_| secret(&broker, "argon2id") == ReasonCode::SUCCESS);
    assert!(tries.is_some());
    is_served(&mut before);
    // Kept connections that the server has closed are replaced without anybody noticing.
    server.kill();
    server.go();
    assert_eq!(secret(&broker, "argon2id"), ReasonCode::SUCCESS);
}

#[test]
fn what_takes_too_long_is_not_waited_for_and_holds_nobody_up() {
    let Some(server) = Server::start("slow") else { return };
    server.sql("INSERT INTO users (name) VALUES ('slow')");
    let mut authentication = with(
        &server.url(),
        "SELECT password_hash FROM users WHERE name = :user_name AND (name <> 'slow' OR pg_sleep(600) IS NOT NULL)",
    );
    authentication.sql_timeout_seconds = 4;
    authentication.sql_connections_max = 2;
    authentication.sql_waiting_max = 1;
    let broker = start(authentication);
    let mut slow = Client::open(&broker);
    send_connect(&mut slow, "slow", Some("slow"), Some(b"secret"));
    let (mut quick, reason_code) = login(&broker, "quick", Some("argon2id"), Some(b"secret"));
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    quick.subscribe("t", QoS::AtMostOnce);
    is_served(&mut quick);
    assert_eq!(connack(&mut slow), UNAVAILABLE);
    for name in ["argon2id", "pbkdf2", "scram"] {
        assert_eq!(secret(&broker, name), ReasonCode::SUCCESS);
    }
    // More than there is room for.
    let mut clients: Vec<Client> = (0..4).map(|_| Client::open(&broker)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        send_connect(client, &format!("slow{number}"), Some("slow"), Some(b"secret"));
    }
    let codes: Vec<ReasonCode> = clients.iter_mut().map(connack).collect();
    assert_eq!(codes.iter().filter(|code| **code == ReasonCode::SERVER_BUSY).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == UNAVAILABLE).count(), 3, "{codes:?}");
    // The server does not go on with what nobody waits for.
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)%' \
                   AND pid <> pg_backend_pid()";
    assert!((0..1000).any(|_| server.sql(running) == "0"));
}

#[test]
fn a_server_must_prove_who_it_is_and_the_broker_too() {
    let Some(server) = Server::start_with_port("tls") else { return };
    server.sql("SET password_encryption = 'scram-sha-256'; CREATE ROLE locked LOGIN PASSWORD 'pass word'; GRANT SELECT ON users TO locked");
    let password_file = server.write("password", "pass word\n");
    let wrong_file = server.write("wrong", "password\n");
    let code = |host: &str, mode: &str, change: &dyn Fn(&mut Authentication)| {
        let url = format!("postgresql://locked@{host}:{}/postgres?sslmode={mode}", server.port);
        let mut authentication = with(&url, QUERY);
        authentication.sql_password_file = Some(password_file.clone());
        authentication.sql_ca_file = Some(server.path("ca.pem"));
        change(&mut authentication);
        secret(&start(authentication), "argon2id")
    };
    let as_it_is = |_: &mut Authentication| {};
    assert_eq!(code("localhost", "verify-full", &as_it_is), ReasonCode::SUCCESS);
    // Its certificate has another name.
    assert_eq!(code("127.0.0.1", "verify-full", &as_it_is), UNAVAILABLE);
    // Nobody on this machine trusts the authority of a test.
    assert_eq!(code("localhost", "verify-full", &|changed| changed.sql_ca_file = None), UNAVAILABLE);
    assert_eq!(
        code("localhost", "verify-full", &|changed| changed.sql_password_file = Some(wrong_file.clone())),
        UNAVAILABLE
    );
    assert_eq!(code("localhost", "disable", &as_it_is), UNAVAILABLE);
}

#[test]
fn a_reload_changes_the_query_and_mosquitto_pub_and_sub_are_judged_by_it() {
    let Some(server) = Server::start("reload") else { return };
    let mut broker = start(with(&server.url(), QUERY));
    // Whoever is here from then on has been let in by the database.
    let mut subscriber = Command::new("mosquitto_sub")
        .args([
            "-p",
            &port(&broker),
            "-V",
            "5",
            "-u",
            "argon2id",
            "-P",
            "secret",
            "-t",
            "t",
            "-t",
            "ready",
            "-W",
            "20",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("`cargo xtask test-tools` installs it");
    let (mut helper, _) = login(&broker, "helper", Some("pbkdf2"), Some(b"secret"));
    let (ready, is_ready) = std::sync::mpsc::channel();
    let output = subscriber.stdout.take().expect("captured");
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = ready.send(line);
        }
    });
    while is_ready.recv_timeout(std::time::Duration::from_millis(50)).is_err() {
        assert!(publishes(&mut helper, "ready"));
    }
    assert_eq!(publish(&broker, "5", "bcrypt", "secret"), "");
    assert_eq!(publish(&broker, "311", "bcrypt", "secret"), "");
    assert_eq!(publish(&broker, "5", "bcrypt", "wrong"), "Connection error: Bad User Name or Password");
    assert!(publish(&broker, "311", "nobody", "secret").starts_with("Connection error: Connection Refused"));
    let mut config = broker.config().clone();
    config.authentication.sql_query = Some(format!("{QUERY} AND name <> 'bcrypt'"));
    broker.reload(config).expect("reloaded");
    assert_eq!(publish(&broker, "5", "bcrypt", "secret"), "Connection error: Bad User Name or Password");
    assert_eq!(publish(&broker, "5", "scram", "secret"), "");
    let messages = std::iter::from_fn(|| is_ready.recv_timeout(std::time::Duration::from_secs(10)).ok());
    assert_eq!(messages.filter(|line| line == "by mosquitto").take(3).count(), 3);
    let _ = subscriber.kill();
    let _ = subscriber.wait();
}

fn port(broker: &RunningBroker) -> String {
    tcp_address(broker).port().to_string()
}

/// What `mosquitto_pub` says.
fn publish(broker: &RunningBroker, version: &str, user: &str, password: &str) -> String {
    let mut command = Command::new("mosquitto_pub");
    command.args([
        "-p",
        &port(broker),
        "-V",
        version,
        "-t",
        "t",
        "-m",
        "by mosquitto",
        "-u",
        user,
        "-P",
        password,
    ]);
    let output = command.output().expect("`cargo xtask test-tools` installs it");
    String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn what_cannot_work_is_found_before_the_start() {
    let check = |url: &str, query: &str| {
        let text = format!("[authentication]\nsql_url = \"{url}\"\nsql_query = '''{query}'''\n");
        let loaded = Config::parse("ferry.toml", &text).map_err(|problems| problems.to_string())?;
        Ok::<_, String>(loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    for url in [
        "postgresql://ferry@db.example/users",
        "postgres://ferry@db.example:5433/users?sslmode=verify-full&application_name=x",
        "postgresql://ferry@localhost/users",
        "postgresql:///users?host=/run/postgresql",
        "postgresql://ferry@a.example,b.example/users?target_session_attrs=any",
    ] {
        assert_eq!(check(url, QUERY), Ok(String::new()), "{url}");
    }
    let open = check("postgresql://ferry@db.example/users?sslmode=disable", QUERY).expect("a warning");
    assert!(open.contains("travel unencrypted"), "{open}");
    for (url, words) in [
        ("postgresql://ferry:3nf8@db.example/users", "sql_password_file"),
        ("postgresql://ferry@db.example/users?password=3nf8", "sql_password_file"),
        ("postgresql://ferry@db.example/users?sslmode=prefer", "let anybody be the server"),
        ("postgresql://ferry@db.example/users?sslmode=require", "let anybody be the server"),
        ("postgresql://ferry@%2Frun%2Fpostgresql/users?sslmode=verify-full", "no TLS"),
        ("postgresql://ferry@db.example:x/users", "port"),
        ("postgresql://ferry@db.example/users?sslrootcert=x", "\"sslrootcert\" means nothing here"),
        ("postgresql://", "no host"),
    ] {
        let problem = check(url, QUERY).expect_err(url);
        assert!(problem.contains(words) && problem.contains("authentication.sql_url"), "{url}: {problem}");
        assert!(!problem.contains("3nf8"), "{problem}");
    }
    let problem = check("postgresql://ferry@db.example/users", "DELETE FROM users").expect_err("writes");
    assert!(problem.contains("begins with DELETE"), "{problem}");
}
