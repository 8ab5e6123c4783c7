use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::stream::HttpStream;
use super::url::HttpUrl;

/// Bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A connection that nobody has used for so long is not used any more: something between may have forgotten it.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Who asks.
const AGENT: &str = concat!("ferry/", env!("CARGO_PKG_VERSION"));

/// Asks one server, on connections that are kept for the next question. Needs the runtime of an
/// [`HttpThread`](super::HttpThread).
pub(crate) struct HttpClient {
    url: HttpUrl,
    host: HeaderValue,
    headers: HeaderMap,
    tls: Option<TlsConnector>,
    body_bytes_max: usize,
    /// With the time of its last use.
    idle: Mutex<Vec<(Instant, SendRequest<String>)>>,
    idle_max: usize,
}

/// What a server has answered, with the status 200.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum HttpFault {
    /// The server cannot be reached.
    Connect(io::Error),
    /// It has not proven who it is, or does not speak TLS.
    Tls(io::Error),
    /// It is no HTTP, or has ended too early.
    Http(hyper::Error),
    /// Another status than 200; the server may say how long not to ask again.
    Status { status: StatusCode, retry_after: Option<Duration> },
    /// The body has more bytes than this.
    TooLarge(usize),
    /// The files that the configuration names cannot be used.
    Files(String),
}

impl fmt::Display for HttpFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(formatter, "no connection: {error}"),
            Self::Tls(error) => write!(formatter, "no TLS: {error}"),
            Self::Http(error) => {
                write!(formatter, "{error}")?;
                let source = std::error::Error::source(error);
                source.map_or(Ok(()), |source| write!(formatter, ": {source}"))
            }
            Self::Status { status, .. } => write!(formatter, "it answered {status}"),
            Self::TooLarge(bytes_max) => write!(formatter, "it answered more than {bytes_max} bytes"),
            Self::Files(words) => formatter.write_str(words),
        }
    }
}

impl HttpClient {
    /// Trusts the authorities in `ca_file`, or those of the system. Keeps `idle_max` connections that nobody uses.
    ///
    /// # Errors
    /// The file has none.
    pub(crate) fn new(
        url: HttpUrl,
        headers: HeaderMap,
        ca_file: Option<&Path>,
        body_bytes_max: usize,
        idle_max: usize,
    ) -> Result<Self, HttpFault> {
        let host = HeaderValue::from_str(url.authority())
            .map_err(|_| HttpFault::Files("the URL has a host that is none".to_owned()))?;
        let tls = url.uses_tls().then(|| tls_connector(ca_file)).transpose()?;
        Ok(Self { url, host, headers, tls, body_bytes_max, idle: Mutex::default(), idle_max })
    }

    /// # Errors
    /// There is no answer with the status 200.
    pub(crate) async fn get(&self) -> Result<Answer, HttpFault> {
        self.ask(Method::GET, String::new()).await
    }

    /// # Errors
    /// There is no answer with the status 200.
    pub(crate) async fn post_json(&self, body: String) -> Result<Answer, HttpFault> {
        self.ask(Method::POST, body).await
    }

    async fn ask(&self, method: Method, body: String) -> Result<Answer, HttpFault> {
        if let Some(connection) = self.take_idle() {
            match self.exchange(connection, self.request(&method, body.clone())).await {
                // The server may have closed it before it had the question.
                Err(HttpFault::Http(error)) if error.is_canceled() || error.is_incomplete_message() => {}
                Err(HttpFault::Http(error)) if is_reset(&error) => {}
                result => return result,
            }
        }
        let connection = self.connect().await?;
        self.exchange(connection, self.request(&method, body)).await
    }

    fn request(&self, method: &Method, body: String) -> Request<String> {
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        // It was part of a URL.
        *request.uri_mut() = self.url.path_and_query().parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        request
    }

    async fn exchange(
        &self,
        mut connection: SendRequest<String>,
        request: Request<String>,
    ) -> Result<Answer, HttpFault> {
        connection.ready().await.map_err(HttpFault::Http)?;
        let response = connection.send_request(request).await.map_err(HttpFault::Http)?;
        let (head, body) = response.into_parts();
        // Of another answer nobody reads the body; the connection is closed.
        if head.status != StatusCode::OK {
            let retry_after = retry_after(&head.headers);
            return Err(HttpFault::Status { status: head.status, retry_after });
        }
        let body = self.body(body).await?;
        self.keep(connection);
        Ok(Answer { headers: head.headers, body })
    }

    async fn body(&self, mut incoming: Incoming) -> Result<Vec<u8>, HttpFault> {
        let mut body = Vec::new();
        while let Some(frame) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
            let Ok(data) = frame.map_err(HttpFault::Http)?.into_data() else { continue };
            if body.len() + data.len() > self.body_bytes_max {
                return Err(HttpFault::TooLarge(self.body_bytes_max));
            }
            body.extend_from_slice(&data);
        }
        Ok(body)
    }

    async fn connect(&self) -> Result<SendRequest<String>, HttpFault> {
        let tcp = TcpStream::connect((self.url.host(), self.url.port())).await.map_err(HttpFault::Connect)?;
        // Without it a question waits for the acknowledgement of its head; nothing depends on it.
        let _ = tcp.set_nodelay(true);
        let stream = match &self.tls {
            None => HttpStream::Plain(tcp),
            Some(tls) => {
                let name = ServerName::try_from(self.url.host().to_owned());
                let name = name.map_err(|error| HttpFault::Tls(io::Error::other(error)))?;
                let stream = tls.connect(name, tcp).await.map_err(HttpFault::Tls)?;
                HttpStream::Tls(Box::new(stream))
            }
        };
        let handshake = Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(stream).await;
        let (sender, connection) = handshake.map_err(HttpFault::Http)?;
        tokio::spawn(async move {
            // Whoever asked has got the error.
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, SendRequest<String>)>> {
        // Each change is one operation of the list.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<SendRequest<String>> {
        let mut idle = self.idle();
        idle.retain(|(since, connection)| since.elapsed() < IDLE_MAX && !connection.is_closed());
        // The one that was used last: those that are not needed get old.
        Some(idle.pop()?.1)
    }

    fn keep(&self, connection: SendRequest<String>) {
        let mut idle = self.idle();
        if idle.len() < self.idle_max && !connection.is_closed() {
            idle.push((Instant::now(), connection));
        }
    }
}

/// `Retry-After` (RFC 9110, section 10.2.3) in seconds; dates are not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn is_reset(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
    })
}

/// The authorities in a PEM file.
///
/// # Errors
/// It has none, or something else too.
pub(crate) fn read_authorities(path: &Path) -> Result<RootCertStore, HttpFault> {
    let wrong = |words: String| HttpFault::Files(format!("{}: {words}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// Checks the certificates of servers with the authorities in a file, or with those of the system.
///
/// # Errors
/// The file has none.
pub(crate) fn tls_connector(ca_file: Option<&Path>) -> Result<TlsConnector, HttpFault> {
    let roots = match ca_file {
        Some(path) => read_authorities(path)?,
        None => {
            let mut roots = RootCertStore::empty();
            // Some of a system's may be of kinds that nobody knows any more.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map_err(|error| HttpFault::Files(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
