//! Who may call at all: which names this machine is called by, so that no web page can reach the API through the browser of
//! somebody who may (DNS rebinding, requests across sites).

use std::net::IpAddr;

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, StatusCode};

use super::problem::Problem;
use crate::config::Admin;

/// Checks `Host`, `Origin` and `Sec-Fetch-Site` of a request that came by TCP.
///
/// # Errors
/// It comes from another site, or calls the machine by a name that is not its own.
pub(super) fn check_names(headers: &HeaderMap, admin: &Admin) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let Some(authority) = text(HOST) else {
        return Err(Problem::bad_request("there is no Host header", "send the host and port of the URL"));
    };
    let host = host_of(authority);
    if !is_ours(host, admin) {
        return Err(refused(
            format!("the machine was called {host:?}"),
            "call it by its address or localhost, or add the name to admin.hosts",
        ));
    }
    let is_same = |origin: &str| origin.split_once("://").is_some_and(|(_, rest)| rest == authority);
    let site = headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or_default());
    let is_foreign = text(ORIGIN).is_some_and(|origin| !is_same(origin))
        || site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if is_foreign {
        return Err(refused(
            "a web page of another site asks".to_owned(),
            "open the API at its own address; pages of other sites may not use it",
        ));
    }
    Ok(())
}

fn refused(detail: String, remedy: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "wrong-site", "Not from here", detail, remedy)
}

/// The host of an authority, without port, and without the brackets of an IPv6 address.
fn host_of(authority: &str) -> &str {
    if let Some((address, _)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

/// An IP address cannot be made to point elsewhere; of names only known ones count.
fn is_ours(host: &str, admin: &Admin) -> bool {
    let own = admin.address.as_ref().and_then(|address| address.host_port());
    host.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || own.is_some_and(|own| own.host.eq_ignore_ascii_case(host) && own.host != "*")
        || admin.hosts.iter().any(|known| known.0.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)]) -> bool {
        let admin = Admin { hosts: vec!["ferry.example".parse().expect("a name")], ..Admin::default() };
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a header"), value.parse().expect("a value")));
        check_names(&headers.collect(), &admin).is_ok()
    }

    #[test]
    fn the_machine_is_called_by_its_own_names_only() {
        for host in
            ["127.0.0.1:9883", "[::1]:9883", "192.0.2.1", "localhost:1", "LOCALHOST", "Ferry.Example:443"]
        {
            assert!(check(&[("host", host)]), "{host}");
        }
        for host in ["rebound.example:9883", "", "*", "localhost.evil.example", "127.0.0.1.evil.example:1"] {
            assert!(!check(&[("host", host)]), "{host}");
        }
        assert!(!check(&[]));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "localhost:9883");
        assert!(check(&[host, ("origin", "http://localhost:9883")]));
        assert!(!check(&[host, ("origin", "http://localhost:3000")]));
        assert!(!check(&[host, ("origin", "null")]));
        assert!(check(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!check(&[host, ("sec-fetch-site", "cross-site")]));
    }
}
