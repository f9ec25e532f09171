//! All clients: by place for the reactor, by number for commands.

use super::{ClientId, Session};
use std::collections::BTreeMap;

/// The table of all clients.
///
/// The client whose commands are being executed is taken out of its place meanwhile
/// ([`Sessions::take`]), so that a handler may change it and the table at once.
#[derive(Debug, Default)]
pub struct Sessions {
    places: Vec<Option<Box<Session>>>,
    free: Vec<usize>,
    by_id: BTreeMap<ClientId, usize>,
    last_id: u64,
}

impl Sessions {
    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// A number for the next client.
    pub const fn next_id(&mut self) -> ClientId {
        self.last_id += 1;
        ClientId(self.last_id)
    }

    /// Adds a client and returns its place.
    pub fn insert(&mut self, mut session: Box<Session>) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        session.index = index;
        self.by_id.insert(session.id, index);
        self.places[index] = Some(session);
        index
    }

    /// Removes the client at a place for good.
    pub fn remove(&mut self, index: usize) -> Option<Box<Session>> {
        let session = self.places.get_mut(index)?.take()?;
        self.by_id.remove(&session.id);
        self.free.push(index);
        Some(session)
    }

    /// Takes the client out of its place for a while; its place stays reserved.
    #[inline]
    pub fn take(&mut self, index: usize) -> Option<Box<Session>> {
        self.places.get_mut(index)?.take()
    }

    /// Puts back what [`Sessions::take`] took.
    #[inline]
    pub fn put(&mut self, session: Box<Session>) {
        let index = session.index;
        debug_assert!(self.places[index].is_none());
        self.places[index] = Some(session);
    }

    /// The client at a place.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&Session> {
        self.places.get(index)?.as_deref()
    }

    /// The client at a place.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Session> {
        self.places.get_mut(index)?.as_deref_mut()
    }

    /// The place of the client with a number.
    pub fn index_of(&self, id: ClientId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// The places of all clients, oldest client first; the one taken out included.
    pub fn indexes(&self) -> impl Iterator<Item = usize> + '_ {
        self.by_id.values().copied()
    }

    /// All clients but the one taken out, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.indexes().filter_map(|index| self.get(index))
    }

    /// The size of the table: places up to the highest ever used at once.
    pub fn places(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    fn session(sessions: &mut Sessions) -> Box<Session> {
        let end = Endpoint::Unix("/tmp/s".into());
        Box::new(Session::new(
            sessions.next_id(),
            end.clone(),
            end,
            3,
            0,
            &crate::acl::testing::anyone(),
        ))
    }

    #[test]
    fn places_are_reused_and_numbers_are_not() {
        let mut sessions = Sessions::default();
        let first = session(&mut sessions);
        let (id, index) = (first.id, sessions.insert(first));
        assert_eq!(sessions.index_of(id), Some(index));
        assert!(sessions.remove(index).is_some());
        assert!(sessions.remove(index).is_none());
        let second = session(&mut sessions);
        assert_ne!(second.id, id);
        assert_eq!(sessions.insert(second), index);
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn a_client_taken_out_keeps_its_place() {
        let mut sessions = Sessions::default();
        let first = session(&mut sessions);
        let index = sessions.insert(first);
        let taken = sessions.take(index).expect("it is there");
        let second = session(&mut sessions);
        assert_ne!(sessions.insert(second), index);
        assert_eq!((sessions.len(), sessions.iter().count()), (2, 1));
        sessions.put(taken);
        assert_eq!(sessions.iter().count(), 2);
    }
}
