//! The options of SET, GETEX and MSETEX: a condition, what becomes of the expiry, whether the old value
//! is wanted; in any order, and each again if it says the same as before (of two times the last counts).

use super::condition::{Comparison, Condition};
use crate::command::expiry::{self, Unit};
use crate::command::{Context, Error};
use crate::resp::Args;

/// Whose options they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    /// All but PERSIST.
    Set,
    /// Times and PERSIST.
    Getex,
    /// NX, XX, times and KEEPTTL.
    Msetex,
}

/// What the options say of the expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiration {
    /// Nothing.
    Unsaid,
    /// KEEPTTL
    Keep,
    /// PERSIST
    Persist,
    /// At the time that argument `.1` gives.
    At(Unit, usize),
}

/// What a reply is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Whether the command acted.
    Outcome,
    /// The value there was before (GET).
    OldValue,
}

/// Options, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) condition: Condition,
    pub(super) expiration: Expiration,
    pub(super) reply: Reply,
}

/// The expiry of a value that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// There is none.
    Never,
    /// That of the value it replaces.
    Kept,
    /// At this time, Unix milliseconds.
    At(i64),
}

impl Options {
    /// The options in the arguments from `at` on.
    ///
    /// # Errors
    /// `syntax error`: an unknown word, one without its operand, or two that contradict each other.
    pub(super) fn parse(args: Args<'_>, mut at: usize, grammar: Grammar) -> Result<Self, Error> {
        let mut options = Self {
            condition: Condition::Always,
            expiration: Expiration::Unsaid,
            reply: Reply::Outcome,
        };
        while let Some(word) = args.get(at) {
            let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
            let takes = |grammars: &[Grammar]| grammars.contains(&grammar);
            let mut next = at + 1;
            if is(b"get") && takes(&[Grammar::Set]) {
                options.reply = Reply::OldValue;
            } else if is(b"nx") && takes(&[Grammar::Set, Grammar::Msetex]) {
                options.add_condition(Condition::Missing)?;
            } else if is(b"xx") && takes(&[Grammar::Set, Grammar::Msetex]) {
                options.add_condition(Condition::Exists)?;
            } else if is(b"keepttl") && takes(&[Grammar::Set, Grammar::Msetex]) {
                options.add_expiration(Expiration::Keep)?;
            } else if is(b"persist") && takes(&[Grammar::Getex]) {
                options.add_expiration(Expiration::Persist)?;
            } else if next == args.len() {
                return Err(Error::SYNTAX);
            } else if let Some(unit) = Unit::of_word(word) {
                options.add_expiration(Expiration::At(unit, next))?;
                next += 1;
            } else if let Some(comparison) = Comparison::of_word(word)
                && takes(&[Grammar::Set])
            {
                options.add_condition(Condition::Compared(comparison, next))?;
                next += 1;
            } else {
                return Err(Error::SYNTAX);
            }
            at = next;
        }
        Ok(options)
    }

    fn add_condition(&mut self, condition: Condition) -> Result<(), Error> {
        if self.condition != Condition::Always && self.condition != condition {
            return Err(Error::SYNTAX);
        }
        self.condition = condition;
        Ok(())
    }

    fn add_expiration(&mut self, expiration: Expiration) -> Result<(), Error> {
        let agrees = match (self.expiration, expiration) {
            (Expiration::At(old, _), Expiration::At(new, _)) => old == new,
            (Expiration::Unsaid, _) => true,
            (old @ (Expiration::Keep | Expiration::Persist | Expiration::At(..)), new) => {
                old == new
            }
        };
        if !agrees {
            return Err(Error::SYNTAX);
        }
        self.expiration = expiration;
        Ok(())
    }

    /// The expiry that a value stored under these options has.
    ///
    /// # Errors
    /// A time that is no integer, not positive or out of range.
    pub(super) fn expiry(&self, ctx: &Context<'_>) -> Result<Expiry, Error> {
        match self.expiration {
            Expiration::Unsaid | Expiration::Persist => Ok(Expiry::Never),
            Expiration::Keep => Ok(Expiry::Kept),
            Expiration::At(unit, index) => expiry::deadline_ms(ctx, index, unit).map(Expiry::At),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    fn parse(line: &str, grammar: Grammar) -> Option<Options> {
        let args: OwnedArgs = line.split(' ').filter(|word| !word.is_empty()).collect();
        Options::parse(args.as_args(), 0, grammar).ok()
    }

    #[test]
    fn options_come_in_any_order_and_again() {
        let options = parse("get EX 1 Nx GET nx eX 2", Grammar::Set).expect("no contradiction");
        assert_eq!(options.condition, Condition::Missing);
        assert_eq!(options.expiration, Expiration::At(Unit::Seconds, 7));
        assert_eq!(options.reply, Reply::OldValue);
        let options = parse("", Grammar::Set).expect("nothing to contradict");
        assert_eq!(options.expiration, Expiration::Unsaid);
    }

    #[test]
    fn contradictions_are_syntax_errors() {
        let times = ["ex 1", "px 1", "exat 1", "pxat 1", "keepttl"];
        for first in times {
            for second in times {
                let is_same = first == second;
                assert_eq!(parse(&format!("{first} {second}"), Grammar::Set).is_some(), is_same);
            }
            assert!(parse(&format!("{first} persist"), Grammar::Getex).is_none());
            assert!(parse(&format!("persist {first}"), Grammar::Getex).is_none());
        }
        for line in ["nx xx", "xx nx", "ifeq a nx", "xx ifne a", "ifeq a ifdeq a", "ifeq a ifeq a"]
        {
            assert!(parse(line, Grammar::Set).is_none(), "{line}");
        }
    }

    #[test]
    fn operands_must_follow_and_may_look_like_options() {
        for line in ["ex", "px", "exat", "pxat", "ifeq", "ifne", "ifdeq", "ifdne", "nx ex", "foo"] {
            assert!(parse(line, Grammar::Set).is_none(), "{line}");
        }
        let options = parse("ifeq get ex nx", Grammar::Set).expect("operands are not words");
        assert_eq!(options.condition, Condition::Compared(Comparison::Equal, 1));
        assert_eq!(options.reply, Reply::Outcome);
    }

    #[test]
    fn each_command_takes_its_own_words() {
        let all = ["nx", "xx", "get", "keepttl", "persist", "ex 1", "ifeq a", "ifdne a"];
        for (grammar, taken) in [
            (Grammar::Set, &all[..]),
            (Grammar::Getex, &["persist", "ex 1"]),
            (Grammar::Msetex, &["nx", "xx", "keepttl", "ex 1"]),
        ] {
            for line in all {
                let expected =
                    taken.contains(&line) && !(grammar == Grammar::Set && line == "persist");
                assert_eq!(parse(line, grammar).is_some(), expected, "{grammar:?} {line}");
            }
        }
    }
}
