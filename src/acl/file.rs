//! Users as text: the lines of an ACL file, and those of a configuration.

use super::user::put_quoted;
use super::{NewChannels, RuleError, User, Users, merge_selectors};
use std::collections::BTreeSet;
use std::fmt;

/// What is wrong with an ACL file: sentences, one behind the other, that name the file and the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError(String);

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}WARNING: ACL errors detected, no change to the previously active ACL rules was \
             performed",
            self.0
        )
    }
}

impl std::error::Error for FileError {}

/// What is wrong with a user given in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// The name holds what names cannot.
    Name,
    /// Another line is about the same user.
    Duplicate,
    /// A parenthesis is not closed.
    Parenthesis(Vec<u8>),
    /// A rule, and what is wrong with it.
    Rule(Vec<u8>, RuleError),
}

impl fmt::Display for ListError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => out.write_str("Usernames can't contain spaces or null characters"),
            Self::Duplicate => out
                .write_str("Duplicate user found. A user can only be defined once in config files"),
            Self::Parenthesis(word) => write!(
                out,
                "Unmatched parenthesis in acl selector starting at '{}'",
                String::from_utf8_lossy(word)
            ),
            // A rule may be a password.
            Self::Rule(rule, RuleError::UnknownCommand) => write!(
                out,
                "Error in applying operation '{}': {}",
                String::from_utf8_lossy(rule),
                RuleError::UnknownCommand
            ),
            Self::Rule(_, error) => error.fmt(out),
        }
    }
}

impl std::error::Error for ListError {}

impl User {
    /// Whether a name can be a user's: it must be a word in a file.
    #[must_use]
    pub fn is_name(name: &[u8]) -> bool {
        !name.iter().any(|byte| b" \0\r\n".contains(byte))
    }
}

impl Users {
    /// Adds the users that lines of a configuration declare: of each its name and its rules.
    ///
    /// # Errors
    /// The number of the first declaration that makes no sense, and why.
    pub fn declare<'a, W: AsRef<[u8]> + 'a>(
        &mut self,
        channels: NewChannels,
        declarations: impl IntoIterator<Item = &'a [W]>,
    ) -> Result<(), (usize, ListError)> {
        let mut seen = BTreeSet::new();
        for (index, words) in declarations.into_iter().enumerate() {
            let Some((name, rules)) = words.split_first() else { continue };
            let user = self.declared(channels, name.as_ref(), rules, &mut seen);
            self.put(user.map_err(|error| (index, error))?);
        }
        Ok(())
    }

    fn declared<W: AsRef<[u8]>>(
        &self,
        channels: NewChannels,
        name: &[u8],
        words: &[W],
        seen: &mut BTreeSet<Box<[u8]>>,
    ) -> Result<User, ListError> {
        if !User::is_name(name) {
            return Err(ListError::Name);
        }
        if !seen.insert(name.into()) {
            return Err(ListError::Duplicate);
        }
        let rules = merge_selectors(words.iter().map(AsRef::as_ref))
            .map_err(|word| ListError::Parenthesis(word.to_vec()))?;
        let mut user = User::new(name, self.catalog(), channels);
        for rule in rules {
            user.apply(self.catalog(), channels, &rule)
                .map_err(|error| ListError::Rule(rule, error))?;
        }
        Ok(user)
    }

    /// The users of an ACL file: one a line, `user NAME RULES...`, words separated by spaces. The default
    /// user is there even if no line is about it, and may then do everything.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of_file(
        &self,
        path: &str,
        text: &[u8],
        channels: NewChannels,
    ) -> Result<Self, FileError> {
        let mut users = Self::new(self.catalog().clone());
        let mut seen = BTreeSet::new();
        let mut complaints = String::new();
        for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
            let [b"user", name, rules @ ..] = &words[..] else {
                complaints += &format!(
                    "{path}:{number} should start with user keyword followed by the username. "
                );
                continue;
            };
            match users.declared(channels, name, rules, &mut seen) {
                Ok(user) => drop(users.put(user)),
                Err(ListError::Duplicate) => {
                    let name = String::from_utf8_lossy(name);
                    complaints +=
                        &format!("WARNING: Duplicate user '{name}' found on line {number}. ");
                }
                Err(ListError::Parenthesis(_)) => {
                    complaints +=
                        &format!("{path}:{number}: Unmatched parenthesis in selector definition. ");
                }
                Err(error) => complaints += &format!("{path}:{number}: {error}. "),
            }
        }
        if complaints.is_empty() { Ok(users) } else { Err(FileError(complaints)) }
    }

    /// As [`Users::lines`], for a configuration, where quotes have a meaning.
    pub fn quoted_lines(&self) -> impl Iterator<Item = Vec<u8>> {
        self.lines().map(|line| {
            let mut quoted = Vec::new();
            put_quoted(&line, &mut quoted);
            quoted
        })
    }

    /// One line for each user, `user NAME RULES...`.
    pub fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        self.iter().map(|user| {
            let mut line = b"user ".to_vec();
            line.extend_from_slice(user.name());
            line.push(b' ');
            user.describe(&mut line);
            line
        })
    }
}
