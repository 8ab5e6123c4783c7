use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use mio::{Events, Poll, Token};

use super::clients::Clients;
use super::connection::{Client, Connection, State};
use super::connector::Connector;
use super::publisher::Schedule;
use super::timer::Timer;
use super::{LoadTimes, Order, SharedCredits, Who, Word};
use crate::BenchError;
use crate::clock::{Clock, from_seconds};
use crate::packets::{DISCONNECT, connect, first_frame, remove_retained};
use crate::plan::{Credentials, Load, Plan};
use crate::topology::parts;
use crate::transport::{Addresses, Stream, TlsClient};

/// What an event loop needs to begin.
pub(crate) struct WorkerSetup {
    pub(crate) plan: Arc<Plan>,
    pub(crate) credentials: Arc<Credentials>,
    /// Among all event loops of the run.
    pub(crate) number: usize,
    pub(crate) clock: Clock,
    pub(crate) credits: Arc<SharedCredits>,
    pub(crate) poll: Poll,
    pub(crate) orders: Receiver<Order>,
    pub(crate) words: Sender<(usize, Word)>,
}

/// An event loop with some of the clients.
pub(crate) struct Worker {
    plan: Arc<Plan>,
    credentials: Arc<Credentials>,
    number: usize,
    clock: Clock,
    credits: Arc<SharedCredits>,
    poll: Poll,
    orders: Receiver<Order>,
    words: Sender<(usize, Word)>,
    timer: Timer,
    addresses: Addresses,
    tls: Option<TlsClient>,
    connector: Connector,
    connections: Vec<Connection>,
    clients: Clients,
    scratch: Vec<u8>,
    connected: u64,
    publishing: Publishing,
    /// Publishers with a schedule, the next first; one list for each part, since all in a part have the same period.
    scheduled: Vec<VecDeque<usize>>,
    next_tick: u64,
    /// When something was delivered for the last time, and how much had been.
    progress: (u64, u64),
    /// When the broker took something for the last time of what has no schedule, and how far it was.
    taken: (u64, (u64, usize)),
    next_ping: usize,
    looks_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Publishing {
    No,
    /// From the start of these times on.
    Soon(LoadTimes),
    Until(u64),
    /// A given number of messages.
    Counted,
    /// What is written is to reach the sockets.
    Flushing,
}

/// The token that a waker of a loop has.
pub(crate) const WAKER: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);

const SCRATCH_BYTES: usize = 256 * 1024;
const EVENTS: usize = 1_024;
const TICK_NANOSECONDS: u64 = 100_000_000;
/// After so long without a delivery, a publisher does not wait for what is on its way any more.
const STALL_NANOSECONDS: u64 = 1_000_000_000;
/// A publisher with so much unwritten falls behind its schedule.
const BACKLOG_BYTES_MAX: usize = 1024 * 1024;

impl Worker {
    /// # Errors
    /// The broker's address cannot be found, or the system has no descriptors left.
    pub(crate) fn new(setup: WorkerSetup) -> Result<Self, BenchError> {
        let WorkerSetup { plan, credentials, number, clock, credits, poll, orders, words } = setup;
        let timer = Timer::new(clock, poll.registry(), TIMER)?;
        let clients = Clients::new(&plan, number, &credits);
        let publishers = (0..clients.publishers.len()).map(Client::Publisher);
        let subscribers = (0..clients.subscribers.len()).map(Client::Subscriber);
        Ok(Self {
            addresses: Addresses::of(&plan)?,
            tls: plan
                .target
                .scheme
                .is_secure()
                .then(|| TlsClient::new(&plan.target, &credentials))
                .transpose()?,
            connector: Connector::new(&plan),
            connections: publishers.chain(subscribers).map(Connection::new).collect(),
            scratch: vec![0; SCRATCH_BYTES],
            connected: 0,
            publishing: Publishing::No,
            scheduled: plan.parts.iter().map(|_| VecDeque::new()).collect(),
            next_tick: 0,
            progress: (0, 0),
            taken: (0, (0, 0)),
            next_ping: 0,
            looks_up: false,
            plan,
            credentials,
            number,
            clock,
            credits,
            poll,
            orders,
            words,
            timer,
            clients,
        })
    }

    /// Runs until the coordinator has said the last order.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            if let Err(error) = self.wait(&mut events) {
                self.say(Word::Failed(format!("waiting for sockets: {error}")));
                return;
            }
            for event in &events {
                match event.token() {
                    WAKER => self.take_shared_credits(),
                    TIMER => self.timer.fired(),
                    Token(connection) => {
                        let is_readable = event.is_readable() || event.is_read_closed() || event.is_error();
                        self.ready(connection, is_readable, event.is_writable());
                    }
                }
            }
            loop {
                let order = match self.orders.try_recv() {
                    Ok(order) => order,
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                };
                if let Order::Finish { published, unacknowledged } = order {
                    let mut outcome = self.clients.finish(&published, &unacknowledged);
                    outcome.reconnected = self.clients.tally.reconnected;
                    return self.say(Word::Finished(Box::new(outcome)));
                }
                self.obey(&order);
            }
            self.turn();
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let now = self.clock.now();
        let next = self.wakes_at();
        let is_due = next <= now || !self.clients.queue.is_empty();
        self.timer.set((!is_due).then_some(next));
        let timeout = if is_due { Some(Duration::ZERO) } else { None };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    fn wakes_at(&self) -> u64 {
        let publishing = match self.publishing {
            Publishing::Soon(times) => times.start,
            Publishing::Until(until) => {
                let due = self.scheduled.iter().filter_map(VecDeque::front);
                due.map(|publisher| self.clients.publishers[*publisher].schedule.due())
                    .min()
                    .map_or(until, |due| due.min(until))
            }
            Publishing::No | Publishing::Counted | Publishing::Flushing => u64::MAX,
        };
        publishing.min(self.next_tick).min(self.connector.wakes_at().unwrap_or(u64::MAX))
    }

    fn say(&self, word: Word) {
        // The coordinator is gone only if the whole run is.
        let _ = self.words.send((self.number, word));
    }

    fn obey(&mut self, order: &Order) {
        let now = self.clock.now();
        match order {
            Order::Connect(who) => {
                let connections = (0..self.connections.len()).filter(|index| self.is_one_of(*index, *who));
                let closed: Vec<usize> =
                    connections.filter(|index| self.connections[*index].state == State::Closed).collect();
                self.connector.start(closed.into_iter(), now);
            }
            Order::Load(times) => {
                self.clients.tally.times = *times;
                self.publishing = Publishing::Soon(*times);
            }
            Order::EndLoad => {
                if matches!(self.publishing, Publishing::Soon(_) | Publishing::Until(_)) {
                    self.publishing = Publishing::Until(now);
                }
            }
            Order::PublishEach(messages) => {
                self.clients.tally.times = LoadTimes::unlimited();
                self.publishing = Publishing::Counted;
                self.taken.0 = now;
                for index in 0..self.clients.publishers.len() {
                    self.clients.publishers[index].publish_each(*messages);
                    self.clients.enqueue(index);
                }
            }
            Order::Disconnect { who, abrupt } => {
                for index in 0..self.connections.len() {
                    if self.is_one_of(index, *who) {
                        self.disconnect(index, *abrupt);
                    }
                }
                self.say(Word::Disconnected);
            }
            Order::Reconnect => self.connector.reconnects = true,
            Order::Lookup(kind) => {
                self.clients.start_lookups(*kind, &mut self.connections, now);
                self.looks_up = true;
                self.progress.0 = now;
            }
            Order::RemoveRetained => {
                self.taken.0 = now;
                self.remove_retained();
            }
            Order::Count => {
                let tick = self.clients.tally.tick(now, self.connected);
                self.say(Word::Tick(Box::new(tick)));
                self.say(Word::Counted);
            }
            Order::Collect => self.say(Word::Collected(self.clients.collect())),
            Order::Finish { .. } => {}
        }
    }

    fn is_one_of(&self, connection: usize, who: Who) -> bool {
        match self.connections[connection].client {
            Client::Publisher(_) => who != Who::Subscribers,
            Client::Subscriber(_) => who != Who::Publishers,
        }
    }

    fn disconnect(&mut self, index: usize, abrupt: bool) {
        let connection = &mut self.connections[index];
        if connection.state == State::Ready {
            self.connected -= 1;
            if !abrupt {
                connection.output.extend_from_slice(&DISCONNECT);
                // What cannot be written now need not be: the end of the connection says the same.
                let _ = connection.flush();
            }
        }
        connection.close();
    }

    /// Everything that is not an answer to a socket.
    fn turn(&mut self) {
        let now = self.clock.now();
        while let Some(connection) = self.connector.next(now) {
            self.open(connection, now);
        }
        self.publish(now);
        self.flush_dirty();
        self.share_credits();
        if let Some(outcome) = self.connector.take_outcome() {
            self.say(Word::Connected(outcome));
        }
        if now >= self.next_tick {
            self.tick(now);
        }
        if self.looks_up && self.clients.lookups_open == 0 {
            self.looks_up = false;
            let outcome = self.clients.end_lookups();
            self.say(Word::LookedUp(outcome));
        }
    }

    fn remove_retained(&mut self) {
        self.publishing = Publishing::Flushing;
        let version = self.plan.protocol.version();
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            let Client::Publisher(publisher) = connection.client else { continue };
            if connection.state != State::Ready {
                continue;
            }
            let publisher = &self.clients.publishers[publisher];
            let part = self.clients.part(publisher.part);
            for stream in publisher.streams() {
                let topic = part.topic((stream - part.stream(0)) as usize % part.traffic.topics);
                remove_retained(&topic, version, &mut connection.output);
            }
            self.clients.mark_dirty(connection, index);
        }
    }

    fn tick(&mut self, now: u64) {
        self.next_tick = now + TICK_NANOSECONDS - now % TICK_NANOSECONDS;
        let tick = self.clients.tally.tick(now, self.connected);
        let delivered = self.clients.tally.total_delivered() + self.clients.lookup_outcome.delivered;
        if delivered != self.progress.1 {
            self.progress = (now, delivered);
        } else if self.looks_up && now - self.progress.0 > from_seconds(self.plan.drain_seconds_max) {
            self.clients.lookups_open = 0;
        } else if now - self.progress.0 > STALL_NANOSECONDS && matches!(self.publishing, Publishing::Until(_))
        {
            self.progress.0 = now;
            self.clients.forget_outstanding();
        }
        if self.connector.is_stuck(now) {
            self.give_up_connecting();
        }
        if matches!(self.publishing, Publishing::Counted | Publishing::Flushing)
            && self.is_publishing_stuck(now)
        {
            self.publishing = Publishing::No;
            self.clients.clear_queue();
            self.clients.tally.fail(|| "the broker stopped to take messages".to_owned());
            self.say(Word::Stopped);
        }
        self.ping();
        self.say(Word::Tick(Box::new(tick)));
    }

    /// Nobody has answered any connection for a long time: nobody will.
    fn give_up_connecting(&mut self) {
        let seconds = self.plan.connect_seconds_max;
        for index in 0..self.connections.len() {
            if !matches!(self.connections[index].state, State::Closed | State::Ready) {
                self.lose(index, &format!("no answer in {seconds} s"));
            }
        }
        self.connector.give_up();
    }

    /// Whether the broker has taken nothing for a long time of what it is to get without a schedule.
    fn is_publishing_stuck(&mut self, now: u64) -> bool {
        let backlog_bytes = self.connections.iter().map(Connection::backlog_bytes).sum();
        let taken = (self.clients.tally.total_sent_and_acknowledged(), backlog_bytes);
        if taken != self.taken.1 {
            self.taken = (now, taken);
        }
        now - self.taken.0 > from_seconds(self.plan.drain_seconds_max)
    }

    /// Keeps the keep alive of all clients, a few with each tick.
    fn ping(&mut self) {
        let keep_alive = u64::from(self.plan.keep_alive_seconds) * 1_000_000_000;
        if keep_alive == 0 || self.connections.is_empty() {
            return;
        }
        // Everyone's turn comes three times within a keep alive.
        let ticks = (keep_alive / 3 / TICK_NANOSECONDS).max(1) as usize;
        for _ in 0..self.connections.len().div_ceil(ticks) {
            let index = self.next_ping;
            self.next_ping = (self.next_ping + 1) % self.connections.len();
            let connection = &mut self.connections[index];
            if connection.state == State::Ready && connection.backlog_bytes() == 0 {
                connection.output.extend_from_slice(&crate::packets::PINGREQ);
                self.clients.mark_dirty(connection, index);
            }
        }
        self.flush_dirty();
    }

    fn open(&mut self, index: usize, now: u64) {
        let client = self.clients.number(self.connections[index].client);
        let stream = match self.addresses.broker() {
            Some(broker) => Stream::tcp(broker, self.addresses.source(client)),
            None => Stream::unix(&self.plan.target.path),
        };
        let registered = stream.and_then(|stream| {
            let mut stream = stream.layered(&self.plan.target, self.tls.as_ref(), client)?;
            stream.register(self.poll.registry(), Token(index))?;
            Ok(stream)
        });
        match registered {
            Ok(stream) => {
                let connection = &mut self.connections[index];
                connection.stream = Some(stream);
                connection.state = State::Connecting;
                connection.since = now;
            }
            Err(error) => self.connector.failed(index, format!("connecting: {error}"), now),
        }
    }

    fn ready(&mut self, index: usize, is_readable: bool, is_writable: bool) {
        let state = self.connections[index].state;
        if state != State::Ready {
            self.connector.progressed(self.clock.now());
        }
        let result = match state {
            State::Closed => return,
            State::Connecting | State::Handshaking => self.connected_below(index, is_writable || is_readable),
            _ if is_readable => self.read(index),
            _ => Ok(()),
        };
        let result = result.and_then(|()| {
            if is_writable {
                self.connections[index].flush().map_err(|error| format!("writing: {error}"))?;
            }
            Ok(())
        });
        if let Err(why) = result {
            return self.lose(index, &why);
        }
        let connection = &self.connections[index];
        if let Client::Publisher(publisher) = connection.client
            && connection.state == State::Ready
            && is_writable
        {
            self.clients.enqueue(publisher);
        }
        if state != State::Ready && connection.state == State::Ready {
            self.connected += 1;
            self.connector.succeeded(self.clock.now());
        }
    }

    /// TCP is there: on to MQTT.
    fn connected_below(&mut self, index: usize, is_known: bool) -> Result<(), String> {
        if !is_known {
            return Ok(());
        }
        let now = self.clock.now();
        let connection = &mut self.connections[index];
        let Some(stream) = &mut connection.stream else { return Ok(()) };
        if connection.state == State::Connecting {
            stream.connected().map_err(|error| format!("connecting: {error}"))?;
            self.connector.outcome.tcp.record(now - connection.since);
            connection.since = now;
            connection.state = State::Handshaking;
        }
        if !stream.handshake(&self.plan.target).map_err(|error| format!("handshake: {error}"))? {
            return Ok(());
        }
        if stream.is_layered() {
            self.connector.outcome.handshake.record(now - connection.since);
        }
        connection.since = now;
        connection.state = State::AwaitConnack;
        let client_id = self.clients.client_id(connection.client);
        connect(&self.plan, &self.credentials, &client_id, &mut connection.output);
        connection.flush().map_err(|error| format!("writing CONNECT: {error}"))
    }

    /// Reads until there is nothing left, and deals with every packet.
    fn read(&mut self, index: usize) -> Result<(), String> {
        let connection = &mut self.connections[index];
        loop {
            let kept = connection.rest.len();
            if kept + SCRATCH_BYTES / 2 > self.scratch.len() {
                self.scratch.resize(2 * self.scratch.len(), 0);
            }
            self.scratch[..kept].copy_from_slice(&connection.rest);
            let Some(stream) = &mut connection.stream else { return Ok(()) };
            let is_layered = stream.is_layered();
            let room = self.scratch.len() - kept;
            let count = match stream.read(&mut self.scratch[kept..]) {
                Ok(0) => return Err("the broker closed the connection".to_owned()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("reading: {error}")),
            };
            connection.rest.clear();
            let now = self.clock.now();
            let mut input = &self.scratch[..kept + count];
            while let Some(frame) = first_frame(input)? {
                self.clients.receive(frame, connection, &mut self.connector.outcome, now)?;
                input = &input[frame.length..];
            }
            if !input.is_empty() {
                connection.rest.extend_from_slice(input);
            }
            if !connection.output.is_empty() {
                self.clients.mark_dirty(connection, index);
            }
            if count < room && !is_layered {
                return Ok(());
            }
        }
    }

    fn lose(&mut self, index: usize, why: &str) {
        let now = self.clock.now();
        let connection = &mut self.connections[index];
        let state = connection.state;
        connection.close();
        if state != State::Ready {
            return self.connector.failed(index, why.to_owned(), now);
        }
        self.connected -= 1;
        self.connector.lost(index, now);
        let tally = &mut self.clients.tally;
        tally.connections_lost += 1;
        if !self.connector.reconnects {
            tally.lost_because(why);
        }
    }

    fn flush_dirty(&mut self) {
        for index in std::mem::take(&mut self.clients.dirty) {
            let connection = &mut self.connections[index];
            connection.is_dirty = false;
            if let Err(error) = connection.flush() {
                self.lose(index, &format!("writing: {error}"));
                continue;
            }
            let is_empty = connection.backlog_bytes() == 0;
            if let Client::Publisher(publisher) = connection.client
                && is_empty
                && self.publishing != Publishing::No
                && self.clients.publishers[publisher].hears_nothing()
            {
                self.clients.enqueue(publisher);
            }
        }
    }

    fn publish(&mut self, now: u64) {
        match self.publishing {
            Publishing::Soon(times) if now >= times.start => self.start_publishing(times),
            Publishing::Until(until) if now >= until => self.stop_publishing(now, until),
            Publishing::Until(_) => {
                self.publish_scheduled(now, now);
                self.publish_queued(now);
            }
            Publishing::Counted => {
                self.publish_queued(now);
                if self.clients.publishers.iter().all(|publisher| publisher.is_done()) {
                    self.publishing = Publishing::No;
                    self.say(Word::Stopped);
                }
            }
            Publishing::Flushing => {
                self.clients.clear_queue();
                if self.connections.iter().all(|connection| connection.backlog_bytes() == 0) {
                    self.publishing = Publishing::No;
                    self.say(Word::Stopped);
                }
            }
            Publishing::No | Publishing::Soon(_) => self.clients.clear_queue(),
        }
    }

    fn stop_publishing(&mut self, now: u64, until: u64) {
        // What was due while this loop was busy.
        self.publish_scheduled(until.saturating_sub(1), now);
        for publisher in &self.clients.publishers {
            self.clients.tally.measured.unsent += publisher.schedule.unsent_before(until);
        }
        self.publishing = Publishing::No;
        self.clients.clear_queue();
        self.say(Word::Stopped);
    }

    fn start_publishing(&mut self, times: LoadTimes) {
        self.publishing = Publishing::Until(times.until);
        self.progress.0 = times.start;
        for part in parts(&self.plan) {
            let count = part.traffic.publishers;
            let first = self.clients.publishers.partition_point(|publisher| publisher.part < part.number);
            let last = self.clients.publishers.partition_point(|publisher| publisher.part <= part.number);
            for index in first..last {
                let publisher = &mut self.clients.publishers[index];
                match publisher.load {
                    Load::Rate { messages_per_second } => {
                        let place = (publisher.number - part.publisher(0)) as usize;
                        publisher.schedule = Schedule::new(times.start, messages_per_second, place, count);
                        self.scheduled[part.number].push_back(index);
                    }
                    Load::Saturate { .. } => self.clients.enqueue(index),
                }
            }
        }
    }

    /// Sends what is due; those that cannot send now come back when they can.
    fn publish_scheduled(&mut self, due: u64, now: u64) {
        for part in 0..self.scheduled.len() {
            while let Some(&index) = self.scheduled[part].front() {
                if self.clients.publishers[index].schedule.due() > due {
                    break;
                }
                self.scheduled[part].pop_front();
                if self.publish_one(index, now) {
                    self.scheduled[part].push_back(index);
                } else {
                    self.clients.publishers[index].is_behind = true;
                }
            }
        }
    }

    /// Sends one message of a schedule, if there is room.
    fn publish_one(&mut self, index: usize, now: u64) -> bool {
        let connection = &mut self.connections[index];
        let publisher = &mut self.clients.publishers[index];
        if connection.state != State::Ready
            || connection.backlog_bytes() > BACKLOG_BYTES_MAX
            || !publisher.has_room_for_one()
        {
            return false;
        }
        let due = publisher.schedule.due();
        let tally = &mut self.clients.tally;
        publisher.publish(due, tally, &mut connection.output);
        publisher.advance_schedule();
        if due >= tally.times.measure_from {
            tally.send_lag.record(now.saturating_sub(due));
        }
        self.clients.mark_dirty(connection, index);
        true
    }

    /// Publishers that have got room: those that saturate fill it, those behind their schedule catch up.
    fn publish_queued(&mut self, now: u64) {
        for index in std::mem::take(&mut self.clients.queue) {
            let publisher = &mut self.clients.publishers[index];
            publisher.is_queued = false;
            if publisher.is_behind {
                self.catch_up(index, now);
                continue;
            }
            let connection = &mut self.connections[index];
            if matches!(publisher.load, Load::Rate { .. }) && !publisher.is_counted()
                || connection.state != State::Ready
            {
                continue;
            }
            let room = publisher.room(connection.backlog_bytes());
            for _ in 0..room {
                publisher.publish(now, &mut self.clients.tally, &mut connection.output);
            }
            if room > 0 {
                self.clients.mark_dirty(connection, index);
            }
        }
    }

    fn catch_up(&mut self, index: usize, now: u64) {
        while self.clients.publishers[index].schedule.due() <= now {
            if !self.publish_one(index, now) {
                return;
            }
        }
        let publisher = &mut self.clients.publishers[index];
        publisher.is_behind = false;
        let part = publisher.part;
        let due = publisher.schedule.due();
        // The list is in the order of its times, and this one has lost its place.
        let place = self.scheduled[part]
            .partition_point(|other| self.clients.publishers[*other].schedule.due() <= due);
        self.scheduled[part].insert(place, index);
    }

    fn share_credits(&mut self) {
        if self.clients.credited.is_empty() {
            return;
        }
        let mut to_wake = Vec::new();
        for publisher in std::mem::take(&mut self.clients.credited) {
            let deliveries = std::mem::take(&mut self.clients.credits[publisher as usize]);
            let workers = self.plan.workers();
            if publisher as usize % workers == self.number {
                self.clients.credit(publisher, deliveries);
            } else if let Some(worker) = self.credits.give(publisher, deliveries)
                && !to_wake.contains(&worker)
            {
                to_wake.push(worker);
            }
        }
        for worker in to_wake {
            self.credits.wake(worker);
        }
    }

    fn take_shared_credits(&mut self) {
        for index in 0..self.clients.publishers.len() {
            let number = self.clients.publishers[index].number;
            let deliveries = self.credits.take(number);
            if deliveries > 0 {
                self.clients.credit(number, deliveries);
            }
        }
    }
}
