use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use tokio::task::JoinHandle;

use super::Driver;
use crate::accept::{ListenerSetup, accept_connections};
use crate::listeners::{ListenerHandle, ListenerId};

/// A listener on this shard.
pub(crate) struct Acceptor {
    id: ListenerId,
    setup: Rc<RefCell<Arc<ListenerSetup>>>,
    task: JoinHandle<()>,
}

impl Driver {
    /// Accepts connections from one more listener.
    pub(super) fn listen(self: &Rc<Self>, handle: ListenerHandle) -> io::Result<()> {
        let ListenerHandle { id, bound, setup } = handle;
        let listener = bound.attach()?;
        let setup = Rc::new(RefCell::new(setup));
        let accepting = accept_connections(Rc::clone(self), listener, Rc::clone(&setup));
        let task = tokio::task::spawn_local(accepting);
        self.acceptors.borrow_mut().push(Acceptor { id, setup, task });
        Ok(())
    }

    /// What holds for the connections that come to a listener from now on.
    pub(super) fn change_listener(&self, id: ListenerId, setup: Arc<ListenerSetup>) {
        if let Some(acceptor) = self.acceptors.borrow().iter().find(|acceptor| acceptor.id == id) {
            acceptor.setup.replace(setup);
        }
    }

    /// Accepts from these listeners no more, and answers when this shard has let go of their sockets.
    pub(super) fn stop_listening(&self, ids: &[ListenerId], done: mpsc::Sender<()>) {
        let stopped: Vec<Acceptor> =
            self.acceptors.borrow_mut().extract_if(.., |acceptor| ids.contains(&acceptor.id)).collect();
        tokio::task::spawn_local(async move {
            for acceptor in stopped {
                acceptor.task.abort();
                // It always ends, and as an error: cancelled.
                let _ = acceptor.task.await;
            }
            let _ = done.send(());
        });
    }

    /// Accepts nobody any more.
    pub(super) fn stop_accepting(&self) {
        for acceptor in self.acceptors.borrow_mut().drain(..) {
            acceptor.task.abort();
        }
    }
}
