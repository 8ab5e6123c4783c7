//! Time, and everything that moves with it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use ferry_core::{Record, Ticket};
use ferry_router::ShardId;
use ferry_session::Timestamp;

use crate::broker::Broker;
use crate::client::{Client, ClientEffects, Ending};
use crate::conditions::Conditions;
use crate::fact::Fact;
use crate::model::Model;
use crate::network::{Link, LinkId, Pipe};
use crate::options::{Options, Trace};
use crate::oracle::{Oracles, Rest, Rules};
use crate::random::Random;
use crate::report::Report;
use crate::wire::from_server;

/// When every world begins.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

/// Long enough for every expiry, delay and timeout that clients choose, but those that are as good as never.
const CALM_SECONDS: u64 = 100;

/// For the auditor, who comes at the very end.
const AUDIT_SECONDS: u64 = 10;

/// Bytes that sockets and networks hold in each direction.
const WINDOW_BYTES: [usize; 3] = [300, 5_000, 100_000];

/// How far the broker's clock may jump.
const JUMP_MILLISECONDS: [u64; 4] = [500, 3_000, 20_000, 3_600_000];

/// Between two faults of a kind.
const FAULT_PAUSE_MILLISECONDS_MAX: u64 = 12_000;

/// How long a disk is full or fails.
const TROUBLE_MILLISECONDS_MAX: u64 = 5_000;

/// More events than this in one millisecond mean that somebody works without getting anywhere.
const STANDSTILL_MAX: u64 = 100_000;

/// What is to be looked at when its time comes. Looking too often does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    Client(usize),
    Upwards(LinkId),
    Downwards(LinkId),
    EndOfTurn(usize),
    Deadline(usize),
    Mail(usize),
    Store,
    Judgements(usize),
    /// The broker's process ends and another one begins.
    Crash,
    /// The disk becomes full, or fails.
    DiskTrouble,
    /// The disk is well again.
    DiskHeals,
    /// The broker's clock jumps ahead.
    ClockJump,
    /// The driver waits no longer for the output of a closing connection.
    Linger(LinkId),
}

/// What is to be done and when; what falls on the same millisecond comes in random order.
pub(crate) struct Agenda {
    entries: BinaryHeap<Reverse<(Timestamp, u64, Wake)>>,
    random: Random,
}

impl Agenda {
    /// Adds what may have a time.
    pub(crate) fn extend(&mut self, at: Option<Timestamp>, wake: Wake) {
        at.into_iter().for_each(|at| self.add(at, wake));
    }

    pub(crate) fn add(&mut self, at: Timestamp, wake: Wake) {
        self.entries.push(Reverse((at, self.random.next(), wake)));
    }
}

/// Model and oracles: who watches.
pub(crate) struct Watch {
    pub(crate) model: Model,
    pub(crate) oracles: Oracles,
    pub(crate) digest: u64,
    pub(crate) deliveries: u64,
    trace: Trace,
    /// The last lines before the first violation.
    history: VecDeque<String>,
}

impl Watch {
    /// Lets `change` happen to the model and tells the oracles what follows from it.
    pub(crate) fn see(&mut self, change: impl FnOnce(&mut Model, crate::model::Tell<'_>)) {
        let Self { model, oracles, trace, history, .. } = self;
        change(model, &mut |model, fact| {
            if *trace != Trace::Off
                && let Some(line) = fact.line(&model.journal)
            {
                trace_line(*trace, history, oracles, model, &format!("    {line}"));
            }
            oracles.observe(model, fact);
        });
    }

    /// Shows a line, if anybody wants to see it.
    pub(crate) fn note_line(&mut self, line: impl FnOnce() -> String) {
        if self.trace != Trace::Off {
            trace_line(self.trace, &mut self.history, &self.oracles, &self.model, &line());
        }
    }

    /// Tells the oracles a fact that changes nothing in the model.
    pub(crate) fn tell(&mut self, fact: &Fact<'_>) {
        self.see(|model, tell| tell(model, fact));
    }

    /// A shard recorded a change.
    pub(crate) fn recorded(&mut self, shard: ShardId, ticket: Ticket, record: &Record) {
        self.see(|model, tell| model.recorded(shard, ticket, record, tell));
    }

    /// The broker sent a packet.
    pub(crate) fn sent(&mut self, link: LinkId, client: usize, frame: &[u8]) {
        self.note("downwards", link, frame);
        match self.model.version(link).map(|version| from_server(frame, version)) {
            Some(Ok(packet)) => self.see(|model, tell| model.sent(link, client, &packet, tell)),
            Some(Err(what)) => self.tell(&Fact::Misbehaved { client, what }),
            None => {}
        }
    }

    /// Takes bytes into the digest, and shows them.
    pub(crate) fn note(&mut self, what: &str, link: LinkId, bytes: &[u8]) {
        for &byte in bytes {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        self.note_line(|| format!("{what} {link:?} {} bytes", bytes.len()));
    }
}

#[allow(clippy::print_stderr, reason = "the trace is for a person who asked for it")]
fn trace_line(trace: Trace, history: &mut VecDeque<String>, oracles: &Oracles, model: &Model, text: &str) {
    let line = format!("{:>8} {text}", model.network_now.0.saturating_sub(START.0));
    match trace {
        Trace::Off => {}
        Trace::Print => eprintln!("{line}"),
        Trace::Keep(lines) if oracles.violations.is_empty() => {
            history.push_back(line);
            if history.len() > lines {
                history.pop_front();
            }
        }
        Trace::Keep(_) => {}
    }
}

/// Everything there is.
pub(crate) struct World {
    now: Timestamp,
    random: Random,
    pub(crate) agenda: Agenda,
    pub(crate) watch: Watch,
    pub(crate) links: Vec<Link>,
    clients: Vec<Client>,
    broker: Broker,
    latency_milliseconds_max: u64,
    trouble_ends: Timestamp,
    events: u64,
    /// Events since the clock moved.
    standstill: u64,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        let mut random = Random::new(seed);
        let conditions = Conditions::draw(&mut random);
        let faults = [
            (conditions.crashes, Wake::Crash),
            (conditions.disk_trouble, Wake::DiskTrouble),
            (conditions.clock_jumps, Wake::ClockJump),
        ];
        let faults = faults.into_iter().filter_map(|(happens, fault)| happens.then_some(fault));
        let trouble_ends = Timestamp(START.0 + options.trouble_seconds * 1000);
        let audit = Timestamp(trouble_ends.0 + CALM_SECONDS * 1000);
        let auditor = conditions.client_count;
        let mut clients: Vec<_> =
            (0..auditor).map(|index| Client::new(index, random.fork(), START)).collect();
        clients.push(Client::new_auditor(auditor, random.fork(), audit));
        if conditions.clock_jumps {
            clients.iter_mut().for_each(Client::expect_refusals);
        }
        let mut agenda = Agenda { entries: BinaryHeap::new(), random: random.fork() };
        (0..clients.len()).for_each(|client| agenda.add(START, Wake::Client(client)));
        let rules = Rules {
            config: conditions.config.clone(),
            may_drop: conditions.may_drop,
            lossy_clients: clients
                .iter()
                .map(|client| client.profile.maximum_packet_size.is_some())
                .collect(),
            auditor,
        };
        let watch = Watch {
            model: Model::new(clients.len(), conditions.config.clone(), START),
            oracles: Oracles::new(rules),
            digest: 0xCBF2_9CE4_8422_2325,
            deliveries: 0,
            trace: options.trace,
            history: VecDeque::new(),
        };
        let latency_milliseconds_max = conditions.latency_milliseconds_max;
        let broker = Broker::new(conditions, options.planted_bug, random.fork(), START);
        let mut world = Self {
            now: START,
            random,
            agenda,
            watch,
            links: Vec::new(),
            clients,
            broker,
            latency_milliseconds_max,
            trouble_ends,
            events: 0,
            standstill: 0,
        };
        faults.into_iter().for_each(|fault| world.again(fault));
        world
    }

    /// From the first CONNECT to the audit.
    pub(crate) fn run(mut self, seed: u64) -> Report {
        self.run_until(self.trouble_ends);
        self.heal();
        self.run_until(Timestamp(self.trouble_ends.0 + (CALM_SECONDS + AUDIT_SECONDS) * 1000));
        let rest = self.rest();
        self.watch.oracles.at_rest(&self.watch.model, &rest);
        Report {
            seed,
            events: self.events,
            messages: self.watch.model.journal.len() as u64,
            deliveries: self.watch.deliveries,
            digest: self.watch.digest,
            history: self.watch.history.into(),
            violations: self.watch.oracles.violations,
        }
    }

    fn run_until(&mut self, end: Timestamp) {
        while let Some(Reverse((at, _, _))) = self.agenda.entries.peek() {
            if *at > end || self.watch.oracles.violations.len() == Report::VIOLATIONS_MAX {
                break;
            }
            let Some(Reverse((at, _, wake))) = self.agenda.entries.pop() else { break };
            self.standstill += 1;
            if self.standstill > STANDSTILL_MAX {
                self.watch.tell(&Fact::Standstill { what: format!("{wake:?}") });
                break;
            }
            self.advance(at);
            self.events += 1;
            self.step(wake);
        }
        self.advance(end);
    }

    fn advance(&mut self, now: Timestamp) {
        if now > self.now {
            self.now = now;
            self.standstill = 0;
            let clock = self.broker.clock(now);
            self.watch.see(|model, tell| model.advance(clock, now, tell));
        }
    }

    fn step(&mut self, wake: Wake) {
        let now = self.now;
        match wake {
            Wake::Client(client) => self.client_acts(client),
            Wake::Crash => {
                self.broker.end(now, &mut self.links, &mut self.agenda, &mut self.watch);
                self.again(Wake::Crash);
            }
            Wake::DiskTrouble => {
                self.broker.disk_trouble(now, &mut self.links, &mut self.agenda, &mut self.watch);
                let well = Timestamp(now.0 + self.random.between(1, TROUBLE_MILLISECONDS_MAX));
                self.agenda.add(well, Wake::DiskHeals);
                self.again(Wake::DiskTrouble);
            }
            Wake::DiskHeals => self.broker.disk_heals(now, &mut self.agenda),
            // It was for a process with more shards.
            Wake::EndOfTurn(shard) | Wake::Deadline(shard) | Wake::Mail(shard) | Wake::Judgements(shard)
                if shard >= self.broker.shard_count() => {}
            Wake::ClockJump => {
                self.clock_jumps();
                self.again(Wake::ClockJump);
            }
            Wake::Downwards(link) => self.downwards(link),
            Wake::Upwards(link) => {
                self.broker.upwards(now, link, &mut self.links, &mut self.agenda, &mut self.watch);
            }
            Wake::Linger(link) => {
                self.broker.linger_ends(now, link, &mut self.links, &mut self.agenda, &mut self.watch);
            }
            Wake::EndOfTurn(shard) => {
                self.broker.end_turn(now, shard, &mut self.links, &mut self.agenda, &mut self.watch);
            }
            Wake::Deadline(shard) => self.broker.deadline(now, shard, &mut self.agenda, &mut self.watch),
            Wake::Mail(shard) => self.broker.mail(now, shard, &mut self.agenda, &mut self.watch),
            Wake::Store => self.broker.store(now, &mut self.links, &mut self.agenda, &mut self.watch),
            Wake::Judgements(shard) => self.broker.judgements(now, shard, &mut self.agenda, &mut self.watch),
        }
    }

    fn clock_jumps(&mut self) {
        let milliseconds = *self.random.pick(&JUMP_MILLISECONDS);
        self.watch.note_line(|| format!("the broker's clock jumps by {milliseconds} ms"));
        self.broker.jump(self.now, milliseconds, &mut self.agenda);
        let (now, clock) = (self.now, self.broker.clock(self.now));
        self.watch.see(|model, tell| model.advance(clock, now, tell));
    }

    /// The same fault happens once more, unless everything has healed by then.
    fn again(&mut self, fault: Wake) {
        let next = Timestamp(self.now.0 + self.random.between(1, FAULT_PAUSE_MILLISECONDS_MAX));
        if next < self.trouble_ends {
            self.agenda.add(next, fault);
        }
    }

    fn client_acts(&mut self, client: usize) {
        let mut effects = ClientEffects::default();
        let next = self.clients[client].act(self.now, &mut self.watch.model.journal, &mut effects);
        self.agenda.add(next.max(Timestamp(self.now.0 + 1)), Wake::Client(client));
        self.apply(client, effects);
    }

    fn downwards(&mut self, link: LinkId) {
        let client = self.links[link.0].client;
        if self.links[link.0].is_half_open || self.clients[client].link != Some(link) {
            return;
        }
        let reads_from = self.clients[client].reads_from();
        if reads_from > self.now {
            self.agenda.add(reads_from, Wake::Downwards(link));
            return;
        }
        let bytes = self.links[link.0].down.receive(self.now);
        if !bytes.is_empty() {
            let mut effects = ClientEffects::default();
            let journal = &mut self.watch.model.journal;
            self.clients[client].receive(self.now, &bytes, journal, &mut effects);
            self.apply(client, effects);
            self.broker.has_room(self.now, link, &mut self.links, &mut self.agenda, &mut self.watch);
            if self.clients[client].acknowledges_at_once() {
                self.agenda.add(self.now, Wake::Client(client));
            }
        }
        if self.links[link.0].down.has_ended(self.now) && self.clients[client].link == Some(link) {
            self.close(client, Ending::Close);
        }
    }

    /// Does what a client wants done.
    fn apply(&mut self, client: usize, effects: ClientEffects) {
        for what in effects.misbehaved {
            self.watch.tell(&Fact::Misbehaved { client, what });
        }
        for (copy, is_new) in effects.delivered {
            self.watch.deliveries += 1;
            self.watch.tell(&Fact::Delivered { client, copy, is_new });
        }
        if effects.open {
            self.open(client);
        }
        if let (Some(link), false) = (self.clients[client].link, effects.bytes.is_empty()) {
            let pipe = &mut self.links[link.0];
            if !pipe.is_half_open {
                let before = self.now;
                let arrival = pipe.up.send(before, &effects.bytes, &mut self.random);
                self.agenda.add(before, Wake::Upwards(link));
                self.agenda.add(arrival, Wake::Upwards(link));
            }
        }
        if let Some(ending) = effects.ending {
            self.close(client, ending);
        }
    }

    fn open(&mut self, client: usize) {
        let link = LinkId(self.links.len());
        let latency = self.random.between(1, self.latency_milliseconds_max);
        self.links.push(Link {
            client,
            up: Pipe::new(usize::MAX, latency),
            down: Pipe::new(*self.random.pick(&WINDOW_BYTES), latency),
            is_half_open: false,
            is_dead: false,
        });
        self.clients[client].link = Some(link);
    }

    /// The client leaves its connection.
    fn close(&mut self, client: usize, ending: Ending) {
        let Some(link) = self.clients[client].link else { return };
        self.clients[client].closed(self.now);
        let state = &mut self.links[link.0];
        let arrival = match ending {
            Ending::HalfOpen => {
                state.is_half_open = true;
                return;
            }
            Ending::Close => state.up.finish(self.now, &mut self.random),
            Ending::Cut => state.up.cut(self.now, &mut self.random),
        };
        self.agenda.add(arrival, Wake::Upwards(link));
    }

    /// No more faults: what is broken is found to be broken, and clients calm down.
    fn heal(&mut self) {
        self.latency_milliseconds_max = 1;
        self.broker.disk_heals(self.now, &mut self.agenda);
        for client in &mut self.clients {
            client.calm_down(self.now);
        }
        for index in 0..self.links.len() {
            let (link, client) = (LinkId(index), self.links[index].client);
            self.links[index].up.heal();
            self.links[index].down.heal();
            if self.clients[client].link != Some(link) {
                self.links[index].is_half_open = false;
                let arrival = self.links[index].up.cut(self.now, &mut self.random);
                self.agenda.add(arrival, Wake::Upwards(link));
            } else {
                self.agenda.add(self.now, Wake::Downwards(link));
                self.broker.has_room(self.now, link, &mut self.links, &mut self.agenda, &mut self.watch);
            }
        }
        (0..self.clients.len()).for_each(|client| self.agenda.add(self.now, Wake::Client(client)));
    }

    fn rest(&self) -> Rest {
        let counters = self.broker.counters();
        Rest {
            unacknowledged_by_broker: self.clients.iter().map(Client::unacknowledged).collect(),
            queued_messages: counters.iter().map(|counters| counters.queued_messages).sum(),
            inflight_messages: counters.iter().map(|counters| counters.inflight_messages).sum(),
            clients_connected: self.clients.iter().filter(|client| client.is_online()).count(),
            clients: self.clients.len(),
        }
    }
}
