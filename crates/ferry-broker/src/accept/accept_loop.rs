use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ferry_net::Listener;
use tokio::time::Instant;

use super::ListenerSetup;
use crate::driver::Driver;

/// After the system could not give a connection (too many open files, mostly) the next try waits this long: it
/// would fail at once again, and the connections that are open need the processor.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// Between two lines about it in the log.
const LINE_INTERVAL: Duration = Duration::from_secs(60);

/// Accepts from one listener on one shard, for as long as it is polled. What holds for a connection is the setup at the
/// time when it comes.
pub(crate) async fn accept_connections(
    driver: Rc<Driver>,
    listener: Listener,
    current: Rc<RefCell<Arc<ListenerSetup>>>,
) {
    let mut last_line: Option<Instant> = None;
    loop {
        let accepted = listener.accept().await;
        let setup = Arc::clone(&current.borrow());
        match accepted {
            Ok(accepted) => {
                let peer = *accepted.peer();
                match driver.accepting().admit(driver.now(), &setup, accepted) {
                    Ok(arrival) => {
                        tokio::task::spawn_local(Rc::clone(&driver).greet(setup, arrival));
                    }
                    Err(turned_away) => driver.turn_away(&peer, &setup, turned_away),
                }
            }
            Err(error) => {
                driver.count_refusal("accept_failed");
                if last_line.is_none_or(|last| last.elapsed() > LINE_INTERVAL) {
                    last_line = Some(Instant::now());
                    tracing::warn!(listener = %setup.policy.name, %error, "connections cannot be accepted");
                }
                tokio::time::sleep(FAILURE_PAUSE).await;
            }
        }
    }
}
