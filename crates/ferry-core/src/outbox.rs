use ferry_router::{ShardId, ShareGroupId};

use crate::Mail;
use crate::packed_messages::PackedMessages;
use crate::publication::Publication;

/// Packs whose memory is kept for those to come, and the bytes that each may hold.
const SPARES_MAX: usize = 8;
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// What a turn has for other shards.
#[derive(Debug, Default)]
pub struct Outbox {
    /// By shard, as far as any has got something.
    mail: Vec<Vec<Mail>>,
    len: usize,
    /// Emptied packs, of mail that came.
    spares: Vec<PackedMessages>,
}

impl Outbox {
    /// Messages, receipts and whatever else is in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes all that is in it, by shard: what one shard gets is in order.
    pub fn drain(&mut self) -> impl Iterator<Item = (ShardId, Vec<Mail>)> {
        self.len = 0;
        let mail = (0..).map(ShardId).zip(&mut self.mail);
        mail.filter(|(_, mail)| !mail.is_empty()).map(|(shard, mail)| (shard, std::mem::take(mail)))
    }

    /// All that is in it, one by one: what one shard gets is in order.
    pub fn into_mail(self) -> impl Iterator<Item = (ShardId, Mail)> {
        let mail = (0..).map(ShardId).zip(self.mail);
        mail.flat_map(|(shard, mail)| mail.into_iter().map(move |mail| (shard, mail)))
    }

    pub(crate) fn push(&mut self, to: ShardId, mail: Mail) {
        self.of(to).push(mail);
        self.len += 1;
    }

    /// Adds a message that [can be packed](PackedMessages::takes): for one member of a share group, or for all who
    /// want it.
    pub(crate) fn pack(&mut self, to: ShardId, publication: &Publication<'_>, group: Option<ShareGroupId>) {
        self.len += 1;
        if let Some(Mail::Packed(pack)) = self.of(to).last_mut()
            && !pack.is_full()
        {
            return pack.push(publication, group);
        }
        let mut pack = self.spares.pop().unwrap_or_default();
        pack.push(publication, group);
        self.of(to).push(Mail::Packed(pack));
    }

    /// Keeps the memory of a pack that was opened.
    pub(crate) fn keep(&mut self, mut opened: PackedMessages) {
        if self.spares.len() < SPARES_MAX && opened.capacity_bytes() <= SPARE_BYTES_MAX {
            opened.clear();
            self.spares.push(opened);
        }
    }

    fn of(&mut self, shard: ShardId) -> &mut Vec<Mail> {
        let index = usize::from(shard.0);
        if index >= self.mail.len() {
            self.mail.resize_with(index + 1, Vec::new);
        }
        &mut self.mail[index]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ferry_codec::Publish;
    use ferry_session::{Message, Timestamp};

    use super::*;
    use crate::session::SessionId;

    fn pack(outbox: &mut Outbox, to: u16, payload: &[u8]) {
        let publish = Publish { topic: "t", payload, ..Publish::default() };
        outbox.pack(ShardId(to), &Publication::from_publish(&publish, "t", SessionId(0)), None);
    }

    /// By shard, the payloads of each pack; other mail is "-".
    fn drained(outbox: &mut Outbox) -> Vec<(u16, Vec<String>)> {
        let text = |mail: &Mail| match mail {
            Mail::Packed(pack) => {
                let (mut open, mut text) = (pack.open(), String::new());
                while let Some((_, publication)) = open.next() {
                    text.push_str(&String::from_utf8_lossy(publication.payload));
                }
                text
            }
            _ => "-".to_owned(),
        };
        outbox.drain().map(|(shard, mail)| (shard.0, mail.iter().map(text).collect())).collect()
    }

    fn alone() -> Mail {
        let message = Message::from_publish(&Publish::default(), "t".into(), None, Timestamp(0));
        Mail::Publish { message: Arc::new(message), receipt: None, forwarded: None }
    }

    #[test]
    fn what_a_shard_gets_is_in_order() {
        let mut outbox = Outbox::default();
        pack(&mut outbox, 2, b"1");
        pack(&mut outbox, 0, b"a");
        pack(&mut outbox, 2, b"2");
        outbox.push(ShardId(2), alone());
        pack(&mut outbox, 2, b"3");
        pack(&mut outbox, 0, b"b");
        assert_eq!((outbox.len(), outbox.is_empty()), (6, false));
        let expected = [(0, vec!["ab".to_owned()]), (2, ["12", "-", "3"].map(str::to_owned).to_vec())];
        assert_eq!(drained(&mut outbox), expected);
        assert_eq!((outbox.len(), outbox.is_empty()), (0, true));
        assert!(drained(&mut outbox).is_empty());
    }

    #[test]
    fn memory_of_opened_packs_is_used_again() {
        let mut outbox = Outbox::default();
        for _ in 0..2 * SPARES_MAX {
            let mut opened = PackedMessages::default();
            let publish = Publish { payload: &[0; 100], ..Publish::default() };
            opened.push(&Publication::from_publish(&publish, "t", SessionId(0)), None);
            outbox.keep(opened);
        }
        assert_eq!(outbox.spares.len(), SPARES_MAX);
        assert!(outbox.spares.iter().all(|spare| spare.size_bytes() == 0 && spare.capacity_bytes() > 0));
        pack(&mut outbox, 1, b"x");
        assert_eq!(outbox.spares.len(), SPARES_MAX - 1);
    }
}
