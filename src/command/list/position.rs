//! Searching: LPOS.

use crate::base::num;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group, KeyFlags, KeySpec};
use crate::command::{Command, Context, Error, Outcome, Spec};
use crate::ds::listpack::Needle;
use crate::value::ListRef;
use crate::value::list::Direction;
use std::ops::ControlFlow;

const RANK_ZERO: Error = Error::fixed(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
     negative to start from the end of the list",
);
const COUNT_NEGATIVE: Error = Error::fixed("ERR COUNT can't be negative");
const MAXLEN_NEGATIVE: Error = Error::fixed("ERR MAXLEN can't be negative");

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
pub(super) static LPOS: Command =
    Command { spec: LPOS_SPEC, handler: Some(position), subcommands: &[] };

const LPOS_SPEC: Spec = Spec {
    name: "lpos",
    summary: "Returns the indexes at which an element stands.",
    complexity: "O(N), N being the length of the list.",
    since: "6.0.6",
    group: Group::List,
    arity: -3,
    flags: Flags::READONLY,
    categories: Categories::LIST,
    keys: &[KeySpec::range(1, 0, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
    args: &[
        Arg::key("key", 0),
        Arg::new("element", ArgType::String),
        Arg::new("rank", ArgType::Integer).token("RANK").optional(),
        Arg::new("num-matches", ArgType::Integer).token("COUNT").optional(),
        Arg::new("len", ArgType::Integer).token("MAXLEN").optional(),
    ],
    ..Spec::EMPTY
};

/// What is looked for.
#[derive(Clone, Copy, Debug)]
struct Search {
    direction: Direction,
    /// Matches passed over before the first that counts.
    skipped: u64,
    /// `None`: one match, not in an array. 0: all matches.
    count: Option<u64>,
    /// Most elements compared; 0: all.
    compared_max: u64,
}

impl Search {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        let mut search =
            Self { direction: Direction::Forward, skipped: 0, count: None, compared_max: 0 };
        let not_negative = |index, error: Error| {
            let number = ctx.integer(index).ok();
            number.and_then(|number| u64::try_from(number).ok()).ok_or(error)
        };
        for word in (3..ctx.args.len()).step_by(2) {
            let value = word + 1;
            if value == ctx.args.len() {
                return Err(Error::SYNTAX);
            }
            if ctx.is_word(word, "RANK") {
                let rank = super::signed_count(ctx, value)?;
                search.direction = if rank < 0 { Direction::Backward } else { Direction::Forward };
                search.skipped = rank.unsigned_abs().checked_sub(1).ok_or(RANK_ZERO)?;
            } else if ctx.is_word(word, "COUNT") {
                search.count = Some(not_negative(value, COUNT_NEGATIVE)?);
            } else if ctx.is_word(word, "MAXLEN") {
                search.compared_max = not_negative(value, MAXLEN_NEGATIVE)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(search)
    }

    /// Shows `found` the indexes of the matches.
    fn run(self, list: ListRef<'_>, text: &[u8], mut found: impl FnMut(usize)) {
        let len = list.len();
        let (needle, mut compared, mut skipped) = (Needle::new(text), 0, self.skipped);
        let wanted = match self.count {
            None => 1,
            Some(0) => u64::MAX,
            Some(count) => count,
        };
        let mut left = wanted;
        let from = match self.direction {
            Direction::Forward => 0,
            Direction::Backward => len - 1,
        };
        let _is_cut_short = list.visit(from, self.direction, |element| {
            if needle.is(element) {
                if skipped > 0 {
                    skipped -= 1;
                } else {
                    found(match self.direction {
                        Direction::Forward => compared,
                        Direction::Backward => len - 1 - compared,
                    });
                    left -= 1;
                }
            }
            compared += 1;
            if left == 0 || num::u64_of(compared) == self.compared_max {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    }
}

fn position(ctx: &mut Context<'_>) -> Outcome {
    let search = Search::parse(ctx)?;
    let (scope, key, text) = (ctx.scope(), ctx.key(1), ctx.args.at(2));
    let out = &mut ctx.session.output;
    let entry = ctx.server.keyspace.read(scope, key);
    let list = match &entry {
        Some(entry) => Some(ListRef::of(entry).ok_or(Error::WRONG_TYPE)?),
        None => None,
    };
    if search.count.is_some() {
        let deferred = out.defer_len();
        let mut found = 0;
        if let Some(list) = list {
            search.run(list, text, |index| {
                out.count(index);
                found += 1;
            });
        }
        out.fill_array(deferred, found);
        return Ok(());
    }
    let mut found = None;
    if let Some(list) = list {
        search.run(list, text, |index| found = Some(index));
    }
    match found {
        Some(index) => out.count(index),
        None => out.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn matches_are_counted_from_either_end() {
        check(
            "RPUSH l a b c 1 2 3 c c; LPOS l a; LPOS l c; LPOS l x; LPOS l 2; LPOS l 02; \
             LPOS l c RANK 2; LPOS l c RANK -1; LPOS l c RANK -3; LPOS l c RANK 4; \
             LPOS l c COUNT 0; LPOS l c COUNT 2; LPOS l c RANK 2 COUNT 9; LPOS l c RANK -1 COUNT 2",
            ":8 :0 :2 $_ :4 $_ :6 :7 :2 $_ [:2 :6 :7] [:2 :6] [:6 :7] [:7 :6]",
        );
    }

    #[test]
    fn maxlen_limits_what_is_compared() {
        check(
            "RPUSH l a b c d; LPOS l c MAXLEN 2; LPOS l c MAXLEN 3; LPOS l b RANK -1 MAXLEN 2; \
             LPOS l b RANK -1 MAXLEN 3; LPOS l d COUNT 0 MAXLEN 0; LPOS x a; LPOS x a COUNT 1",
            ":4 $_ :2 $_ :1 [:3] $_ []",
        );
    }

    #[test]
    fn options_are_checked_before_the_key() {
        check(
            "SET s v; LPOS s a RANK 0; LPOS s a RANK -9223372036854775808; LPOS s a RANK x; \
             LPOS s a COUNT -1; LPOS s a COUNT x; LPOS s a MAXLEN -1; LPOS s a RANK; LPOS s a X 1; \
             LPOS s a",
            "+OK -ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
             or use negative to start from the end of the list \
             -ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807 -ERR value is not an integer or out of range \
             -ERR COUNT can't be negative -ERR COUNT can't be negative \
             -ERR MAXLEN can't be negative -ERR syntax error -ERR syntax error \
             -WRONGTYPE Operation against a key holding the wrong kind of value",
        );
        check("RPUSH l a; LPOS l a RANK 9223372036854775807 COUNT 9223372036854775807", ":1 []");
    }
}
