//! Two devices with one client identifier, each of which ends the connection of the other.

use std::rc::Rc;
use std::time::Duration;

use ferry_core::RefusedClient;

use super::Driver;
use super::refusal_log::ShownClientId;

impl Driver {
    /// Counts a takeover. When there were too many of one client identifier in a minute, the log names both devices,
    /// which is what an operator needs to find them.
    pub(super) fn watch_duels(&self, refused: &RefusedClient) {
        let (Some(newcomer), Some(client_id)) = (&refused.taken_over_by, &refused.client_id) else { return };
        let max = self.accepting.limits().misbehaviour.takeovers_per_minute_max;
        if !self.takeovers.borrow_mut().exceeds(client_id.clone(), max, self.now()) {
            return;
        }
        self.count_refusal("client_id_duel");
        tracing::info!(
            "client {} is taken over again and again, last by {newcomer} from {}, on {}: two devices have the same client \
             identifier, or one connects anew without need; give each its own",
            ShownClientId(client_id),
            refused.peer_address,
            refused.listener.name,
        );
    }

    /// Goes on with a client at once, or later if it is one of two that take over each other and newcomers are to wait.
    pub(super) fn after_duel_pause(
        self: &Rc<Self>,
        client_id: &str,
        go_on: impl FnOnce(&Rc<Self>) + 'static,
    ) {
        let limits = self.accepting.limits().misbehaviour;
        let max = limits.takeovers_per_minute_max;
        let pause = limits.duel_pause_seconds;
        let pause = pause.filter(|_| self.takeovers.borrow().has_exceeded(client_id, max, self.now()));
        let Some(pause_seconds) = pause else { return go_on(self) };
        let driver = Rc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_secs(u64::from(pause_seconds))).await;
            go_on(&driver);
            driver.want_turn();
        });
    }
}
