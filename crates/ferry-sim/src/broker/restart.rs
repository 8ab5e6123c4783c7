//! The end of the process, and the beginning of another one.

use ferry_core::persistence::Space;
use ferry_core::{Durability, Event, home_shard};
use ferry_session::Timestamp;
use ferry_store::{Batch, Fault, Log, SimulatedDisk};

use super::{Broker, share, start};
use crate::damage;
use crate::fact::{Fact, Survival};
use crate::network::{Link, LinkId};
use crate::planted_bug::PlantedBug;
use crate::store::{Sender, Sink, Store};
use crate::world::{Agenda, Wake, Watch};

/// For how long the broker may be down, as its clock shows it.
const DOWN_MILLISECONDS: [u64; 4] = [0, 0, 3_000, 40_000];

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// It is killed: what was written is there.
    Kill,
    /// The power fails: what was not synced may be there or not.
    Power,
}

impl Broker {
    /// The process ends, at once or in the middle of one of the next operations of the disk.
    pub(crate) fn end(&mut self, now: Timestamp, links: &mut [Link], agenda: &mut Agenda, watch: &mut Watch) {
        // Who asks no more than to have it written is promised nothing that a loss of power spares.
        let can_lose_power = self.config.durability_max() != Durability::Os;
        match self.random.below(3) {
            0 if can_lose_power => self.store.plan(Fault::PowerFails, &mut self.random),
            1 if can_lose_power => self.crash(now, Crash::Power, links, agenda, watch),
            _ => self.crash(now, Crash::Kill, links, agenda, watch),
        }
    }

    /// The process ends and starts again with what the disk has, perhaps with another number of shards.
    pub(super) fn crash(
        &mut self,
        now: Timestamp,
        crash: Crash,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        watch.note_line(|| format!("crash: {crash:?}"));
        let durable_through = self.durable_through(now, crash);
        self.greetings.clear();
        self.attachments.clear();
        for (index, link) in links.iter_mut().enumerate().filter(|(_, link)| !link.is_dead) {
            link.is_dead = true;
            let arrival = link.down.cut(now, &mut self.random);
            agenda.add(arrival, Wake::Downwards(LinkId(index)));
        }
        match crash {
            Crash::Kill => self.store.disk.end_process(),
            Crash::Power => self.store.disk.restart(),
        }
        self.store.disk.heal();
        self.ahead_milliseconds += *self.random.pick(&DOWN_MILLISECONDS);
        let clock = self.clock(now);
        let weakest = if crash == Crash::Power { Durability::Fsync } else { Durability::Os };
        let survival = Survival { weakest, durable_through };
        watch.see(|model, tell| model.crashed(survival, clock, tell));
        watch.see(|model, tell| model.advance(clock, now, tell));
        let loses_more = self.planted_bug == Some(PlantedBug::LoseUndamaged);
        let (disk, options) = (&self.store.disk, &self.log_options);
        if self.random.chance(20)
            && let Err(what) = damage::probe(disk, options, &self.config, loses_more, &mut self.random)
        {
            watch.tell(&Fact::BadRecovery { what });
        }
        self.restart(now, crash, agenda, watch);
    }

    /// Everything that happened before would survive.
    fn durable_through(&self, now: Timestamp, crash: Crash) -> Timestamp {
        let turns = self.hosts.iter().filter_map(|host| host.since);
        let mail = self.hosts.iter().flat_map(|host| host.mail.iter().map(|letter| letter.since));
        let stored = self.store.durable_through(now, crash == Crash::Power);
        turns.chain(mail).fold(stored, Timestamp::min)
    }

    fn restart(&mut self, now: Timestamp, crash: Crash, agenda: &mut Agenda, watch: &mut Watch) {
        let mut log = self.open_log(crash, watch);
        let shard_count = *self.random.pick(&[1, 1, 2, 3]);
        self.conditions.shard_count = shard_count;
        self.shared = share(shard_count, &self.config, &mut self.random);
        let forgotten = self.planted_bug.and_then(PlantedBug::forgotten_at_restart);
        let restored = damage::restore(&mut log, &self.shared, &|space| Some(space) != forgotten.map(number));
        self.store = Store::new(self.store.disk.clone(), log, self.planted_bug);
        if !restored.report.flaws.is_empty() && self.planted_bug.is_none() {
            let what = format!("{:?}: {:?}", restored.report.flaws, restored.report.flawed);
            watch.tell(&Fact::BadRecovery { what });
        }
        let clock = self.clock(now);
        self.hosts = start(shard_count, &self.shared, &mut self.random, clock);
        let mut batch = Batch::new();
        restored.clean_up(&mut Sink(&mut batch));
        let mut records = Vec::new();
        watch.note_line(|| format!("restarted on {shard_count} shards: {:?}", restored.report));
        for session in restored.sessions {
            let shard = usize::from(home_shard(session.client_id(), shard_count).0);
            self.hosts[shard].shard.restore(session, &mut records);
        }
        for forwarded in &restored.forwarded {
            for host in &mut self.hosts {
                host.shard.restore_forwarded(forwarded, &mut records);
            }
        }
        self.hosts[0].writer.write(&records, &mut Sink(&mut batch));
        self.store.append(batch, Sender { ticket: None, since: now });
        for shard in 0..self.hosts.len() {
            let host = &mut self.hosts[shard];
            host.shard.handle(clock, Event::Tick, &mut host.effects);
            self.touched(now, shard, agenda, watch);
        }
        self.wake_store(now, agenda);
    }

    /// Opens the log, even if the power fails again meanwhile.
    fn open_log(&mut self, crash: Crash, watch: &mut Watch) -> Log<SimulatedDisk> {
        let disk = self.store.disk.clone();
        loop {
            if crash == Crash::Power && self.random.chance(30) {
                self.store.plan(Fault::PowerFails, &mut self.random);
            }
            let opened = Log::open(disk.clone(), self.log_options.clone());
            let is_off = disk.is_off();
            disk.heal();
            match opened {
                _ if is_off => disk.restart(),
                Ok((log, report)) => {
                    watch.note_line(|| format!("opened: {report:?}"));
                    if report.is_damaged() {
                        watch.tell(&Fact::BadRecovery { what: format!("{:?}", report.problems) });
                    }
                    return log;
                }
                Err(error) => panic!("cannot start with an undamaged disk: {error}"),
            }
        }
    }
}

fn number(space: Space) -> u8 {
    space as u8
}
