use ferry_codec::{DecodeLimits, decode_connect, frame_length};
use ferry_router::ShardId;

use crate::receive::CONNECT_FIRST_BYTE;

/// Client identifiers are spread over this many slots, and slots over shards, so that the number of shards may
/// change from one start to the next without moving what is stored by slot.
pub const SLOT_COUNT: u16 = 1024;

/// The slot of a client identifier, 0..[`SLOT_COUNT`]: the same on every machine and in every run.
#[must_use]
pub fn home_slot(client_id: &str) -> u16 {
    // FNV-1a, then folded so that every bit of the identifier reaches the slot.
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
    for byte in client_id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    hash ^= hash >> 32;
    hash ^= hash >> 16;
    (hash % u64::from(SLOT_COUNT)) as u16
}

/// The shard that owns the session of `client_id` [MQTT-3.1.3-2] [MQTT3-3.1.3-2].
///
/// # Panics
/// If `shard_count` is 0.
#[must_use]
pub fn home_shard(client_id: &str, shard_count: u16) -> ShardId {
    ShardId(home_slot(client_id) % shard_count)
}

/// Where a connection belongs, by the first bytes it sent; see [`first_packet_home`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPacketHome {
    /// Not enough bytes yet.
    Unknown,
    /// Any shard will do: it is no valid CONNECT, or one without a client identifier.
    Any,
    /// The home of its client identifier.
    Shard(ShardId),
}

/// Looks at the first packet of a connection, so that its socket can be moved to its home shard before any state
/// exists. Nothing is judged here: what is wrong is answered by the shard that receives the bytes.
#[must_use]
pub fn first_packet_home(bytes: &[u8], limits: &DecodeLimits, shard_count: u16) -> FirstPacketHome {
    if shard_count == 1 || bytes.first().is_some_and(|first| *first != CONNECT_FIRST_BYTE) {
        return FirstPacketHome::Any;
    }
    let length = match frame_length(bytes, limits) {
        Ok(Some(length)) => length,
        Ok(None) => return FirstPacketHome::Unknown,
        Err(_) => return FirstPacketHome::Any,
    };
    let Some(frame) = bytes.get(..length) else { return FirstPacketHome::Unknown };
    match decode_connect(frame, limits) {
        Ok(connect) if !connect.client_id.is_empty() => {
            FirstPacketHome::Shard(home_shard(connect.client_id, shard_count))
        }
        _ => FirstPacketHome::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_even_enough() {
        let mut counts = [0_u32; 4];
        for number in 0..40_000 {
            counts[usize::from(home_shard(&format!("client-{number}"), 4).0)] += 1;
        }
        assert!(counts.iter().all(|&count| (9_000..11_000).contains(&count)), "{counts:?}");
    }

    #[test]
    fn slots_never_change() {
        assert_eq!(home_slot(""), home_slot(""));
        assert!(home_slot("a") != home_slot("b"));
        assert_eq!(home_shard("anything", 1), ShardId(0));
    }
}
