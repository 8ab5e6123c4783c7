//! The driver of the simulation: moves bytes, commits, mail and time to the shards and back.

mod restart;
mod storing;

use std::collections::BTreeMap;
use std::sync::Arc;

use ferry_codec::DecodeLimits;
use ferry_core::{
    AllowAll, AuthOutcome, AuthStep, CloseCause, ConnInfo, CoreConfig, Counters, Event, FirstPacketHome,
    Shard, Shared, Ticket, first_packet_home,
};
use ferry_router::ShardId;
use ferry_session::Timestamp;
use ferry_store::{Log, LogOptions, SimulatedDisk};

use crate::conditions::Conditions;
use crate::fact::Fact;
use crate::host::{Attachment, Host, Letter};
use crate::network::{Link, LinkId};
use crate::planted_bug::{PlantedBug, Planter};
use crate::random::Random;
use crate::store::{Store, draw_options};
use crate::wire::{Framer, from_client};
use crate::world::{Agenda, Wake, Watch};

/// How long a closing connection may take to write its last output.
const LINGER_MILLISECONDS: u64 = 2_000;

/// The broker: shards, and the connections that are attached to them.
pub(crate) struct Broker {
    conditions: Conditions,
    config: Arc<CoreConfig>,
    shared: Arc<Shared>,
    hosts: Vec<Host>,
    store: Store,
    log_options: LogOptions,
    attachments: BTreeMap<LinkId, Attachment>,
    /// How far its clock has jumped ahead of everybody else's.
    ahead_milliseconds: u64,
    /// First bytes of connections of which the home is not yet known.
    greetings: BTreeMap<LinkId, Vec<u8>>,
    planted_bug: Option<PlantedBug>,
    random: Random,
}

impl Broker {
    pub(crate) fn new(
        conditions: Conditions,
        planted_bug: Option<PlantedBug>,
        mut random: Random,
        now: Timestamp,
    ) -> Self {
        let mut config = conditions.config.clone();
        if let Some(bug) = planted_bug {
            bug.change_config(&mut config);
        }
        let config = Arc::new(config);
        let disk = SimulatedDisk::new(random.next());
        let log_options = draw_options(&mut random);
        let (log, _) = Log::open(disk.clone(), log_options.clone()).expect("an empty disk without faults");
        let store = Store::new(disk, log, planted_bug);
        let shared = share(conditions.shard_count, &config, &mut random);
        let hosts = start(conditions.shard_count, &shared, &mut random, now);
        Self {
            conditions,
            config,
            shared,
            hosts,
            store,
            log_options,
            ahead_milliseconds: 0,
            attachments: BTreeMap::new(),
            greetings: BTreeMap::new(),
            planted_bug,
            random,
        }
    }

    /// What its clock shows.
    pub(crate) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0 + self.ahead_milliseconds)
    }

    /// Its clock jumps ahead.
    pub(crate) fn jump(&mut self, now: Timestamp, milliseconds: u64, agenda: &mut Agenda) {
        self.ahead_milliseconds += milliseconds;
        for (shard, host) in self.hosts.iter_mut().enumerate() {
            host.deadline = None;
            agenda.add(now, Wake::Deadline(shard));
        }
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.hosts.len()
    }

    pub(crate) fn counters(&self) -> Vec<&Counters> {
        self.hosts.iter().map(|host| host.shard.counters()).collect()
    }

    /// Bytes of a client may have arrived.
    pub(crate) fn upwards(
        &mut self,
        now: Timestamp,
        link: LinkId,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        if links[link.0].is_half_open || links[link.0].is_dead {
            return;
        }
        let is_paused = self.attachments.get(&link).is_some_and(|attachment| attachment.is_paused);
        if !is_paused {
            let bytes = links[link.0].up.receive(now);
            if !bytes.is_empty() {
                watch.note("upwards", link, &bytes);
                self.arrived(now, link, links[link.0].client, &bytes, agenda, watch);
            }
        }
        if links[link.0].up.has_ended(now) {
            self.ended(now, link, links[link.0].client, agenda, watch);
        }
    }

    fn arrived(
        &mut self,
        now: Timestamp,
        link: LinkId,
        client: usize,
        bytes: &[u8],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        if self.attachments.contains_key(&link) {
            self.read(now, link, client, bytes, agenda, watch);
            return;
        }
        let greeting = self.greetings.entry(link).or_default();
        greeting.extend_from_slice(bytes);
        let shard = match first_packet_home(greeting, &DecodeLimits::default(), self.conditions.shard_count) {
            FirstPacketHome::Unknown => return,
            FirstPacketHome::Any => self.random.below(self.hosts.len() as u64) as usize,
            FirstPacketHome::Shard(shard) => usize::from(shard.0),
        };
        let greeting = self.greetings.remove(&link).unwrap_or_default();
        let clock = self.clock(now);
        let host = &mut self.hosts[shard];
        let conn = host.shard.open(clock, ConnInfo::default(), &mut host.effects);
        host.links.insert(conn, link);
        let planter = self.planted_bug.filter(|bug| bug.is_on_the_wire());
        let planter = planter.map(|bug| Planter::new(bug, self.random.fork()));
        self.attachments.insert(link, Attachment::new(shard, conn, planter));
        self.read(now, link, client, &greeting, agenda, watch);
    }

    /// Gives the core what it takes.
    fn read(
        &mut self,
        now: Timestamp,
        link: LinkId,
        client: usize,
        bytes: &[u8],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        let Some(attachment) = self.attachments.get_mut(&link) else { return };
        attachment.put(bytes, watch.model.version(link));
        let shard = attachment.shard;
        let clock = self.clock(now);
        while let Some(attachment) = self.attachments.get_mut(&link) {
            let host = &mut self.hosts[shard];
            // One packet at a time if the core may disconnect the client after any of them.
            let next = attachment.frames.front().map_or(attachment.input.len(), |(end, _)| *end);
            let end = if self.conditions.may_drop { next } else { attachment.input.len() };
            let input = &attachment.input[..end];
            let taken = host.shard.receive(clock, attachment.conn, input, &mut host.effects);
            for frame in attachment.take(taken) {
                let version = watch.model.version(link);
                if let Ok(packet) = from_client(&frame, version) {
                    watch.see(|model, tell| model.took(link, client, &packet, tell));
                }
            }
            let is_done = taken == 0 || attachment.input.is_empty();
            self.show(now, shard, agenda, watch);
            if is_done {
                break;
            }
        }
        self.touched(now, shard, agenda, watch);
    }

    /// The network says that the connection is gone.
    fn ended(&mut self, now: Timestamp, link: LinkId, client: usize, agenda: &mut Agenda, watch: &mut Watch) {
        self.greetings.remove(&link);
        let clock = self.clock(now);
        let Some(attachment) = self.attachments.get_mut(&link) else { return };
        if let (Some(planter), Some(version)) = (&mut attachment.planter, watch.model.version(link))
            && let Some(packet) = planter.at_end(version)
        {
            let host = &mut self.hosts[attachment.shard];
            host.shard.receive(clock, attachment.conn, &packet, &mut host.effects);
        }
        let cause = *self.random.pick(&[CloseCause::Peer, CloseCause::Error]);
        self.detach(now, link, client, cause, agenda, watch);
    }

    fn detach(
        &mut self,
        now: Timestamp,
        link: LinkId,
        client: usize,
        cause: CloseCause,
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        self.observe(link, watch);
        let Some(attachment) = self.attachments.remove(&link) else { return };
        let clock = self.clock(now);
        let host = &mut self.hosts[attachment.shard];
        host.links.remove(&attachment.conn);
        let cause = if attachment.is_closing { CloseCause::Asked } else { cause };
        host.shard.handle(clock, Event::Closed { conn: attachment.conn, cause }, &mut host.effects);
        watch.see(|model, tell| model.gone(link, client, tell));
        self.touched(now, attachment.shard, agenda, watch);
    }

    /// A closing connection has had enough time.
    pub(crate) fn linger_ends(
        &mut self,
        now: Timestamp,
        link: LinkId,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        if self.attachments.contains_key(&link) {
            let arrival = links[link.0].down.finish(now, &mut self.random);
            agenda.add(arrival, Wake::Downwards(link));
            self.detach(now, link, links[link.0].client, CloseCause::Asked, agenda, watch);
        }
    }

    /// The network may take more of the output.
    pub(crate) fn has_room(
        &mut self,
        now: Timestamp,
        link: LinkId,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        if let Some(shard) = self.attachments.get(&link).map(|attachment| attachment.shard) {
            self.flush(now, link, links, agenda, watch);
            self.touched(now, shard, agenda, watch);
        }
    }

    /// The shard's next deadline may have come.
    pub(crate) fn deadline(&mut self, now: Timestamp, shard: usize, agenda: &mut Agenda, watch: &mut Watch) {
        let clock = self.clock(now);
        let host = &mut self.hosts[shard];
        host.deadline = None;
        if host.shard.next_deadline().is_some_and(|deadline| deadline <= clock) {
            host.shard.handle(clock, Event::Tick, &mut host.effects);
        }
        self.touched(now, shard, agenda, watch);
    }

    /// Mail from other shards may have come.
    pub(crate) fn mail(&mut self, now: Timestamp, shard: usize, agenda: &mut Agenda, watch: &mut Watch) {
        let clock = self.clock(now);
        let host = &mut self.hosts[shard];
        while host.mail.front().is_some_and(|letter| letter.arrival <= now) {
            if let Some(Letter { since, from, mail, .. }) = host.mail.pop_front() {
                host.began(since);
                host.shard.handle(clock, Event::Mail { from, mail }, &mut host.effects);
            }
        }
        self.touched(now, shard, agenda, watch);
    }

    /// Clients may have been judged.
    pub(crate) fn judgements(
        &mut self,
        now: Timestamp,
        shard: usize,
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        let clock = self.clock(now);
        let host = &mut self.hosts[shard];
        let (due, later) = host.judging.drain(..).partition(|(done, _)| *done <= now);
        host.judging = later;
        for (_, request) in due {
            let user_name = match request.step {
                AuthStep::Connect(credentials) | AuthStep::Start { credentials, .. } => credentials.user_name,
                AuthStep::Continue { .. } => None,
            };
            let outcome =
                AuthOutcome::Accept { user_name, data: None, until: Timestamp::NEVER, grants: None };
            host.shard.handle(clock, Event::Authenticated { conn: request.conn, outcome }, &mut host.effects);
        }
        self.touched(now, shard, agenda, watch);
    }

    /// Something was done with a shard: its turn ends soon.
    fn touched(&mut self, now: Timestamp, shard: usize, agenda: &mut Agenda, watch: &mut Watch) {
        self.show(now, shard, agenda, watch);
        let host = &mut self.hosts[shard];
        host.began(now);
        if host.turn_ends.is_none() {
            let end = Timestamp(now.0 + self.random.between(0, self.conditions.turn_milliseconds_max));
            host.turn_ends = Some(end);
            agenda.add(end, Wake::EndOfTurn(shard));
        }
        let ahead = self.ahead_milliseconds;
        if let Some(deadline) =
            host.shard.next_deadline().map(|deadline| Timestamp(deadline.0.saturating_sub(ahead).max(now.0)))
            && host.deadline.is_none_or(|asked| deadline < asked)
        {
            host.deadline = Some(deadline);
            agenda.add(deadline, Wake::Deadline(shard));
        }
    }

    /// Shows the watch what the shard has just done.
    fn show(&mut self, now: Timestamp, shard: usize, agenda: &mut Agenda, watch: &mut Watch) {
        let host = &mut self.hosts[shard];
        if let Some(bug) = self.planted_bug {
            bug.lose_records(&mut host.effects.records, host.recorded, &mut self.random);
        }
        let ticket = Ticket(host.last_ticket.0 + 1);
        for record in &host.effects.records[host.recorded..] {
            watch.recorded(ShardId(shard as u16), ticket, record);
        }
        host.recorded = host.effects.records.len();
        let closing: Vec<_> =
            host.effects.close.drain(..).filter_map(|conn| host.links.get(&conn).copied()).collect();
        for &link in &closing {
            self.observe(link, watch);
            if let Some(attachment) = self.attachments.get_mut(&link) {
                attachment.is_closing = true;
                agenda.add(Timestamp(now.0 + LINGER_MILLISECONDS), Wake::Linger(link));
            }
            if let Some(client) = watch.model.client_of(link) {
                watch.see(|model, tell| model.gone(link, client, tell));
            }
        }
        let host = &self.hosts[shard];
        let dirty: Vec<_> =
            host.effects.dirty.iter().filter_map(|conn| host.links.get(conn).copied()).collect();
        dirty.into_iter().for_each(|link| self.observe(link, watch));
    }

    /// Shows the watch the packets that the core has made since the last time. What a planted bug makes of them is
    /// shown when it is written.
    fn observe(&mut self, link: LinkId, watch: &mut Watch) {
        let Some(attachment) = self.attachments.get_mut(&link) else { return };
        let Some(client) = watch.model.client_of(link).filter(|_| attachment.planter.is_none()) else {
            return;
        };
        let Some(output) = self.hosts[attachment.shard].shard.output(attachment.conn) else { return };
        let frames = frames(&output.as_slice()[attachment.observed_bytes..]);
        attachment.observed_bytes = output.len();
        frames.iter().for_each(|frame| watch.sent(link, client, frame));
    }

    /// Commits, sends, writes.
    pub(crate) fn end_turn(
        &mut self,
        now: Timestamp,
        shard: usize,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        let host = &mut self.hosts[shard];
        host.turn_ends = None;
        let since = host.since.take().unwrap_or(now);
        self.commit(now, shard, since, agenda, watch);
        let host = &mut self.hosts[shard];
        host.effects.refused_clients.clear();
        host.effects.slowed_clients.clear();
        for request in host.effects.authenticate.drain(..) {
            let delay = self.random.between(0, self.conditions.authentication_milliseconds_max);
            let done = Timestamp(now.0 + delay);
            host.judging.push((done, request));
            agenda.add(done, Wake::Judgements(shard));
        }
        let pauses = host.effects.pause.drain(..).map(|conn| (conn, true));
        let resumes = host.effects.resume.drain(..).map(|conn| (conn, false));
        let mut resumed = Vec::new();
        for (conn, is_paused) in pauses.chain(resumes) {
            let Some(link) = host.links.get(&conn) else { continue };
            if let Some(attachment) = self.attachments.get_mut(link) {
                attachment.is_paused = is_paused;
                resumed.extend((!is_paused).then_some(*link));
            }
        }
        let mail: Vec<_> = host.effects.mail.drain().collect();
        let mut dirty: Vec<_> =
            host.effects.dirty.drain(..).filter_map(|conn| host.links.get(&conn).copied()).collect();
        let is_made_up =
            |attachment: &Attachment| attachment.planter.as_ref().is_some_and(|p| !p.made_up.is_empty());
        dirty.extend(self.attachments.iter().filter(|(_, a)| is_made_up(a)).map(|(link, _)| *link));
        let mail = mail.into_iter().flat_map(|(to, mail)| mail.into_iter().map(move |mail| (to, mail)));
        for (to, mail) in mail {
            let target = &mut self.hosts[usize::from(to.0)];
            let last = target.mail.back().map_or(now, |letter| letter.arrival);
            let arrival = last.max(Timestamp(now.0 + self.random.below(4)));
            target.mail.push_back(Letter { arrival, since, from: ShardId(shard as u16), mail });
            agenda.add(arrival, Wake::Mail(usize::from(to.0)));
        }
        let mut output_bytes = 0;
        for link in dirty {
            output_bytes = output_bytes.max(self.flush(now, link, links, agenda, watch));
        }
        for link in resumed {
            self.read(now, link, links[link.0].client, &[], agenda, watch);
            agenda.add(now, Wake::Upwards(link));
        }
        self.finish_closing(now, shard, links, agenda, watch);
        self.report_load(output_bytes, watch);
        if !self.hosts[shard].effects.is_empty() {
            self.touched(now, shard, agenda, watch);
        }
    }

    /// Closes connections whose last output is written.
    fn finish_closing(
        &mut self,
        now: Timestamp,
        shard: usize,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        let closing = |attachment: &Attachment| attachment.is_closing && attachment.shard == shard;
        let closing: Vec<_> =
            self.attachments.iter().filter(|(_, a)| closing(a)).map(|(link, _)| *link).collect();
        for link in closing {
            self.flush(now, link, links, agenda, watch);
            let Some(attachment) = self.attachments.get(&link) else { continue };
            let output = self.hosts[shard].shard.output(attachment.conn);
            if output.is_none_or(|output| output.is_empty()) {
                self.linger_ends(now, link, links, agenda, watch);
            }
        }
    }

    /// Writes what the network takes; returns how much there was to write.
    fn flush(
        &mut self,
        now: Timestamp,
        link: LinkId,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) -> usize {
        if let Some(shard) = self.attachments.get(&link).map(|attachment| attachment.shard) {
            // Records come before what is sent because of them.
            self.show(now, shard, agenda, watch);
        }
        self.observe(link, watch);
        let client = links[link.0].client;
        let clock = self.clock(now);
        let Some(attachment) = self.attachments.get_mut(&link) else { return 0 };
        let host = &mut self.hosts[attachment.shard];
        let Some(output) = host.shard.output(attachment.conn) else { return 0 };
        let output_bytes = output.len();
        let (written, bytes) = match (&mut attachment.planter, watch.model.version(link)) {
            (Some(planter), Some(version)) => {
                let mut frames = planter.downwards(frames(output.as_slice()), version);
                frames.append(&mut planter.made_up);
                frames.iter().for_each(|frame| watch.sent(link, client, frame));
                (output_bytes, frames.concat())
            }
            _ => {
                let written = output_bytes.min(links[link.0].down.room());
                attachment.observed_bytes -= written;
                (written, output.as_slice()[..written].to_vec())
            }
        };
        output.advance(written);
        if written > 0 {
            if !links[link.0].is_half_open || links[link.0].down.room() > 0 {
                let arrival = links[link.0].down.send(now, &bytes, &mut self.random);
                agenda.add(now, Wake::Downwards(link));
                agenda.add(arrival, Wake::Downwards(link));
            }
            host.shard.handle(clock, Event::Written { conn: attachment.conn }, &mut host.effects);
        }
        output_bytes
    }

    fn report_load(&self, output_bytes: usize, watch: &mut Watch) {
        let counters = self.counters();
        watch.tell(&Fact::Load {
            output_bytes,
            queued_messages: counters.iter().map(|counters| counters.queued_messages).sum(),
            queued_bytes: counters.iter().map(|counters| counters.queued_bytes).sum(),
            retained: self.shared.retained.len(),
        });
    }
}

/// What the shards of a process that starts have in common.
fn share(shard_count: u16, config: &Arc<CoreConfig>, random: &mut Random) -> Arc<Shared> {
    Arc::new(Shared::new(shard_count, random.next(), Arc::clone(config), Arc::new(AllowAll)))
}

/// The shards of a process that starts.
fn start(shard_count: u16, shared: &Arc<Shared>, random: &mut Random, clock: Timestamp) -> Vec<Host> {
    let shard = |id| Shard::new(ShardId(id), shard_count, Arc::clone(shared), random.next(), clock);
    (0..shard_count).map(shard).map(|shard| Host::new(shard, shared)).collect()
}

/// Whole packets as the core made them.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut framer = Framer::default();
    framer.push(bytes);
    std::iter::from_fn(|| framer.next_frame().ok().flatten()).collect()
}
