use std::sync::Arc;

use ferry_router::ShardId;
use ferry_session::Message;

use super::VERSION;
use super::input::Input;
use super::message_value::{read_message, write_message};
use super::output::{put_bytes, put_present, put_u16};

/// A message that was on its way from one shard to another when the broker stopped, for
/// [`Shard::restore_forwarded`](crate::Shard::restore_forwarded).
#[derive(Clone, Debug)]
pub struct Forwarded {
    pub(crate) number: u64,
    pub(crate) to: ShardId,
    pub(crate) shard_count: u16,
    /// `$share/group/filter`
    pub(crate) shared_subscription: Option<Box<str>>,
    pub(crate) message: Arc<Message>,
}

const SHARED: u8 = 0x01;

pub(super) fn write_forwarded(
    to: ShardId,
    shard_count: u16,
    shared_subscription: Option<&str>,
    message: &Message,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&[VERSION, if shared_subscription.is_some() { SHARED } else { 0 }]);
    put_u16(out, to.0);
    put_u16(out, shard_count);
    put_present(out, shared_subscription, |out, filter| put_bytes(out, filter.as_bytes()));
    write_message(message, out);
}

impl Forwarded {
    pub(super) fn read(number: u64, value: &[u8]) -> Option<Self> {
        let mut input = Input::new(value)?;
        let flags = input.u8()?;
        let to = ShardId(input.u16()?);
        let shard_count = input.u16().filter(|count| *count > 0)?;
        let shared_subscription = input.present(flags & SHARED != 0, Input::text)?.map(Box::from);
        let message = read_message(input)?;
        Some(Self { number, to, shard_count, shared_subscription, message })
    }
}
