//! Clients that wait for a reply, and when each stops waiting.
//!
//! Invariant: `deadlines` has each client whose [`Blocked`] names a time, under that time, and no
//! other; `len` counts all whose session is blocked.

use crate::session::{Blocked, ClientId, Session};
use std::collections::BTreeSet;

/// The clients that wait.
#[derive(Debug, Default)]
pub struct Waits {
    len: usize,
    deadlines: BTreeSet<(u64, ClientId)>,
}

impl Waits {
    /// How many clients wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of them stop at some time.
    pub fn timed_len(&self) -> usize {
        self.deadlines.len()
    }

    /// Lets a client wait. Its handler writes no reply.
    pub fn add(&mut self, session: &mut Session, blocked: Blocked) {
        debug_assert!(session.blocked.is_none(), "a client that waits sends nothing");
        self.len += 1;
        if let Some(until_ns) = blocked.until_ns {
            self.deadlines.insert((until_ns, session.id));
        }
        session.blocked = Some(blocked);
    }

    /// Ends a client's waiting, if it does wait; gives what it waited for.
    pub fn remove(&mut self, session: &mut Session) -> Option<Blocked> {
        let blocked = session.blocked.take()?;
        self.len -= 1;
        if let Some(until_ns) = blocked.until_ns {
            self.deadlines.remove(&(until_ns, session.id));
        }
        Some(blocked)
    }

    /// When the first of them stops waiting.
    pub fn next_deadline_ns(&self) -> Option<u64> {
        self.deadlines.first().map(|&(until_ns, _)| until_ns)
    }

    /// A client whose time has run out.
    pub fn due(&self, now_ns: u64) -> Option<ClientId> {
        let &(until_ns, id) = self.deadlines.first()?;
        (until_ns <= now_ns).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Endpoint, Sessions};

    #[test]
    fn who_waits_is_due_in_order_and_forgotten_in_full() {
        let mut sessions = Sessions::default();
        let mut waits = Waits::default();
        let mut clients: Vec<Session> = [Some(30), None, Some(10), Some(10)]
            .into_iter()
            .map(|until_ns| {
                let end = Endpoint::Unix("/tmp/s".into());
                let mut session = Session::new(
                    sessions.next_id(),
                    end.clone(),
                    end,
                    3,
                    0,
                    &crate::acl::testing::anyone(),
                );
                waits.add(
                    &mut session,
                    Blocked { until_ns, timed_out: |out| out.null(), keys: None, copies: None },
                );
                session
            })
            .collect();
        assert_eq!((waits.len(), waits.timed_len()), (4, 3));
        assert_eq!((waits.next_deadline_ns(), waits.due(9)), (Some(10), None));
        assert_eq!(waits.due(10), Some(clients[2].id));
        assert!(waits.remove(&mut clients[2]).is_some());
        assert!(waits.remove(&mut clients[2]).is_none());
        assert_eq!(waits.due(30), Some(clients[3].id));
        for client in &mut clients {
            waits.remove(client);
        }
        assert_eq!((waits.is_empty(), waits.timed_len(), waits.due(u64::MAX)), (true, 0, None));
    }
}
