use std::rc::Rc;

use ferry_core::ConnId;

use super::conn::Conn;

/// The connections of a shard by the core's name for them.
#[derive(Default)]
pub(crate) struct ConnTable {
    conns: Vec<Option<Rc<Conn>>>,
    count: usize,
}

impl ConnTable {
    pub(crate) fn insert(&mut self, conn: Rc<Conn>) {
        let index = conn.id.index();
        if index >= self.conns.len() {
            self.conns.resize_with(index + 1, || None);
        }
        if self.conns[index].replace(conn).is_none() {
            self.count += 1;
        }
    }

    /// `None` when the connection is gone, even if another has its place.
    pub(crate) fn get(&self, id: ConnId) -> Option<&Rc<Conn>> {
        self.conns.get(id.index())?.as_ref().filter(|conn| conn.id == id)
    }

    /// Whoever has this place now.
    pub(crate) fn at(&self, index: usize) -> Option<&Rc<Conn>> {
        self.conns.get(index)?.as_ref()
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Rc<Conn>> {
        let place = self.conns.get_mut(id.index())?;
        let conn = place.take_if(|conn| conn.id == id)?;
        self.count -= 1;
        Some(conn)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}
