//! A proxy on the way to a broker that breaks what passes through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until};

pub(crate) struct FaultProxy {
    pub(crate) port: u16,
    cut: broadcast::Sender<()>,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    /// Bytes are taken and not passed on, as behind a cable that was pulled.
    is_silent: AtomicBool,
    /// The next bytes of the server are damaged.
    corrupts: AtomicBool,
    /// Bytes are passed on so much later.
    delay_ms: AtomicU64,
    connections: AtomicU64,
    connected: Notify,
}

impl FaultProxy {
    pub(crate) async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (cut, _) = broadcast::channel(4);
        let faults = Arc::new(Faults::default());
        let (cuts, of_connections) = (cut.clone(), Arc::clone(&faults));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = cuts.subscribe();
                of_connections.connections.fetch_add(1, Ordering::Relaxed);
                of_connections.connected.notify_waiters();
                let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)).await else { continue };
                tokio::spawn(pass(client, server, cut, Arc::clone(&of_connections)));
            }
        });
        Self { port, cut, faults }
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.faults.is_silent.store(false, Ordering::Relaxed);
        let _nobody = self.cut.send(());
    }

    /// From now on nothing passes, and nobody is told.
    pub(crate) fn fall_silent(&self) {
        self.faults.is_silent.store(true, Ordering::Relaxed);
    }

    /// Damages the next bytes that the server sends.
    pub(crate) fn corrupt(&self) {
        self.faults.corrupts.store(true, Ordering::Relaxed);
    }

    /// From now on everything arrives so much later, in both directions.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).expect("a short delay");
        self.faults.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> u64 {
        self.faults.connections.load(Ordering::Relaxed)
    }

    /// Waits for one more connection, which is a good one.
    pub(crate) async fn reconnected(&self) {
        let connected = self.faults.connected.notified();
        connected.await;
        self.faults.is_silent.store(false, Ordering::Relaxed);
    }
}

async fn pass(client: TcpStream, server: TcpStream, mut cut: broadcast::Receiver<()>, faults: Arc<Faults>) {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        () = copy(client_read, server_write, &faults, false) => {}
        () = copy(server_read, client_write, &faults, true) => {}
        _ = cut.recv() => {}
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    faults: &Faults,
    of_server: bool,
) {
    let (sender, mut arrived) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async {
        // Small, so that packets are cut in the middle.
        let mut buffer = [0; 37];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if faults.is_silent.load(Ordering::Relaxed) {
                continue;
            }
            if of_server && faults.corrupts.swap(false, Ordering::Relaxed) {
                buffer[..length].fill(0);
            }
            let delay = Duration::from_millis(faults.delay_ms.load(Ordering::Relaxed));
            if sender.send((Instant::now() + delay, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
        // That the server hangs up does not pass either.
        if of_server && faults.is_silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let write = async {
        while let Some((at, bytes)) = arrived.recv().await {
            // What is late waits on its way, and what comes after it is under way meanwhile.
            if at > Instant::now() {
                sleep_until(at).await;
            }
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}
