use ahash::RandomState;
use ferry_session::DropReason;

/// Clients that are remembered: each has one place, where another one may take its turn.
const PLACES: usize = 1_024;

/// What was discarded of clients that lost something lately: bounded, and found at once. For counting all there is the
/// [`DropLedger`](crate::DropLedger).
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientDrops {
    /// Empty until the first drop.
    places: Vec<Option<Box<ClientDrop>>>,
}

/// What was discarded of one client, as far as it is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientDrop {
    /// Whose copies.
    pub client_id: String,
    /// How many copies for each reason, in the order of [`DropReason::ALL`].
    pub counts: [u64; DropReason::ALL.len()],
    /// The topic of the last copy; empty if only the store knew it.
    pub last_topic: String,
}

impl ClientDrops {
    pub(crate) fn count(&mut self, reason: DropReason, client_id: &str, topic: &str, copies: u64) {
        if self.places.is_empty() {
            self.places.resize(PLACES, None);
        }
        let place = self.places[place_of(client_id)].get_or_insert_default();
        if place.client_id != client_id {
            place.counts = Default::default();
            place.client_id.clear();
            place.client_id.push_str(client_id);
        }
        place.counts[reason.index()] += copies;
        place.last_topic.clear();
        place.last_topic.push_str(topic);
    }

    pub(crate) fn of(&self, client_id: &str) -> Option<&ClientDrop> {
        let place = self.places.get(place_of(client_id))?.as_deref();
        place.filter(|drops| drops.client_id == client_id)
    }
}

fn place_of(client_id: &str) -> usize {
    // Whoever finds collisions only makes the broker forget what it does not promise to know.
    RandomState::with_seeds(1, 2, 3, 4).hash_one(client_id) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_remembered_until_its_place_is_taken() {
        let mut drops = ClientDrops::default();
        assert!(drops.of("a").is_none());
        drops.count(DropReason::Expired, "a", "t/1", 1);
        drops.count(DropReason::Expired, "a", "t/2", 2);
        let found = drops.of("a").expect("remembered");
        assert_eq!((found.counts[DropReason::Expired.index()], &*found.last_topic), (3, "t/2"));
        for number in 0..100_000 {
            drops.count(DropReason::Expired, &format!("client {number}"), "t", 1);
        }
        assert!(drops.of("a").is_none() && drops.of("client 99999").is_some());
        assert_eq!(drops.places.len(), PLACES);
    }
}
