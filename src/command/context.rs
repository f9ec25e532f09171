//! What a handler is given: the arguments, the client, and the server.

use super::keys::LegacyRange;
use super::server::Server;
use super::table::CommandId;
use super::{Error, Outcome};
use crate::base::num;
use crate::resp::{Args, Output};
use crate::session::{Session, SessionFlags};
use crate::store::{Event, Key, Scope, Touch};

/// Hashes of a command's fixed keys, computed ahead; empty if they were not.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyHashes<'a> {
    /// One for each key, in the order of the arguments.
    pub hashes: &'a [u64],
    /// Where the keys are.
    pub range: LegacyRange,
}

/// One execution of one command.
#[derive(Debug)]
pub struct Context<'a> {
    /// The arguments; number 0 is the name, number 1 the subcommand's word if there is one.
    pub args: Args<'a>,
    /// The client.
    pub session: &'a mut Session,
    /// Everything else.
    pub server: &'a mut Server,
    /// The command, or the subcommand.
    pub id: CommandId,
    pub(super) hashes: KeyHashes<'a>,
}

impl<'a> Context<'a> {
    /// The key at argument `index`.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        let bytes = self.args.at(index);
        let KeyHashes { hashes, range } = self.hashes;
        if !hashes.is_empty() {
            let offset = index.wrapping_sub(num::usize_of_i32(range.first));
            let step = num::usize_of_i32(range.step);
            let nth = if step == 1 { offset } else { offset / step };
            if let Some(&hash) = hashes.get(nth) {
                debug_assert_eq!(hash, self.server.keyspace.key(bytes).hash);
                return Key { bytes, hash };
            }
        }
        self.server.keyspace.key(bytes)
    }

    /// The client's replies.
    #[inline]
    pub fn out(&mut self) -> &mut Output {
        &mut self.session.output
    }

    /// Where the client's lookups go and whether they count as accesses.
    #[inline]
    pub fn scope(&self) -> Scope {
        let touch = if self.session.flags.contains(SessionFlags::NO_TOUCH) {
            Touch::No
        } else {
            Touch::Yes
        };
        Scope { db: self.session.db, touch }
    }

    /// The command's full name, lower case, as error texts use it: `set`, `config|get`.
    pub fn name(&self) -> &'static str {
        self.server.commands.get(self.id).full_name
    }

    /// The integer at argument `index`.
    ///
    /// # Errors
    /// `value is not an integer or out of range`.
    #[inline]
    pub fn integer(&self, index: usize) -> Result<i64, Error> {
        num::parse_i64(self.args.at(index)).ok_or(Error::NOT_AN_INTEGER)
    }

    /// The number of a database, given as argument `index`.
    ///
    /// # Errors
    /// No integer, none of 32 bits, or no such database.
    pub fn database(&self, index: usize) -> Result<usize, Error> {
        let number =
            i32::try_from(self.integer(index)?).map_err(|_| Error::NOT_A_32_BIT_INTEGER)?;
        self.existing_database(number)
    }

    /// The database of a number.
    ///
    /// # Errors
    /// There is no such database.
    pub fn existing_database(&self, number: i32) -> Result<usize, Error> {
        let databases = self.server.keyspace.len();
        let found = usize::try_from(number).ok().filter(|&number| number < databases);
        found.ok_or(Error::DB_INDEX_OUT_OF_RANGE)
    }

    /// Whether argument `index` is this word, in any case.
    #[inline]
    pub fn is_word(&self, index: usize, word: &str) -> bool {
        self.args.get(index).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Notes what the command did to a key of the client's database, for whoever wants to hear of it.
    #[inline]
    pub fn note(&mut self, key: Key<'_>, event: Event) {
        self.server.keyspace.note(self.session.db, key, event);
    }

    /// Replies `+OK`.
    #[inline]
    pub fn ok(&mut self) -> Outcome {
        self.session.output.ok();
        Ok(())
    }

    /// Replies with an integer.
    #[inline]
    pub fn reply_integer(&mut self, n: i64) -> Outcome {
        self.session.output.integer(n);
        Ok(())
    }

    /// Replies with an array of lines, as HELP subcommands do: usage first, then the lines given.
    pub fn help(&mut self, lines: &[&str]) -> Outcome {
        let name = self.server.commands.get(self.id).full_name;
        let name = name.split('|').next().unwrap_or(name).to_ascii_uppercase();
        let out = &mut self.session.output;
        out.array(lines.len() + 3);
        out.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
        for line in lines {
            out.simple(line);
        }
        out.simple("HELP");
        out.simple("    Prints this help.");
        Ok(())
    }
}
