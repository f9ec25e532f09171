//! What a change of users means for the clients that are those users.

use super::new_channels;
use crate::acl::{ChannelName, DEFAULT_USER, User};
use crate::command::Server;
use crate::config::Config;
use crate::pubsub::Kind;
use crate::resp::parse::Trust;
use crate::session::{Closing, Session};
use std::sync::Arc;

impl Server {
    /// Gives the default user the password of `requirepass`, or none if it is empty.
    pub fn adopt_password(&mut self) {
        let rules = password_rules(&self.config);
        let channels = new_channels(&self.config);
        let user = self.users.changed(DEFAULT_USER, channels, &rules);
        let user = self.users.put(user.expect("passwords are never refused"));
        self.adopt_user(&user);
    }

    /// Lets the clients of a user, but for the one that is being served, know that it has changed.
    fn adopt_user(&mut self, user: &Arc<User>) {
        let places: Vec<usize> = self.sessions.indexes().collect();
        for place in places {
            if let Some(session) = self.sessions.get_mut(place)
                && session.user.name() == user.name()
            {
                session.become_user(user);
            }
        }
    }

    /// Puts a user in the place of that of the same name, and closes the clients that listen to what it
    /// may not listen to any more.
    pub(super) fn change_user(&mut self, me: &mut Session, user: User) {
        let user = self.users.put(user);
        self.adopt_user(&user);
        if me.user.name() == user.name() {
            me.become_user(&user);
        }
        self.close_who(me, |session| {
            session.user.name() == user.name() && listens_to_forbidden(session)
        });
    }

    /// Removes a user and closes its clients; whether there was one.
    pub(super) fn remove_user(&mut self, me: &mut Session, name: &[u8]) -> bool {
        let is_gone = self.users.remove(name).is_some();
        if is_gone {
            self.close_who(me, |session| session.user.name() == name);
        }
        is_gone
    }

    /// Puts all users in the place of those there are. Closed are the clients of users who are gone, and
    /// those that listen to what they may not listen to any more.
    pub(super) fn replace_users(&mut self, me: &mut Session, users: crate::acl::Users) {
        self.users = users;
        let users: Vec<Arc<User>> = self.users.iter().cloned().collect();
        for user in &users {
            self.adopt_user(user);
            if me.user.name() == user.name() {
                me.become_user(user);
            }
        }
        let is_user = |name: &[u8]| users.iter().any(|user| user.name() == name);
        self.close_who(me, |session| {
            !is_user(session.user.name()) || listens_to_forbidden(session)
        });
    }

    /// Closes the clients of which this is true. Until that is done they may do nothing. The one that
    /// asks is sent its reply first.
    fn close_who(&mut self, me: &mut Session, is_due: impl Fn(&Session) -> bool) {
        let places: Vec<usize> = self.sessions.indexes().collect();
        for place in places {
            if self
                .sessions
                .get(place)
                .is_some_and(|session| session.closing != Closing::Now && is_due(session))
                && let Some(mut session) = self.sessions.take(place)
            {
                revoke(&mut session);
                self.close(&mut session);
                self.sessions.put(session);
            }
        }
        if is_due(me) {
            revoke(me);
            me.close_after_replies();
        }
    }
}

/// The rules that give a user the password of `requirepass`, or none if it is empty.
pub(super) fn password_rules(config: &Config) -> [Vec<u8>; 2] {
    let password = match config.requirepass.as_bytes() {
        [] => b"nopass".to_vec(),
        password => [b">", password].concat(),
    };
    [b"resetpass".to_vec(), password]
}

/// Takes all permissions from a client that is about to be closed.
fn revoke(session: &mut Session) {
    let nobody = Arc::new(session.user.revoked());
    session.become_user(&nobody);
    session.trust = Trust::Unauthenticated;
}

/// Whether a client listens to a channel that its user may not use.
fn listens_to_forbidden(session: &Session) -> bool {
    let Some(own) = &session.subscriptions else { return false };
    let kinds = [
        (Kind::Channel, ChannelName::Literal),
        (Kind::Shard, ChannelName::Literal),
        (Kind::Pattern, ChannelName::Pattern),
    ];
    kinds.into_iter().any(|(kind, meant)| {
        own.all(kind).iter().any(|name| !session.user.may_use_channel(name, meant))
    })
}
