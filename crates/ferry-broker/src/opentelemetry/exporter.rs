use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc as blocking};
use std::time::{Duration, Instant};

use ferry_core::Span;
use hyper::StatusCode;
use tokio::sync::mpsc;

use super::otlp_json::{self, Resource};
use super::span_queue::SpanQueue;
use crate::config::{Config, Place, Problem, Problems, read_collector};
use crate::http_client::{HttpClient, HttpFault, HttpThread};

/// Bytes of an answer: it says little.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Pauses before a batch is sent again; each is twice as long as the one before.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(16);

/// From the first attempt on; then the batch is dropped.
const ATTEMPTS_MAX: Duration = Duration::from_secs(60);

/// How long the end of the broker waits for the last spans.
const LAST_SPANS_MAX: Duration = Duration::from_secs(2);

/// Tells a collector of spans, if one is configured.
pub(crate) struct Exporter {
    queue: Arc<SpanQueue>,
    /// There when a collector has been configured.
    http: OnceLock<HttpThread>,
    /// Ends when the present one has told all it had.
    ended: Mutex<Option<blocking::Receiver<()>>>,
}

/// The way to a collector that is not in use yet.
pub(crate) struct Outlet {
    client: HttpClient,
    resource: Resource,
    limits: Limits,
}

#[derive(Clone, Copy)]
struct Limits {
    queue_spans_max: usize,
    batch_spans_max: usize,
    interval: Duration,
    timeout: Duration,
}

impl Exporter {
    /// With the collector of a configuration, if there is one.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub(crate) fn new(config: &Config) -> Result<Self, Problems> {
        let exporter = Self { queue: Arc::default(), http: OnceLock::new(), ended: Mutex::default() };
        let outlet = exporter.make(config)?;
        exporter.put_in_force(outlet);
        Ok(exporter)
    }

    /// Where shards put spans.
    pub(crate) fn queue(&self) -> Arc<SpanQueue> {
        Arc::clone(&self.queue)
    }

    /// Reads what the configuration says about the collector; `None` if there is none.
    ///
    /// # Errors
    /// A file cannot be read, or something is wrong with it.
    pub(crate) fn make(&self, config: &Config) -> Result<Option<Outlet>, Problems> {
        let section = &config.opentelemetry;
        // Whoever loaded the configuration has seen the warnings.
        let collector = read_collector(section, &|_| Place::Default, &mut Vec::new()).map_err(Problems)?;
        let Some(collector) = collector else { return Ok(None) };
        let ca_file = collector.ca_file.as_deref();
        let client = HttpClient::new(collector.url, collector.headers, ca_file, ANSWER_BYTES_MAX, 1);
        let client = client.map_err(|error| problem(error.to_string()))?;
        if self.http.get().is_none() {
            let thread = HttpThread::new()
                .map_err(|error| problem(format!("the system has no thread to give: {error}")))?;
            self.http.get_or_init(|| thread);
        }
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        Ok(Some(Outlet {
            client,
            resource: Resource {
                service_name: section.service_name.clone(),
                instance_id: config.server.name.clone(),
            },
            limits: Limits {
                queue_spans_max: section.queue_spans_max as usize,
                batch_spans_max: section.batch_spans_max as usize,
                interval: seconds(section.interval_seconds),
                timeout: seconds(section.timeout_seconds),
            },
        }))
    }

    /// Spans go this way from now on. What waits for the one before is still told there.
    pub(crate) fn put_in_force(&self, outlet: Option<Outlet>) {
        self.queue.set_fault(None);
        let (Some(outlet), Some(http)) = (outlet, self.http.get()) else {
            self.queue.replace(None);
            return;
        };
        let (sender, receiver) = mpsc::channel(outlet.limits.queue_spans_max);
        let (ending, ended) = blocking::channel();
        let queue = Arc::clone(&self.queue);
        http.handle().spawn(async move {
            export(receiver, &outlet, &queue).await;
            drop(ending);
        });
        self.queue.replace(Some(sender));
        *self.ended() = Some(ended);
    }

    /// Begins to tell, if there is somebody to be told. Spans that come before wait.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.http.get().map_or(Ok(()), HttpThread::begin)
    }

    /// Nobody has spans any more: waits until the last ones are told, or for two seconds.
    pub(crate) fn close(&self) {
        self.queue.replace(None);
        if let Some(ended) = self.ended().take() {
            // Nothing is ever sent: it ends with the other end, or with the time.
            let _ = ended.recv_timeout(LAST_SPANS_MAX);
        }
    }

    fn ended(&self) -> MutexGuard<'_, Option<blocking::Receiver<()>>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells of spans until nobody has any more.
async fn export(mut spans: mpsc::Receiver<Span>, outlet: &Outlet, queue: &SpanQueue) {
    let Limits { batch_spans_max, interval, .. } = outlet.limits;
    let mut batch = Vec::new();
    while spans.recv_many(&mut batch, batch_spans_max).await > 0 {
        let mut is_due = std::pin::pin!(tokio::time::sleep(interval));
        while batch.len() < batch_spans_max {
            let room = batch_spans_max - batch.len();
            tokio::select! {
                received = spans.recv_many(&mut batch, room) => if received == 0 { break },
                () = &mut is_due => break,
            }
        }
        tell(&batch, outlet, queue, &|| spans.is_closed()).await;
        batch.clear();
    }
}

/// Sends a batch, again and again if that can help. Of a collector that is not the one any more (`is_former`) nobody wants to know what
/// is wrong with it, and it is not asked again: what waits for it would be kept besides what waits for the others.
async fn tell(batch: &[Span], outlet: &Outlet, queue: &SpanQueue, is_former: &(dyn Fn() -> bool + Sync)) {
    let body = otlp_json::request(&outlet.resource, batch);
    let count = batch.len() as u64;
    let begun = Instant::now();
    let mut pause = PAUSE_MIN;
    loop {
        let asked = tokio::time::timeout(outlet.limits.timeout, outlet.client.post_json(body.clone()));
        let (words, retry_after) = match asked.await {
            Ok(Ok(answer)) => return taken(count, &answer.body, queue, is_former()),
            // The standard has 200; this is no refusal either.
            Ok(Err(HttpFault::Status { status, .. })) if status.is_success() => {
                return taken(count, &[], queue, is_former());
            }
            Ok(Err(HttpFault::TooLarge(_))) => return taken(count, &[], queue, is_former()),
            Ok(Err(fault)) => (fault.to_string(), retry_after(&fault)),
            Err(_) => (format!("no answer within {} s", outlet.limits.timeout.as_secs()), Some(None)),
        };
        if is_former() {
            return queue.count_failed(count);
        }
        if queue.set_fault(Some(words.clone())) {
            tracing::warn!("the collector of traces does not take them: {words}");
        }
        // So that not all brokers come at the same time.
        let jitter = pause.mul_f64((batch[0].span_id.get() % 1024) as f64 / 4096.0);
        let wait = retry_after.map(|asked_for| asked_for.unwrap_or(pause + jitter).max(PAUSE_MIN));
        match wait.filter(|wait| begun.elapsed().saturating_add(*wait) < ATTEMPTS_MAX) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return queue.count_failed(count),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn taken(count: u64, answer: &[u8], queue: &SpanQueue, is_former: bool) {
    let (rejected, message) = otlp_json::rejected(answer);
    queue.count_exported(count, rejected);
    if let Some(message) = message {
        tracing::debug!(rejected, "the collector of traces says: {message}");
    }
    if !is_former && queue.set_fault(None) {
        tracing::info!("the collector of traces takes them again");
    }
}

/// Whether it may help to ask again (OTLP, "Failures"), and after how long if the collector has said it.
fn retry_after(fault: &HttpFault) -> Option<Option<Duration>> {
    match fault {
        HttpFault::Connect(_) | HttpFault::Tls(_) | HttpFault::Http(_) => Some(None),
        HttpFault::Status { status, retry_after } => {
            let may_help = [
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ];
            may_help.contains(status).then_some(*retry_after)
        }
        HttpFault::TooLarge(_) | HttpFault::Files(_) => None,
    }
}

fn problem(message: String) -> Problems {
    let option = "opentelemetry.endpoint".to_owned();
    Problems(vec![Problem { place: Place::Default, option, message, remedy: String::new() }])
}
