use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use mio::{Poll, Waker};

use super::Environment;
use super::agent_process::{AgentProcess, Setup};
use super::broker_under_fire::BrokerUnderFire;
use crate::BenchError;
use crate::agent::{Order, SharedCredits, WAKER, Word, Worker, WorkerSetup};
use crate::clock::Clock;
use crate::plan::{Credentials, Plan};

/// The event loops of one process.
pub(crate) struct Loops {
    orders: Vec<Sender<Order>>,
    credits: Arc<SharedCredits>,
    first: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Loops {
    /// Starts the loops of a process, by its number among the processes of the run.
    ///
    /// # Errors
    /// The broker's address cannot be found, or the system has no descriptors left.
    pub(crate) fn start(
        plan: &Arc<Plan>,
        credentials: &Arc<Credentials>,
        clock: Clock,
        process: usize,
        words: &Sender<(usize, Word)>,
    ) -> Result<Self, BenchError> {
        let failed = |error: std::io::Error| BenchError::new(format!("starting an event loop: {error}"));
        let first = process * plan.threads;
        let (mut polls, mut wakers) = (Vec::new(), Vec::new());
        for _ in 0..plan.threads {
            let poll = Poll::new().map_err(failed)?;
            wakers.push(Waker::new(poll.registry(), WAKER).map_err(failed)?);
            polls.push(poll);
        }
        let credits = Arc::new(SharedCredits::new(plan, first, wakers));
        let (mut all_orders, mut threads) = (Vec::new(), Vec::new());
        for (index, poll) in polls.into_iter().enumerate() {
            let (sender, orders) = channel();
            let setup = WorkerSetup {
                plan: Arc::clone(plan),
                credentials: Arc::clone(credentials),
                number: first + index,
                clock,
                credits: Arc::clone(&credits),
                poll,
                orders,
                words: words.clone(),
            };
            let worker = Worker::new(setup)?;
            let thread = std::thread::Builder::new().name(format!("bench-{}", first + index));
            threads.push(thread.spawn(move || worker.run()).map_err(failed)?);
            all_orders.push(sender);
        }
        Ok(Self { orders: all_orders, credits, first, threads })
    }

    /// Tells all loops.
    pub(crate) fn tell(&self, order: &Order) {
        for (index, sender) in self.orders.iter().enumerate() {
            // A loop that is gone has said why.
            let _ = sender.send(order.clone());
            self.credits.wake(self.first + index);
        }
    }

    /// Waits for the loops to end, after the last order.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}

/// All event loops of a run, in this process and in others.
pub(crate) struct Links {
    here: Loops,
    others: Vec<AgentProcess>,
    other_pids: Vec<u32>,
    pub(crate) words: Receiver<(usize, Word)>,
    words_sender: Sender<(usize, Word)>,
    count: usize,
    broker: Option<BrokerUnderFire>,
}

impl Links {
    /// # Errors
    /// An event loop or a process cannot start.
    pub(crate) fn start(
        plan: &Arc<Plan>,
        environment: Environment,
        clock: Clock,
    ) -> Result<Self, BenchError> {
        let (sender, words) = channel();
        let Environment { credentials, agent_command, interruption: _ } = environment;
        let mut others = Vec::new();
        for process in 1..plan.processes {
            let command = agent_command
                .as_ref()
                .ok_or_else(|| BenchError::new("this program cannot start further processes of a run"))?;
            let plan = plan.as_ref().clone();
            let setup = Setup { plan, credentials: credentials.clone(), clock, process };
            others.push(AgentProcess::start(command, &setup, &sender)?);
        }
        let here = Loops::start(plan, &Arc::new(credentials), clock, 0, &sender)?;
        let other_pids = others.iter().map(AgentProcess::pid).collect();
        Ok(Self {
            here,
            others,
            other_pids,
            words,
            words_sender: sender,
            count: plan.workers(),
            broker: None,
        })
    }

    pub(crate) fn tell(&mut self, order: &Order) {
        self.here.tell(order);
        for other in &mut self.others {
            if let Err(error) = other.tell(order) {
                // The receiver is in the same struct.
                let _ = self.words_sender.send((0, Word::Failed(error.to_string())));
            }
        }
    }

    /// How many event loops there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Process IDs of the other processes.
    pub(crate) fn other_processes(&self) -> &[u32] {
        &self.other_pids
    }

    /// The broker must live until the run is over.
    pub(crate) fn keep(&mut self, broker: Option<BrokerUnderFire>) {
        self.broker = broker;
    }

    pub(crate) fn join(self) {
        self.here.join();
    }
}
