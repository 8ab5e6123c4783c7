//! Asking HTTP servers, from a thread of its own, so that no answer is waited for where clients are served.
//!
//! Only what such questions need: HTTP/1.1 on connections that are kept, TLS, limits of time and size. Redirects are not
//! followed and no proxy is used: what is asked may have a password in it.

mod client;
mod stream;
mod thread;
mod url;

#[cfg(feature = "postgresql")]
pub(crate) use client::tls_connector;
pub(crate) use client::{HttpClient, HttpFault, read_authorities};
pub(crate) use thread::HttpThread;
pub(crate) use url::HttpUrl;
