//! Fetching the keys of tokens (JWKS) from a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferry_auth::{FetchedKeys, JwtKeys};
use hyper::HeaderMap;
use hyper::header::CACHE_CONTROL;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::http_client::{HttpClient, HttpUrl};

/// Bytes of a set of keys: a hundred of the largest.
pub(crate) const KEYS_BYTES_MAX: usize = 256 * 1024;

/// For one fetch.
const TIMEOUT: Duration = Duration::from_secs(5);

/// After a fetch that failed.
const RETRY: Duration = Duration::from_secs(10);

/// What a server says about how long its keys are good is taken within these.
const LIFETIME_MIN: Duration = Duration::from_secs(10);
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How long keys are good.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JwksTimes {
    /// When the server does not say it.
    pub(crate) lifetime: Duration,
    /// Beyond that, while the server gives no others.
    pub(crate) stale: Duration,
    /// Between two fetches that tokens cause.
    pub(crate) cooldown: Duration,
}

/// Keys from a server. Dropping it ends the fetching.
#[derive(Debug)]
pub(crate) struct Jwks {
    pub(crate) url: HttpUrl,
    pub(crate) keys: Arc<FetchedKeys>,
    fetching: AbortHandle,
}

impl Jwks {
    /// Begins to fetch on `runtime`, with those keys until the first have come.
    pub(crate) fn start(
        url: HttpUrl,
        client: HttpClient,
        times: JwksTimes,
        known: Option<JwtKeys>,
        runtime: &Handle,
    ) -> Self {
        let keys = Arc::new(FetchedKeys::new(known, times.cooldown));
        let fetching = runtime.spawn(fetch(url.clone(), client, times, Arc::clone(&keys))).abort_handle();
        Self { url, keys, fetching }
    }
}

impl Drop for Jwks {
    fn drop(&mut self) {
        self.fetching.abort();
    }
}

async fn fetch(url: HttpUrl, client: HttpClient, times: JwksTimes, keys: Arc<FetchedKeys>) {
    // What was known before has been good until now.
    let mut good_until = Instant::now();
    let mut was_fault = false;
    loop {
        let pause = match fetch_once(&client).await {
            Ok((fetched, lifetime)) => {
                if was_fault {
                    tracing::info!("the keys of tokens have come from {url} again");
                }
                was_fault = false;
                keys.put(fetched);
                let lifetime = lifetime.unwrap_or(times.lifetime);
                good_until = Instant::now() + lifetime;
                lifetime
            }
            Err(fault) => {
                was_fault = true;
                let left = (good_until + times.stale).saturating_duration_since(Instant::now());
                let keeps = keys.keys().is_some() && !left.is_zero();
                keys.failed(&fault, keeps);
                if keeps {
                    let seconds = left.as_secs();
                    tracing::warn!(
                        "the keys of tokens cannot be fetched from {url}: {fault}; the last ones are used for {seconds} s at most"
                    );
                    RETRY.min(left)
                } else {
                    tracing::warn!(
                        "the keys of tokens cannot be fetched from {url}: {fault}; tokens are refused until they can be"
                    );
                    RETRY
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = keys.wanted() => {}
        }
    }
}

/// Keys, and for how long the server says that they are good.
async fn fetch_once(client: &HttpClient) -> Result<(JwtKeys, Option<Duration>), String> {
    let answer = tokio::time::timeout(TIMEOUT, client.get()).await;
    let answer = answer.map_err(|_| format!("no answer within {} s", TIMEOUT.as_secs()))?;
    let answer = answer.map_err(|fault| fault.to_string())?;
    if !answer.body.trim_ascii_start().starts_with(b"{") {
        return Err("its answer is no set of keys (JWKS)".to_owned());
    }
    let keys = JwtKeys::parse(&answer.body).map_err(|error| error.to_string())?;
    Ok((keys, lifetime(&answer.headers)))
}

/// `max-age` (RFC 9111, section 5.2.2.1), within limits; of `no-store` and `no-cache` the least.
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut found = None;
    for directive in values.flat_map(|value| value.split(',')).map(|text| text.trim().to_ascii_lowercase()) {
        match directive.split_once('=') {
            Some(("max-age", seconds)) => {
                let seconds = seconds.trim_matches('"').parse().ok();
                found = found.or(seconds.map(Duration::from_secs));
            }
            None if directive == "no-store" || directive == "no-cache" => return Some(LIFETIME_MIN),
            _ => {}
        }
    }
    found.map(|lifetime| lifetime.clamp(LIFETIME_MIN, LIFETIME_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes() {
        let seconds = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_CONTROL, value.parse().expect("a value"));
            }
            lifetime(&headers).map(|lifetime| lifetime.as_secs())
        };
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&["public, max-age=300, must-revalidate"]), Some(300));
        assert_eq!(seconds(&["public", "Max-Age=\"60\""]), Some(60));
        assert_eq!(seconds(&["max-age=0"]), Some(10));
        assert_eq!(seconds(&["max-age=99999999999"]), Some(86_400));
        assert_eq!(seconds(&["max-age=300, no-cache"]), Some(10));
        assert_eq!(seconds(&["max-age=soon, s-maxage=7"]), None);
    }
}
