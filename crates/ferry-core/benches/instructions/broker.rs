//! A broker without a network: what is done for each turn of the driver, and no more.

use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::QoS;
use ferry_core::{
    AllowAll, AuthOutcome, Authorizer, ConnId, ConnInfo, CoreConfig, Effects, Event, Shard, ShardId, Shared,
    Timestamp, home_shard,
};

use crate::packets::{connect, subscribe};

pub(crate) struct Broker {
    pub(crate) shards: Vec<Shard>,
    effects: Vec<Effects>,
    /// Of the last turn: how many bytes went out.
    pub(crate) sent_bytes: usize,
}

/// A client: its shard and its connection there.
#[derive(Clone, Copy)]
pub(crate) struct Client(usize, ConnId);

const NOW: Timestamp = Timestamp(1_000_000);

impl Broker {
    /// `inflight_messages_max` is that of subscribers.
    pub(crate) fn new(shards: u16, inflight_messages_max: u16) -> Self {
        Self::with_rules(shards, inflight_messages_max, Arc::new(AllowAll))
    }

    /// With rules of who may do what.
    pub(crate) fn with_rules(
        shards: u16,
        inflight_messages_max: u16,
        authorizer: Arc<dyn Authorizer>,
    ) -> Self {
        let config = CoreConfig {
            inflight_messages_max: NonZeroU16::new(inflight_messages_max).expect("not 0"),
            ..CoreConfig::default()
        };
        let shared = Arc::new(Shared::new(shards, 7, Arc::new(config), authorizer));
        let shard = |id| Shard::new(ShardId(id), shards, Arc::clone(&shared), u64::from(id), NOW);
        Self {
            shards: (0..shards).map(shard).collect(),
            effects: (0..shards).map(|_| Effects::new()).collect(),
            sent_bytes: 0,
        }
    }

    /// A connected client.
    pub(crate) fn client(&mut self, client_id: &str) -> Client {
        let shard = usize::from(home_shard(client_id, self.shards.len() as u16).0);
        let conn = self.shards[shard].open(NOW, ConnInfo::default(), &mut self.effects[shard]);
        let client = Client(shard, conn);
        self.receive(client, &connect(client_id));
        let requests = std::mem::take(&mut self.effects[shard].authenticate);
        for request in requests {
            let outcome =
                AuthOutcome::Accept { user_name: None, data: None, until: Timestamp::NEVER, grants: None };
            let event = Event::Authenticated { conn: request.conn, outcome };
            self.shards[shard].handle(NOW, event, &mut self.effects[shard]);
        }
        self.end_turn();
        client
    }

    /// A connected client with a subscription.
    pub(crate) fn subscriber(&mut self, client_id: &str, filter: &str, qos: QoS) -> Client {
        let client = self.client(client_id);
        self.turn(client, &subscribe(filter, qos));
        client
    }

    /// A turn in which one client has sent something.
    pub(crate) fn turn(&mut self, client: Client, bytes: &[u8]) {
        self.receive(client, bytes);
        self.end_turn();
    }

    pub(crate) fn receive(&mut self, Client(shard, conn): Client, bytes: &[u8]) {
        let used = self.shards[shard].receive(NOW, conn, bytes, &mut self.effects[shard]);
        assert_eq!(used, bytes.len(), "no client is paused");
    }

    /// Sends mail and writes what is to be written. Nothing is stored here.
    pub(crate) fn end_turn(&mut self) {
        self.sent_bytes = 0;
        for from in 0..self.shards.len() {
            let mail: Vec<_> = self.effects[from].mail.drain().collect();
            for (to, mail) in mail {
                let to = usize::from(to.0);
                for mail in mail {
                    let event = Event::Mail { from: ShardId(from as u16), mail };
                    self.shards[to].handle(NOW, event, &mut self.effects[to]);
                }
            }
        }
        for (shard, effects) in self.shards.iter_mut().zip(&mut self.effects) {
            assert!(shard.end_turn(effects).is_none(), "nothing is stored");
            while let Some(conn) = effects.dirty.pop() {
                if let Some(output) = shard.output(conn) {
                    self.sent_bytes += output.len();
                    output.advance(output.len());
                    shard.handle(NOW, Event::Written { conn }, effects);
                }
            }
        }
    }
}
