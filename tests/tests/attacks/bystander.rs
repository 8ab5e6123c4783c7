//! A client that wants nothing but to be served.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ferry_tests::ferry::Ferry;
use ferry_tests::wire::{PacketKind, Value};

use crate::attacker::Attacker;
use crate::packet;

/// How long a message may take there and back, on a machine that is busy with other tests.
const ROUND_MAX: Duration = Duration::from_secs(10);

/// From one round to the next: often enough to see a pause, rarely enough to leave the processor to the attack.
const ROUND_INTERVAL: Duration = Duration::from_millis(10);

/// A client on a thread of its own that sends itself messages until it is told to stop.
pub(crate) struct Bystander {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Bystander {
    /// Starts one that has been served once.
    pub(crate) fn start(ferry: &Ferry) -> Self {
        let mut client = Attacker::online(ferry, 5, "bystander");
        client.send(&packet::subscribe(5, 1, &[("bystander", 0)]));
        client.expect(PacketKind::Suback);
        round(&mut client, 0);
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut waits = Vec::new();
            while stopped.recv_timeout(ROUND_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                waits.push(round(&mut client, waits.len() as u32 + 1));
            }
            waits.push(round(&mut client, 0));
            waits
        });
        Self { stop, thread }
    }

    /// Stops it, after one more message, and prints how long it waited for each.
    #[expect(clippy::print_stdout, reason = "a figure to look at, which no test can judge on a busy machine")]
    pub(crate) fn stop(self) {
        drop(self.stop);
        let mut waits = self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        waits.sort();
        let (median, last) = (waits[waits.len() / 2], waits[waits.len() - 1]);
        println!("the bystander waited {median:?} (median), {last:?} (longest of {})", waits.len());
    }
}

/// One message to the broker and back, and how long it took.
fn round(client: &mut Attacker, number: u32) -> Duration {
    let begin = Instant::now();
    client.send(&packet::publish(5, 1, 1, "bystander", &number.to_be_bytes()));
    let (first, second) = (client.next(), client.next());
    assert!(begin.elapsed() < ROUND_MAX, "the bystander waited {:?}", begin.elapsed());
    let message = if first.kind == PacketKind::Publish { first } else { second };
    let waited = begin.elapsed();
    assert_eq!(message.get("payload"), Some(&Value::Bytes(number.to_be_bytes().to_vec())), "{message}");
    waited
}
