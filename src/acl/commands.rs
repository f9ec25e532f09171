//! Which commands may be run: one bit for each, and the rules that made them so.
//!
//! The rules are kept in the order they were given, but for those that a later one makes void, so that
//! what is told of a user, told again to a server with other commands, means the same.

use super::{Catalog, Categories, RuleError};
use std::collections::BTreeMap;

/// Whether a rule gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Allow,
    /// `-`
    Deny,
}

/// One rule as it is told, in lower case: `@read`, `get`, `config|get`, `select|0`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    sign: Sign,
    what: Box<[u8]>,
}

/// A set of commands.
#[derive(Clone, Debug)]
pub struct CommandSet {
    bits: Vec<u64>,
    /// What the rules start from; it also decides about commands that were unknown then.
    base: Sign,
    rules: Vec<Rule>,
    /// Whether it is `+@all` and nothing was taken since.
    is_full: bool,
    /// First arguments that a command may have that may not be run with any, in lower case.
    first_args: BTreeMap<usize, Vec<Box<[u8]>>>,
}

impl Default for CommandSet {
    fn default() -> Self {
        let (bits, rules, first_args) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { bits, base: Sign::Deny, rules, is_full: false, first_args }
    }
}

impl CommandSet {
    /// Whether every command is in it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether a command is in it, whatever its arguments.
    #[inline]
    #[must_use]
    pub fn contains(&self, command: usize) -> bool {
        match self.bits.get(command / 64) {
            Some(word) => word >> (command % 64) & 1 != 0,
            None => self.base == Sign::Allow,
        }
    }

    /// Whether a command that is not in it may be run with this first argument.
    #[must_use]
    pub fn contains_with(&self, command: usize, first_arg: &[u8]) -> bool {
        let allowed = self.first_args.get(&command);
        allowed.is_some_and(|args| args.iter().any(|arg| arg.eq_ignore_ascii_case(first_arg)))
    }

    /// Makes it all commands or none.
    pub fn reset(&mut self, catalog: &Catalog, base: Sign) {
        let word = match base {
            Sign::Allow => u64::MAX,
            Sign::Deny => 0,
        };
        *self = Self {
            bits: vec![word; catalog.len().div_ceil(64)],
            base,
            is_full: base == Sign::Allow,
            ..Self::default()
        };
    }

    /// Applies a rule: what stands behind its sign.
    ///
    /// # Errors
    /// There is no such command or category, or the rule makes no sense.
    pub fn apply(&mut self, catalog: &Catalog, sign: Sign, what: &[u8]) -> Result<(), RuleError> {
        match what {
            [b'@', name @ ..] if name.eq_ignore_ascii_case(b"all") => self.reset(catalog, sign),
            [b'@', name @ ..] => {
                let category = Categories::of_name(name).ok_or(RuleError::UnknownCommand)?;
                for index in catalog.of_category(category) {
                    self.change(catalog, index, sign);
                }
                self.note(sign, what);
            }
            _ => match catalog.find(what) {
                Some(index) => {
                    self.change(catalog, index, sign);
                    self.note(sign, what);
                }
                None => self.allow_first_arg(catalog, sign, what)?,
            },
        }
        Ok(())
    }

    /// Allows what is no command but may be a command and its first argument.
    fn allow_first_arg(
        &mut self,
        catalog: &Catalog,
        sign: Sign,
        what: &[u8],
    ) -> Result<(), RuleError> {
        let bar = what.iter().rposition(|&byte| byte == b'|');
        let (Sign::Allow, Some(bar)) = (sign, bar) else { return Err(RuleError::UnknownCommand) };
        let (name, first_arg) = (&what[..bar], &what[bar + 1..]);
        let index = catalog.find(name).ok_or(RuleError::UnknownCommand)?;
        if catalog.is_subcommand(index) {
            return Err(RuleError::FirstArgOfSubcommand);
        }
        if first_arg.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !catalog.subcommands(index).is_empty() {
            return Err(RuleError::UnknownCommand);
        }
        let allowed = self.first_args.entry(index).or_default();
        let first_arg: Box<[u8]> = first_arg.to_ascii_lowercase().into();
        if !allowed.contains(&first_arg) {
            allowed.push(first_arg);
        }
        self.note(sign, what);
        Ok(())
    }

    /// Puts a command and its parts in or out.
    fn change(&mut self, catalog: &Catalog, index: usize, sign: Sign) {
        self.bits.resize(catalog.len().div_ceil(64), self.rest());
        let parts = catalog.subcommands(index).iter().copied();
        for index in std::iter::once(index).chain(parts) {
            let mask = 1 << (index % 64);
            match sign {
                Sign::Allow => self.bits[index / 64] |= mask,
                Sign::Deny => self.bits[index / 64] &= !mask,
            }
            self.first_args.remove(&index);
        }
        if sign == Sign::Deny {
            self.is_full = false;
        }
    }

    /// The bits of commands that no rule was about.
    fn rest(&self) -> u64 {
        match self.base {
            Sign::Allow => u64::MAX,
            Sign::Deny => 0,
        }
    }

    /// Adds a rule to what is told; those that it makes void go.
    fn note(&mut self, sign: Sign, what: &[u8]) {
        let what = what.to_ascii_lowercase();
        let is_void = |rule: &Rule| match rule.what.strip_prefix(&*what) {
            Some([]) => true,
            Some([b'|', ..]) => true,
            Some([_, ..]) | None => false,
        };
        self.rules.retain(|rule| !is_void(rule));
        self.rules.push(Rule { sign, what: what.into() });
    }

    /// Tells it as rules that make it, separated by spaces.
    pub fn describe(&self, out: &mut Vec<u8>) {
        out.push(sign(self.base));
        out.extend_from_slice(b"@all");
        for rule in &self.rules {
            out.extend_from_slice(&[b' ', sign(rule.sign)]);
            out.extend_from_slice(&rule.what);
        }
    }
}

const fn sign(sign: Sign) -> u8 {
    match sign {
        Sign::Allow => b'+',
        Sign::Deny => b'-',
    }
}
