use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::clients::{
    Delivered, Window, acknowledged, log_in, publish_paced, publish_saturated, receive, subscribe_to,
};
use super::packets::Message;
use super::{BrokerProcess, Filters, Pace, Scenario};

/// Before measuring, so that memory and caches are warm.
const WARM_UP: Duration = Duration::from_millis(500);

/// What one run came to.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Messages that arrived at subscribers.
    pub messages_per_second: f64,
    /// The broker's processor time for each of them.
    pub processor_microseconds_per_message: f64,
}

/// What a broker costs that has nothing to do.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Memory of the process without connections.
    pub resident_bytes: u64,
    /// Memory for each connected client, without that of the kernel.
    pub bytes_per_connection: u64,
    /// How often its threads were woken, with all clients connected.
    pub wakeups: u64,
}

/// The clients of a scenario, at work.
struct Load {
    scenario: Scenario,
    address: SocketAddr,
    delivered: Delivered,
    /// What went wrong first.
    failed: Rc<RefCell<Option<String>>>,
    /// Subscribers to what is never published.
    others: Vec<TcpStream>,
}

/// Loads a broker for this long.
///
/// # Errors
/// The broker refuses a client, is gone, or delivers what it should not.
pub fn measure(broker: &BrokerProcess, scenario: Scenario, duration: Duration) -> Result<Measured, String> {
    on_runtime(async {
        let mut load = Load {
            scenario,
            address: broker.address(),
            delivered: Delivered::default(),
            failed: Rc::default(),
            others: Vec::new(),
        };
        load.start().await.map_err(|error| error.to_string())?;
        sleep(WARM_UP).await;
        let before = (Instant::now(), load.delivered.get(), broker.figures().processor_seconds()?);
        sleep(duration).await;
        let messages = (load.delivered.get() - before.1) as f64;
        let processor_seconds = broker.figures().processor_seconds()? - before.2;
        if let Some(error) = load.failed.take() {
            return Err(error);
        }
        if messages == 0.0 {
            return Err("nothing was delivered".to_owned());
        }
        Ok(Measured {
            messages_per_second: messages / before.0.elapsed().as_secs_f64(),
            processor_microseconds_per_message: processor_seconds * 1e6 / messages,
        })
    })
}

/// Connects so many clients that do nothing, and looks at the broker for this long.
///
/// # Errors
/// The broker refuses a client, or is gone.
pub fn idle(broker: &BrokerProcess, clients: usize, duration: Duration) -> Result<Idle, String> {
    on_runtime(async {
        let resident_bytes = broker.figures().resident_bytes()?;
        let mut connected = Vec::new();
        for client in 0..clients {
            let stream = log_in(broker.address(), &format!("idle-client-{client:06}")).await;
            connected.push(stream.map_err(|error| error.to_string())?);
        }
        let with_clients = broker.figures().resident_bytes()?;
        // What follows from the last connection is over by then.
        sleep(WARM_UP).await;
        let wakeups = broker.figures().wakeups()?;
        sleep(duration).await;
        Ok(Idle {
            resident_bytes,
            bytes_per_connection: with_clients.saturating_sub(resident_bytes) / clients.max(1) as u64,
            wakeups: broker.figures().wakeups()? - wakeups,
        })
    })
}

fn on_runtime<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.map_err(|error| error.to_string())?, work)
}

impl Load {
    /// Subscribers first, so that nothing is missed.
    async fn start(&mut self) -> io::Result<()> {
        if let Filters::Wildcard(others) = self.scenario.filters {
            self.subscribe_others(others).await?;
        }
        let mut windows = Vec::new();
        for flow in 0..self.scenario.flows {
            let publishers = (0..self.scenario.publishers).map(|_| Rc::new(Window::default())).collect();
            self.start_subscribers(flow, &publishers).await?;
            windows.push(publishers);
        }
        for (flow, publishers) in windows.into_iter().enumerate() {
            for (publisher, window) in publishers.iter().enumerate() {
                self.start_publisher(flow, publisher, Rc::clone(window)).await?;
            }
        }
        Ok(())
    }

    fn message(&self, flow: usize) -> Message {
        Message::new(&topic(flow), self.scenario.qos, self.scenario.payload_bytes)
    }

    async fn subscribe_others(&mut self, count: usize) -> io::Result<()> {
        const PER_CLIENT: usize = 1_000;
        for client in 0..count.div_ceil(PER_CLIENT) {
            let mut stream = log_in(self.address, &format!("other-{client}")).await?;
            let filters: Vec<_> =
                (0..PER_CLIENT).map(|filter| format!("load/other-{client}/{filter}/+")).collect();
            subscribe_to(&mut stream, &filters, 0).await?;
            self.others.push(stream);
        }
        Ok(())
    }

    async fn start_subscribers(&self, flow: usize, windows: &Rc<[Rc<Window>]>) -> io::Result<()> {
        let filter = match self.scenario.filters {
            Filters::Exact => topic(flow),
            Filters::Wildcard(_) => format!("load/+/{flow:04}"),
            Filters::Shared => format!("$share/group/{}", topic(flow)),
        };
        let all = self.scenario.filters != Filters::Shared;
        for subscriber in 0..self.scenario.subscribers {
            let mut stream = log_in(self.address, &format!("subscriber-{flow}-{subscriber}")).await?;
            subscribe_to(&mut stream, std::slice::from_ref(&filter), self.scenario.qos).await?;
            let delivered = self.delivered.clone();
            let task = receive(stream, Rc::clone(windows), all, delivered, self.message(flow));
            self.spawn(task);
        }
        Ok(())
    }

    async fn start_publisher(&self, flow: usize, publisher: usize, window: Rc<Window>) -> io::Result<()> {
        let stream = log_in(self.address, &format!("publisher-{flow}-{publisher}")).await?;
        let (input, output) = stream.into_split();
        let output = Rc::new(tokio::sync::Mutex::new(output));
        let is_shared = self.scenario.filters == Filters::Shared;
        self.spawn(acknowledged(input, Rc::clone(&output)));
        let copies = if is_shared { 1 } else { self.scenario.subscribers };
        match self.scenario.pace {
            Pace::Window(max) => {
                self.spawn(publish_saturated(output, window, max, copies, publisher, self.message(flow)));
            }
            Pace::Every(pace) => {
                let clients = self.scenario.flows * self.scenario.publishers;
                let first =
                    pace.mul_f64((flow * self.scenario.publishers + publisher) as f64 / clients as f64);
                self.spawn(publish_paced(output, first, pace, self.message(flow)));
            }
        }
        Ok(())
    }

    fn spawn(&self, task: impl Future<Output = io::Result<()>> + 'static) {
        let failed = Rc::clone(&self.failed);
        tokio::task::spawn_local(async move {
            if let Err(error) = task.await {
                failed.borrow_mut().get_or_insert_with(|| error.to_string());
            }
        });
    }
}

fn topic(flow: usize) -> String {
    format!("load/topic/{flow:04}")
}
