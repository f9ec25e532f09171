//! All users, by name.

use super::{Catalog, NewChannels, RuleError, User};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the user that every connection starts as. There always is one.
pub const DEFAULT_USER: &[u8] = b"default";

/// All users.
#[derive(Clone, Debug)]
pub struct Users {
    catalog: Arc<Catalog>,
    by_name: BTreeMap<Box<[u8]>, Arc<User>>,
    default: Arc<User>,
}

impl Users {
    /// The default user, who may do everything.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let default = Arc::new(User::unrestricted(DEFAULT_USER, &catalog));
        let by_name = BTreeMap::from([(DEFAULT_USER.into(), Arc::clone(&default))]);
        Self { catalog, by_name, default }
    }

    /// The commands that rules may name.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The user that every connection starts as.
    #[must_use]
    pub fn default_user(&self) -> &Arc<User> {
        &self.default
    }

    /// Whether nobody needs a password to be the default user.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.default.takes_any_password() && self.default.is_enabled()
    }

    /// The user of a name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// All users, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.by_name.values()
    }

    /// What a user would be with more rules, or a new user with these. All of them are applied, or none.
    ///
    /// # Errors
    /// The first rule that makes no sense, and why.
    pub fn changed<'a>(
        &self,
        name: &[u8],
        channels: NewChannels,
        rules: &'a [Vec<u8>],
    ) -> Result<User, (&'a [u8], RuleError)> {
        let mut user = match self.get(name) {
            Some(user) => User::clone(user),
            None => User::new(name, &self.catalog, channels),
        };
        for rule in rules {
            user.apply(&self.catalog, channels, rule).map_err(|error| (&**rule, error))?;
        }
        Ok(user)
    }

    /// Adds a user, or puts one in the place of that of the same name.
    pub fn put(&mut self, user: User) -> Arc<User> {
        let user = Arc::new(user);
        if user.name() == DEFAULT_USER {
            self.default = Arc::clone(&user);
        }
        self.by_name.insert(user.name().into(), Arc::clone(&user));
        user
    }

    /// Removes a user; not the default user.
    pub fn remove(&mut self, name: &[u8]) -> Option<Arc<User>> {
        if name == DEFAULT_USER {
            return None;
        }
        self.by_name.remove(name)
    }
}
