//! One user.

use super::{
    Catalog, ChannelName, ChannelSet, CommandSet, KeySet, Password, RuleError, Selector, Sign,
};
use crate::base::quote;

/// Whether a user may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Yes.
    On,
    /// No; who is logged in stays so.
    Off,
}

/// Which channels a new user may use (`acl-pubsub-default`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewChannels {
    /// All.
    All,
    /// None.
    None,
}

/// Whether a user's RESTORE has its payload verified in depth. It always is, here: the setting is kept
/// to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payloads {
    Sanitized,
    Trusted,
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    name: Box<[u8]>,
    login: Login,
    /// Whether any password will do.
    takes_any_password: bool,
    passwords: Vec<Password>,
    payloads: Payloads,
    root: Selector,
    selectors: Vec<Selector>,
}

impl User {
    /// A user who may nothing.
    #[must_use]
    pub fn new(name: &[u8], catalog: &Catalog, channels: NewChannels) -> Self {
        let mut user = Self {
            name: name.into(),
            login: Login::Off,
            takes_any_password: false,
            passwords: Vec::new(),
            payloads: Payloads::Sanitized,
            root: Selector::new(channels),
            selectors: Vec::new(),
        };
        user.root.commands.reset(catalog, Sign::Deny);
        user
    }

    /// A user who may everything, with any password.
    #[must_use]
    pub fn unrestricted(name: &[u8], catalog: &Catalog) -> Self {
        let mut user = Self::new(name, catalog, NewChannels::All);
        user.login = Login::On;
        user.takes_any_password = true;
        user.root.keys = KeySet::All;
        user.root.channels = ChannelSet::All;
        user.root.commands.reset(catalog, Sign::Allow);
        user
    }

    /// The same user, who may nothing any more.
    #[must_use]
    pub fn revoked(&self) -> Self {
        let mut user = self.clone();
        user.login = Login::Off;
        user.takes_any_password = false;
        user.passwords.clear();
        user.root = Selector::new(NewChannels::None);
        user.root.commands = CommandSet::default();
        user.selectors.clear();
        user
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether it may log in.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.login == Login::On
    }

    /// Whether it may log in with any password.
    #[must_use]
    pub fn takes_any_password(&self) -> bool {
        self.takes_any_password
    }

    /// Its passwords.
    #[must_use]
    pub fn passwords(&self) -> &[Password] {
        &self.passwords
    }

    /// Whether it may log in with this password. The time tells nothing of the passwords but their number.
    #[must_use]
    pub fn lets_in(&self, password: &[u8]) -> bool {
        let given = Password::of(password);
        let is_known = self.passwords.iter().fold(false, |known, own| known | own.is(&given));
        self.is_enabled() && (self.takes_any_password || is_known)
    }

    /// What [`User::lets_in`] says where there is no user, after the time that takes with one.
    #[must_use]
    pub fn nobody_lets_in(password: &[u8]) -> bool {
        std::hint::black_box(Password::of(password));
        false
    }

    /// Whether there is nothing it may not do.
    #[must_use]
    pub fn is_unrestricted(&self) -> bool {
        self.permissions().any(Selector::is_unrestricted)
    }

    /// Whether one of its permissions is for a channel, or a pattern of channels.
    #[must_use]
    pub fn may_use_channel(&self, name: &[u8], meant: ChannelName) -> bool {
        self.permissions().any(|selector| selector.channels.allows(name, meant))
    }

    /// Its own permissions, then its selectors. What one of them allows it may do.
    pub fn permissions(&self) -> impl Iterator<Item = &Selector> {
        std::iter::once(&self.root).chain(&self.selectors)
    }

    /// Its permissions without selectors.
    #[must_use]
    pub fn root(&self) -> &Selector {
        &self.root
    }

    /// Its selectors.
    #[must_use]
    pub fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// The words that tell what else it is, as ACL GETUSER lists them.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let login = match self.login {
            Login::On => "on",
            Login::Off => "off",
        };
        let payloads = match self.payloads {
            Payloads::Sanitized => "sanitize-payload",
            Payloads::Trusted => "skip-sanitize-payload",
        };
        let password = self.takes_any_password.then_some("nopass");
        std::iter::once(login).chain(password).chain(std::iter::once(payloads))
    }

    /// Applies a rule; selectors are one rule, from parenthesis to parenthesis.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn apply(
        &mut self,
        catalog: &Catalog,
        channels: NewChannels,
        rule: &[u8],
    ) -> Result<(), RuleError> {
        let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
        if rule.is_empty() {
        } else if is("on") {
            self.login = Login::On;
        } else if is("off") {
            self.login = Login::Off;
        } else if is("nopass") {
            self.takes_any_password = true;
            self.passwords.clear();
        } else if is("resetpass") {
            self.takes_any_password = false;
            self.passwords.clear();
        } else if is("sanitize-payload") {
            self.payloads = Payloads::Sanitized;
        } else if is("skip-sanitize-payload") {
            self.payloads = Payloads::Trusted;
        } else if is("clearselectors") {
            self.selectors.clear();
        } else if is("reset") {
            *self = Self::new(&self.name, catalog, channels);
        } else {
            return self.apply_prefixed(catalog, channels, rule);
        }
        Ok(())
    }

    fn apply_prefixed(
        &mut self,
        catalog: &Catalog,
        channels: NewChannels,
        rule: &[u8],
    ) -> Result<(), RuleError> {
        let hash = |text| Password::from_hex(text).ok_or(RuleError::NotAHash);
        match rule {
            [b'>', clear @ ..] => self.add_password(Password::of(clear)),
            [b'#', text @ ..] => self.add_password(hash(text)?),
            [b'<', clear @ ..] => self.remove_password(Password::of(clear))?,
            [b'!', text @ ..] => self.remove_password(hash(text)?)?,
            [b'(', inner @ .., b')'] => {
                let rules = quote::split_args(inner).map_err(|_| RuleError::Syntax)?;
                let mut selector = Selector::new(channels);
                selector.commands.reset(catalog, Sign::Deny);
                for rule in rules {
                    selector.apply(catalog, &rule)?;
                }
                self.selectors.push(selector);
            }
            _ => self.root.apply(catalog, rule)?,
        }
        Ok(())
    }

    fn add_password(&mut self, password: Password) {
        self.takes_any_password = false;
        if !self.passwords.contains(&password) {
            self.passwords.push(password);
        }
    }

    fn remove_password(&mut self, password: Password) -> Result<(), RuleError> {
        let place = self.passwords.iter().position(|own| *own == password);
        self.passwords.remove(place.ok_or(RuleError::NoSuchPassword)?);
        Ok(())
    }

    /// Tells it as the line of a file that makes it, without `user` and the name.
    pub fn describe(&self, out: &mut Vec<u8>) {
        for flag in self.flags() {
            out.extend_from_slice(flag.as_bytes());
            out.push(b' ');
        }
        for password in &self.passwords {
            out.push(b'#');
            out.extend_from_slice(password.hex().as_bytes());
            out.push(b' ');
        }
        self.root.describe(out);
        for selector in &self.selectors {
            out.extend_from_slice(b" (");
            let mut rules = Vec::new();
            selector.describe(&mut rules);
            put_quoted(&rules, out);
            out.push(b')');
        }
    }
}

/// Writes rules so that they are read back the same where quotes have a meaning: in a selector, in a
/// configuration.
pub(super) fn put_quoted(rules: &[u8], out: &mut Vec<u8>) {
    for (index, word) in rules.split(|&byte| byte == b' ').enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"'\\".contains(byte);
        if word.iter().all(is_plain) {
            out.extend_from_slice(word);
        } else {
            out.extend_from_slice(quote::quoted(word).as_ref());
        }
    }
}

/// Puts the words of selectors together that were given apart: `(+get` and `~a)` is one rule.
///
/// # Errors
/// The word that opens a parenthesis that none closes.
pub fn merge_selectors<'a>(
    words: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Vec<u8>>, &'a [u8]> {
    let mut rules: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<&[u8]> = None;
    for word in words {
        match (open, rules.last_mut()) {
            (Some(_), Some(rule)) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
                if word.ends_with(b")") {
                    open = None;
                }
            }
            _ => {
                rules.push(word.to_vec());
                if word.starts_with(b"(") && !word.ends_with(b")") {
                    open = Some(word);
                }
            }
        }
    }
    open.map_or(Ok(rules), Err)
}
