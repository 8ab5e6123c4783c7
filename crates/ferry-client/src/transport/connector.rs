use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::BoxedStream;
use crate::ServerAddress;

/// A way to a server that is not built in: a serial line, a tunnel, the memory of a test.
///
/// ```
/// use ferry_client::{ClientOptions, Connector};
///
/// let mut options = ClientOptions::new("mqtt://behind-the-tunnel")?;
/// options.transport.connector = Some(Connector::new(|address| async move {
///     println!("to {address}");
///     tokio::net::TcpStream::connect("127.0.0.1:4711").await
/// }));
/// # Ok::<(), ferry_client::AddressError>(())
/// ```
#[derive(Clone)]
pub struct Connector(Arc<dyn Fn(ServerAddress) -> Connecting + Send + Sync>);

type Connecting = Pin<Box<dyn Future<Output = io::Result<BoxedStream>> + Send>>;

impl Connector {
    /// Calls `connect` for each connection. What it gives must be ordered and lossless `[MQTT3-7.1.2-1]`.
    #[must_use]
    pub fn new<F, S>(connect: impl Fn(ServerAddress) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move |address| {
            let connecting = connect(address);
            Box::pin(async move { Ok(Box::new(connecting.await?) as BoxedStream) })
        }))
    }

    pub(super) fn connect(&self, address: ServerAddress) -> Connecting {
        (self.0)(address)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}
