//! A broker inside this process, over real sockets. What the packets mean is tested elsewhere; here it is what the
//! driver does: shards, mail, limits at the door, authentication, commits, reload and the end.

mod abuse;
mod admin;
mod admin_api;
mod authentication;
mod bans;
mod client;
mod commit;
mod full_disk;
mod hook;
mod hook_server;
mod http;
mod jwks;
mod lifecycle;
mod limits;
mod opentelemetry;
mod overload;
mod peer_users;
#[cfg(feature = "postgresql")]
mod postgresql_server;
mod presence;
mod reload;
mod roles;
mod rules;
mod scram;
mod shards;
#[cfg(any(feature = "postgresql", feature = "sqlite"))]
mod sql;
#[cfg(feature = "postgresql")]
mod sql_postgresql;
#[cfg(feature = "sqlite")]
mod sql_sqlite;
mod store_load;
mod store_tools;
mod tls;
mod trace;
mod traffic;
mod users;
mod websocket;

use ferry_broker::config::{Config, Durability, Listener};

/// One TCP listener on a free port, no `$SYS`.
fn config() -> Config {
    let address = "tcp://127.0.0.1:0".parse().expect("an address");
    let mut config =
        Config { listeners: vec![Listener { address, ..Listener::default() }], ..Config::default() };
    config.sys.interval_seconds = 0;
    config.storage.durability = Durability::Memory;
    config
}
