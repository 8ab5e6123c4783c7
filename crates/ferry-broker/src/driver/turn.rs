use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use ferry_core::{Effects, Event, Mail};
use ferry_session::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::mailbox::Parcel;
use super::{Command, Driver, TURN_BYTES_MAX};
use crate::accept::{ip_of, is_fault};
use crate::config::AuthenticatorKind;
use crate::storage::ShardStorage;

/// Takes turns until the shard is stopped.
pub(super) async fn take_turns(driver: Rc<Driver>) {
    let mut timer = pin!(sleep_until(Instant::now()));
    let mut armed = None;
    while !driver.is_stopped() {
        let deadline = driver.next_deadline().and_then(|deadline| driver.clock.instant(deadline));
        if deadline != armed {
            armed = deadline;
            if let Some(instant) = deadline {
                timer.as_mut().reset(instant.into());
            }
        }
        let mut rung = pin!(driver.mailbox().rung());
        driver.is_waiting.set(true);
        std::future::poll_fn(|context| {
            let has_events = driver.sockets.borrow_mut().poll_ready(context).is_ready();
            if has_events || driver.has_ready() || driver.turn_wanted.get() {
                return Poll::Ready(());
            }
            if rung.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if armed.is_some() { timer.as_mut().poll(context) } else { Poll::Pending }
        })
        .await;
        driver.is_waiting.set(false);
        driver.mailbox().awake();
        driver.serve();
        driver.turn();
        if driver.has_work() {
            // New connections and whatever else is a task of its own must not wait for the end of the load.
            tokio::task::yield_now().await;
        }
    }
    // What followed from the last connections that were closed.
    driver.commit();
    driver.send_spans();
}

impl Driver {
    fn turn(self: &Rc<Self>) {
        self.turns.set(self.turns.get() + 1);
        // It is not opened now if something was left of the last time.
        if self.mailbox().heard() {
            self.has_mail.set(true);
        }
        self.turn_wanted.set(false);
        self.bytes_read.set(0);
        self.messages_read.set(0);
        self.open_mail();
        self.keep_time();
        self.decide();
        self.send_mail();
        self.pause_and_resume();
        self.log_refusals();
        self.log_slowed();
        self.flush();
        self.end_lap();
        self.keep_traces();
        self.send_spans();
        self.watcher.borrow_mut().look(|| self.shard.borrow().counters().activity());
        if !self.effects.borrow().is_empty() {
            // Writing made room for more: after the others had their turn.
            self.want_turn();
        }
    }

    /// Whether another turn is due already.
    fn has_work(&self) -> bool {
        self.has_ready()
            || self.turn_wanted.get()
            || self.mailbox().is_rung()
            || self.next_deadline().is_some_and(|deadline| deadline <= self.now())
    }

    /// Whether everything that a shutdown waits for is done, or its time is up.
    fn is_stopped(&self) -> bool {
        let Some(deadline) = self.stopping.get() else { return false };
        let done = self.conns.borrow().is_empty() && self.lingering.get() == 0;
        done || self.now() >= deadline
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let flushing = self.flushing.borrow().front().map(|(until, _)| *until);
        let core = self.shard.borrow().next_deadline();
        [core, flushing, self.stopping.get()].into_iter().flatten().min()
    }

    fn keep_time(&self) {
        let now = self.now();
        if self.shard.borrow().next_deadline().is_some_and(|deadline| deadline <= now) {
            self.handle(Event::Tick);
        }
        self.talkers.borrow_mut().keep_time(now);
        self.give_up_stalled();
    }

    pub(crate) fn handle(&self, event: Event<'_>) {
        let mut effects = self.effects.borrow_mut();
        let mut shard = self.shard.borrow_mut();
        self.note_time(&mut shard);
        shard.handle(self.now(), event, &mut effects);
    }

    /// As [`handle`](Self::handle), of an event that may take rights away.
    fn handle_rights(&self, event: Event<'_>) {
        let lowered = || self.shard.borrow().counters().subscriptions_lowered;
        let before = lowered();
        self.handle(event);
        let count = lowered() - before;
        if count > 0 {
            tracing::info!(
                "the maximum QoS of {count} subscriptions of connected clients is lower by the new rights"
            );
        }
    }

    /// Opens what waits in the mailbox, as much as may be decided before it is written.
    fn open_mail(self: &Rc<Self>) {
        let mut parcels = self.parcels.take();
        if parcels.is_empty() && self.has_mail.take() {
            let mut blocked = self.blocked.take();
            self.mailbox().take(&mut parcels, &mut blocked);
            for shard in blocked.drain(..) {
                self.mailboxes[usize::from(shard.0)].ring();
            }
            self.blocked.replace(blocked);
        }
        let mut opened_bytes = 0;
        while opened_bytes < TURN_BYTES_MAX
            && let Some(parcel) = parcels.pop_front()
        {
            match parcel {
                Parcel::Mail { from, batch, bytes } => {
                    opened_bytes += bytes;
                    for mail in batch {
                        self.handle(Event::Mail { from, mail });
                    }
                }
                Parcel::Command(command) => self.obey(command),
            }
        }
        if !parcels.is_empty() || self.has_mail.get() {
            self.want_turn();
        }
        self.parcels.replace(parcels);
        self.release_held();
    }

    /// Reads publishers again once no mailbox is over its limit and the store is not behind.
    fn release_held(&self) {
        let mut congested = self.congested.borrow_mut();
        if congested.is_empty() && !self.storage_behind.get() {
            return;
        }
        congested.retain(|shard| !self.mailboxes[usize::from(shard.0)].room_for(self.id));
        self.storage_behind.set(self.storage.borrow().as_ref().is_some_and(ShardStorage::is_behind));
        if congested.is_empty() && !self.storage_behind.get() {
            for id in self.held.borrow_mut().drain(..) {
                if let Some(conn) = self.conns.borrow().get(id) {
                    conn.held.set(false);
                    self.queue(conn);
                }
            }
        }
    }

    fn obey(self: &Rc<Self>, command: Command) {
        match command {
            Command::Adopt(newcomer) => self.adopt(*newcomer),
            Command::Publish(messages) => self.publish_own(messages),
            Command::Report { answer, topics, alarm } => {
                // Whoever asked may have gone.
                let _ = answer.send(self.report(&topics));
                self.watcher.borrow_mut().watch(self.shard.borrow().counters().activity(), alarm);
            }
            Command::Ask(act) => act(self),
            Command::Disconnect { client_id, reason_code, reason_string, server_reference } => {
                self.handle(Event::Disconnect {
                    client_id: &client_id,
                    reason_code,
                    reason_string: reason_string.as_deref(),
                    server_reference: server_reference.as_deref(),
                });
            }
            Command::Listen(listener) => {
                if self.stopping.get().is_none()
                    && let Err(error) = self.listen(listener)
                {
                    tracing::error!(%error, "a new listener does not work on this shard");
                }
            }
            Command::ChangeListener(id, setup) => self.change_listener(id, setup),
            Command::StopListening(ids, done) => self.stop_listening(&ids, done),
            Command::Loaded { request, copies } => self.handle(Event::Loaded { request, copies }),
            Command::StoreHealth { is_writable } => {
                self.handle(Event::StoreHealth { writable: is_writable });
                self.watcher.borrow_mut().alarm();
            }
            Command::Reload { config, authorizer, authenticator, ended_users } => {
                if let Some(authenticator) = authenticator {
                    self.authenticator.replace(authenticator);
                }
                self.handle_rights(Event::Reload { config, authorizer });
                self.end_users(&ended_users, AuthenticatorKind::PasswordFile);
            }
            Command::Rights(authorizer) => self.handle_rights(Event::Rights { authorizer }),
            Command::Users { authenticator, ended } => {
                self.authenticator.replace(authenticator);
                self.end_users(&ended, AuthenticatorKind::Users);
            }
            Command::PublishWills(done) => {
                self.stop_accepting();
                self.handle(Event::PublishWills);
                self.decide();
                self.send_mail();
                let _ = done.send(());
            }
            Command::Shutdown { server_reference, deadline } => {
                self.stop_accepting();
                self.stopping.set(Some(deadline));
                self.handle(Event::Shutdown { server_reference: server_reference.as_deref() });
            }
        }
    }

    /// Authenticates and commits until there is nothing left that could change what is sent.
    fn decide(self: &Rc<Self>) {
        loop {
            let requests = std::mem::take(&mut self.effects.borrow_mut().authenticate);
            let asked = !requests.is_empty();
            for request in requests {
                self.authenticate(request);
            }
            let told = self.publish_presence();
            if !self.commit() && !asked && !told {
                return;
            }
        }
    }

    /// Hands what the turn recorded to the store as one batch, asks it for what the core wants back, and tells the core
    /// what the store has committed. `false` when there was nothing of that.
    fn commit(&self) -> bool {
        let mut storage = self.storage.borrow_mut();
        let Some(storage) = storage.as_mut() else { return false };
        {
            let mut effects = self.effects.borrow_mut();
            let ended = self.shard.borrow_mut().end_turn(&mut effects);
            if let Some(request) = ended {
                storage.append(&mut effects, request);
                self.storage_behind.set(storage.is_behind());
            }
            for request in effects.load.drain(..) {
                let (mailboxes, id) = (Arc::clone(&self.mailboxes), usize::from(self.id.0));
                storage.load(request, move |request, copies| {
                    mailboxes[id].command(Command::Loaded { request, copies });
                });
            }
        }
        let committed = storage.committed();
        if self.committed.replace(committed) == committed {
            return false;
        }
        self.handle(Event::Committed { written: committed.0, synced: committed.1 });
        true
    }

    fn send_mail(&self) {
        let mut effects = self.effects.borrow_mut();
        if effects.mail.is_empty() {
            return;
        }
        for (shard, batch) in effects.mail.drain() {
            let bytes = batch.iter().map(Mail::size_bytes).sum();
            if !self.mailboxes[usize::from(shard.0)].post(self.id, batch, bytes) {
                let mut congested = self.congested.borrow_mut();
                if !congested.contains(&shard) {
                    congested.push(shard);
                }
            }
        }
    }

    fn log_refusals(&self) {
        let refused_clients = std::mem::take(&mut self.effects.borrow_mut().refused_clients);
        for refused in &refused_clients {
            self.refusal_log.borrow_mut().client(self.now(), refused);
            if is_fault(refused.reason_code) {
                self.accepting.fault(self.now(), ip_of(&refused.peer_address));
            }
            self.watch_duels(refused);
            if self.is_tracing.get() {
                self.trace_refused(refused);
            }
            self.history.borrow_mut().note(self.now(), refused);
        }
    }

    fn log_slowed(&self) {
        let slowed_clients = std::mem::take(&mut self.effects.borrow_mut().slowed_clients);
        for slowed in &slowed_clients {
            self.refusal_log.borrow_mut().slowed(self.now(), slowed);
            self.history.borrow_mut().note_slowed(self.now(), slowed);
        }
    }

    fn pause_and_resume(&self) {
        let mut effects = self.effects.borrow_mut();
        let conns = self.conns.borrow();
        for id in effects.pause.drain(..) {
            if let Some(conn) = conns.get(id) {
                conn.paused.set(true);
            }
        }
        for id in effects.resume.drain(..) {
            if let Some(conn) = conns.get(id) {
                conn.paused.set(false);
                conn.resumed.set(true);
                self.queue(conn);
            }
        }
    }

    /// Puts an emptied list back, to be used again, with what was added meanwhile.
    pub(super) fn give_back<T>(&self, mut emptied: Vec<T>, list: impl FnOnce(&mut Effects) -> &mut Vec<T>) {
        let mut effects = self.effects.borrow_mut();
        let list = list(&mut effects);
        emptied.append(list);
        *list = emptied;
    }
}
