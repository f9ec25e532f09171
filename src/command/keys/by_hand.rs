//! Keys that hang on how a command reads its options: what is an option's operand is no keyword, and of
//! options given twice the last counts. Whoever finds other keys than the command will touch lets a user
//! touch what was not checked.

use super::{Arguments, Found, Keys, Run, resolve};
use crate::base::ascii::eq_ignore_case;
use crate::command::spec::{BeginSearch, FindKeys, KeyFlags, Spec};

/// Which of several keywords a command goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pick {
    /// What follows is not looked at.
    First,
    /// The option overwrites what was there.
    Last,
}

/// Where the keyword stands that a command goes by, if its options are known here. The last argument is
/// not looked at: no key could follow.
pub(super) fn find_option<A: Arguments + ?Sized>(
    spec: &Spec,
    args: &A,
    keyword: &[u8],
) -> Option<Option<usize>> {
    const READ: &[(&str, usize)] = &[("count", 1), ("block", 1), ("group", 2)];
    const SEARCH: &[(&str, usize)] = &[("count", 1), ("store", 1), ("storedist", 1)];
    let (start, operands, pick) = match spec.name {
        "xread" | "xreadgroup" => (1, READ, Pick::First),
        "georadius" => (6, SEARCH, Pick::Last),
        "georadiusbymember" => (5, SEARCH, Pick::Last),
        _ => return None,
    };
    let mut found = None;
    let mut index = start;
    while index + 1 < args.count() {
        let word = args.at(index);
        if eq_ignore_case(word, keyword) {
            found = Some(index);
            if pick == Pick::First {
                break;
            }
        }
        let option = operands.iter().find(|(name, _)| eq_ignore_case(word, name.as_bytes()));
        index += 1 + option.map_or(0, |&(_, operands)| operands);
    }
    Some(found)
}

/// The keys of a command line that the key specs could not tell.
pub(super) fn find_by_hand<A: Arguments + ?Sized>(spec: &Spec, args: &A) -> Keys {
    match spec.name {
        "sort" => find_sort(args),
        "sort_ro" => Keys::one(args, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        "migrate" => find_migrate(args),
        _ => find_by_loose_count(spec, args),
    }
}

/// SORT's key, and the last STORE that is not an operand of BY, GET or LIMIT.
fn find_sort<A: Arguments + ?Sized>(args: &A) -> Keys {
    let mut keys = Keys::one(args, 1, KeyFlags::RO.union(KeyFlags::ACCESS));
    let mut store = None;
    let mut index = 2;
    while index < args.count() {
        let word = args.at(index);
        if eq_ignore_case(word, b"limit") {
            index += 2;
        } else if eq_ignore_case(word, b"get") || eq_ignore_case(word, b"by") {
            index += 1;
        } else if eq_ignore_case(word, b"store") && index + 1 < args.count() {
            store = Some(index + 1);
            index += 1;
        }
        index += 1;
    }
    if let Some(index) = store {
        let flags = KeyFlags::OW.union(KeyFlags::UPDATE);
        keys.push(Run { first: index, last: index, step: 1, flags });
    }
    keys
}

/// MIGRATE's one key, or those after KEYS, when the one is empty as it then must be.
fn find_migrate<A: Arguments + ?Sized>(args: &A) -> Keys {
    const ONE: usize = 3;
    let flags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);
    let mut index = 6;
    while index < args.count() {
        let word = args.at(index);
        if eq_ignore_case(word, b"keys") {
            let (first, last) = (index + 1, args.count() - 1);
            let mut keys = Keys::NONE;
            if args.at(ONE).is_empty() && first <= last {
                keys.push(Run { first, last, step: 1, flags });
            }
            return keys;
        }
        if eq_ignore_case(word, b"auth") {
            index += 1;
        } else if eq_ignore_case(word, b"auth2") {
            index += 2;
        }
        index += 1;
    }
    Keys::one(args, ONE, flags)
}

/// The keys after a count in a loose notation (`02`, `+2`, `2x`), as Redis finds them: without flags,
/// a destination last. The command will refuse the count; the keys are for whoever looks before that.
fn find_by_loose_count<A: Arguments + ?Sized>(spec: &Spec, args: &A) -> Keys {
    let mut keys = Keys::NONE;
    let counted = spec.keys.iter().find_map(|rule| match (rule.begin, rule.find) {
        (BeginSearch::Index(start), FindKeys::KeyNum { count, first, step: 1 }) => {
            Some((usize::try_from(start + count).ok()?, start + first))
        }
        (_, FindKeys::KeyNum { .. } | FindKeys::Range { .. } | FindKeys::Unknown) => None,
    });
    let Some((at, first)) = counted.filter(|&(at, _)| at < args.count()) else { return keys };
    let Some(number) = leading_number(args.at(at)) else { return keys };
    let first = i64::from(first);
    // A number past the end of the arguments makes no run, however large.
    let last = first.saturating_add(number).saturating_sub(1);
    let Some(run) = Run::within(args.count(), first, last, 1, KeyFlags::empty()) else {
        return keys;
    };
    keys.push(run);
    for rule in spec.keys {
        if let (FindKeys::Range { .. }, Found::Run(run)) = (rule.find, resolve(spec, rule, args)) {
            keys.push(Run { flags: KeyFlags::empty(), ..run });
        }
    }
    keys
}

/// The number a text starts with, after white space and a sign: what C's `atoi` reads. `None` where
/// that is undefined.
fn leading_number(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_start();
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
    let number = digits.map(|digit| i32::from(digit - b'0')).try_fold(0i32, |number, digit| {
        number.checked_mul(10).and_then(|number| number.checked_add(digit))
    })?;
    Some(i64::from(sign * number))
}
