//! The kinds of values most directives have: how each is read, printed and written to a file.
//!
//! A kind holds what its rows differ in, such as bounds, and no value. The rarer kinds, used by one
//! directive each, are in `special.rs`.

use std::marker::PhantomData;

use crate::base::num::parse_i64;
use crate::base::{quote, units};

use super::reason::Reason;
use super::values::{Origin, Text};
use super::words::Word;

/// The largest value of a C `int`, a frequent bound in Redis.
pub(super) const INT_MAX: i128 = 2_147_483_647;
/// The smallest value of a C `int`.
pub(super) const INT_MIN: i128 = -2_147_483_648;
/// The largest value of a C `long`, a frequent bound in Redis.
pub(super) const LONG_MAX: i128 = 9_223_372_036_854_775_807;

/// The largest value of a C `unsigned long`.
pub(super) const ULONG_MAX: i128 = 18_446_744_073_709_551_615;

/// How many arguments a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arity {
    One,
    /// Any number; CONFIG SET gives them in one string, separated by spaces.
    Many,
}

/// Who sets a value, and whether it adds to an earlier line, for the directives that accumulate.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A client.
    ConfigSet,
    /// The first line about the directive in files and command line.
    FirstLine(&'a Origin),
    /// Any later one.
    LaterLine(&'a Origin),
}

/// Whether CONFIG REWRITE writes values that are the default and not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defaults {
    /// No, which keeps the file short.
    Omitted,
    /// Yes.
    Written,
}

/// Whether a line has to be in the rewritten file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Yes.
    Always,
    /// Only in place of one that was there.
    IfPresent,
}

/// One line of a rewritten file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: Vec<u8>,
    pub(super) need: Need,
}

impl Line {
    /// `name value`, which need not be written when it is the default.
    pub(super) fn new<V: PartialEq>(name: &str, printed: &[u8], value: &V, default: &V) -> Line {
        let text = [name.as_bytes(), b" ", printed].concat();
        Line { text, need: if value == default { Need::IfPresent } else { Need::Always } }
    }

    pub(super) fn require(&mut self) {
        self.need = Need::Always;
    }
}

/// Whether setting a value made a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Changed,
    Same,
}

/// How the values of a directive are read and printed.
pub(super) trait Kind: Sync {
    /// The field's type.
    type Value: PartialEq;

    fn arity(&self) -> Arity {
        Arity::One
    }

    /// The new value. `current` matters only to directives that accumulate.
    fn parse(
        &self,
        args: &[&[u8]],
        current: &Self::Value,
        source: Source<'_>,
    ) -> Result<Self::Value, Reason>;

    /// Puts the new value in place of the old one.
    fn set(
        &self,
        value: &mut Self::Value,
        args: &[&[u8]],
        source: Source<'_>,
    ) -> Result<Effect, Reason> {
        let new = self.parse(args, value, source)?;
        if new == *value {
            return Ok(Effect::Same);
        }
        *value = new;
        Ok(Effect::Changed)
    }

    /// The value as CONFIG GET prints it.
    fn print(&self, value: &Self::Value, out: &mut Vec<u8>);

    /// The lines that set this value in a file.
    fn lines(&self, name: &str, value: &Self::Value, default: &Self::Value, out: &mut Vec<Line>) {
        let mut printed = Vec::new();
        self.print(value, &mut printed);
        out.push(Line::new(name, &printed, value, default));
    }

    /// The values it takes, for people, where the value itself does not show it.
    fn accepts(&self) -> Option<String>;
}

/// The argument of a directive that takes exactly one.
pub(super) fn only<'a>(args: &[&'a [u8]]) -> Result<&'a [u8], Reason> {
    match args {
        &[arg] => Ok(arg),
        _ => Err(Reason::WrongArguments),
    }
}

/// An integer in the looser forms C's `strtoll` takes: a sign and leading zeros.
pub(super) fn loose_integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `yes` or `no`.
pub(super) struct YesNo;

/// A switch.
pub(super) const fn yes_no() -> YesNo {
    YesNo
}

impl Kind for YesNo {
    type Value = bool;

    fn parse(&self, args: &[&[u8]], _: &Self::Value, _: Source<'_>) -> Result<Self::Value, Reason> {
        let arg = only(args)?;
        if arg.eq_ignore_ascii_case(b"no") {
            return Ok(false);
        }
        if !arg.eq_ignore_ascii_case(b"yes") {
            return Err(Reason::NotYesNo);
        }
        Ok(true)
    }

    fn print(&self, value: &Self::Value, out: &mut Vec<u8>) {
        out.extend_from_slice(if *value { b"yes" } else { b"no" });
    }

    fn accepts(&self) -> Option<String> {
        None
    }
}

/// The integer types of fields.
pub(super) trait Number: Copy + PartialEq + Send + Sync {
    fn widen(self) -> i128;
    fn narrow(wide: i128) -> Option<Self>;
}

macro_rules! numbers {
    ($($integer:ty)*) => { $(
        impl Number for $integer {
            fn widen(self) -> i128 {
                i128::try_from(self).expect("every type in this list is narrower than i128")
            }

            fn narrow(wide: i128) -> Option<$integer> {
                <$integer>::try_from(wide).ok()
            }
        }
    )* };
}

numbers! { u16 u32 u64 usize i32 i64 }

/// The least and the greatest value allowed.
#[derive(Clone, Copy)]
struct Bounds {
    min: i128,
    max: i128,
}

impl Bounds {
    fn check<N: Number>(self, wide: i128) -> Result<N, Reason> {
        let out_of_range = Reason::OutOfRange { min: self.min, max: self.max };
        if wide < self.min || wide > self.max {
            return Err(out_of_range);
        }
        N::narrow(wide).ok_or(out_of_range)
    }
}

/// A decimal integer within bounds.
pub(super) struct Integer<N> {
    bounds: Bounds,
    kept: Bounds,
    number: PhantomData<N>,
}

/// An integer from `min` to `max`.
pub(super) const fn integer<N>(min: i128, max: i128) -> Integer<N> {
    Integer { bounds: Bounds { min, max }, kept: Bounds { min, max }, number: PhantomData }
}

/// Any integer of a C `int` from `min` up is taken; what is outside `kept` becomes its nearest end.
pub(super) const fn clamped<N>(min: i128, kept_min: i128, kept_max: i128) -> Integer<N> {
    Integer {
        bounds: Bounds { min, max: INT_MAX },
        kept: Bounds { min: kept_min, max: kept_max },
        number: PhantomData,
    }
}

impl<N: Number> Kind for Integer<N> {
    type Value = N;

    fn parse(&self, args: &[&[u8]], _: &N, _: Source<'_>) -> Result<N, Reason> {
        let wide = parse_i64(only(args)?).ok_or(Reason::NotInteger)?;
        self.bounds.check::<i64>(wide.into())?;
        self.kept.check(i128::from(wide).clamp(self.kept.min, self.kept.max))
    }

    fn print(&self, value: &N, out: &mut Vec<u8>) {
        out.extend_from_slice(value.widen().to_string().as_bytes());
    }

    fn accepts(&self) -> Option<String> {
        let Bounds { min, max } = self.bounds;
        match (min, max) {
            (0 | INT_MIN, INT_MAX | LONG_MAX) => None,
            (min, INT_MAX | LONG_MAX) => Some(format!("{min} or more")),
            (min, max) => Some(format!("{min} to {max}")),
        }
    }
}

/// A number in octal, from 0 to 777: file permissions.
pub(super) struct Permissions;

impl Kind for Permissions {
    type Value = u32;

    fn parse(&self, args: &[&[u8]], _: &u32, _: Source<'_>) -> Result<u32, Reason> {
        const MAX: u32 = 0o777;
        let arg = only(args)?;
        if arg.is_empty() {
            return Ok(0);
        }
        let text = std::str::from_utf8(arg).map_err(|_| Reason::NotOctal)?;
        let wide = i64::from_str_radix(text, 8).map_err(|_| Reason::NotOctal)?;
        let out_of_range = Reason::OutOfOctalRange { min: 0, max: MAX };
        u32::try_from(wide).ok().filter(|&mode| mode <= MAX).ok_or(out_of_range)
    }

    fn print(&self, value: &u32, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{value:o}").as_bytes());
    }

    fn accepts(&self) -> Option<String> {
        Some("an octal number up to 777".to_owned())
    }
}

/// A number of bytes, which may be given with a unit.
pub(super) struct Memory<N> {
    bounds: Bounds,
    number: PhantomData<N>,
}

/// From `min` to `max` bytes.
pub(super) const fn memory<N>(min: i128, max: i128) -> Memory<N> {
    Memory { bounds: Bounds { min, max }, number: PhantomData }
}

impl<N: Number> Kind for Memory<N> {
    type Value = N;

    fn parse(&self, args: &[&[u8]], _: &N, _: Source<'_>) -> Result<N, Reason> {
        let bytes = units::parse_size(only(args)?).ok_or(Reason::NotMemory)?;
        self.bounds.check(bytes.into())
    }

    fn print(&self, value: &N, out: &mut Vec<u8>) {
        out.extend_from_slice(value.widen().to_string().as_bytes());
    }

    fn lines(&self, name: &str, value: &N, default: &N, out: &mut Vec<Line>) {
        out.push(Line::new(name, &size(bytes_of(value.widen())), value, default));
    }

    fn accepts(&self) -> Option<String> {
        Some(match self.bounds.min {
            0 => "bytes".to_owned(),
            min => format!("{} or more", String::from_utf8_lossy(&size(bytes_of(min)))),
        })
    }
}

/// A number of bytes in the largest unit that divides it.
pub(super) fn size(bytes: u64) -> Vec<u8> {
    let mut out = Vec::new();
    units::write_size(&mut out, bytes);
    out
}

/// A bound or a field that holds bytes.
fn bytes_of(wide: i128) -> u64 {
    u64::try_from(wide).expect("no size in the table is negative")
}

/// One word of an enum.
pub(super) struct OneOf<W>(PhantomData<W>);

pub(super) const fn one_of<W: Word>() -> OneOf<W> {
    OneOf(PhantomData)
}

impl<W: Word> Kind for OneOf<W> {
    type Value = W;

    fn parse(&self, args: &[&[u8]], _: &W, _: Source<'_>) -> Result<W, Reason> {
        let known = || W::WORDS.iter().map(|(word, _)| *word).collect();
        W::of(only(args)?).ok_or_else(|| Reason::NotOneOf(known()))
    }

    fn print(&self, value: &W, out: &mut Vec<u8>) {
        out.extend_from_slice(value.word().as_bytes());
    }

    fn accepts(&self) -> Option<String> {
        let words: Vec<_> = W::WORDS.iter().map(|(word, _)| *word).collect();
        Some(words.join(" | "))
    }
}

/// What an empty string means to a directive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// That there is no value: a rewritten file has no line for it.
    Unset,
    /// A value like any other.
    Value,
}

/// Any string, or any that keeps a rule.
pub(super) struct AnyText {
    empty: Empty,
    rule: fn(&[u8]) -> Result<(), Reason>,
}

/// Any string.
pub(super) const fn any_text(empty: Empty) -> AnyText {
    AnyText { empty, rule: |_| Ok(()) }
}

/// A string that keeps a rule.
pub(super) const fn ruled_text(empty: Empty, rule: fn(&[u8]) -> Result<(), Reason>) -> AnyText {
    AnyText { empty, rule }
}

impl Kind for AnyText {
    type Value = Text;

    fn parse(&self, args: &[&[u8]], _: &Text, _: Source<'_>) -> Result<Text, Reason> {
        let arg = only(args)?;
        (self.rule)(arg)?;
        Ok(Text::from(arg))
    }

    fn print(&self, value: &Text, out: &mut Vec<u8>) {
        out.extend_from_slice(value);
    }

    fn lines(&self, name: &str, value: &Text, default: &Text, out: &mut Vec<Line>) {
        match (value.is_empty(), self.empty) {
            (true, Empty::Unset) => {}
            (true, Empty::Value) | (false, Empty::Value | Empty::Unset) => {
                out.push(Line::new(name, &quote::quoted(value), value, default));
            }
        }
    }

    fn accepts(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<K: Kind>(kind: &K, current: &K::Value, arg: &str) -> Result<String, String> {
        let value = kind.parse(&[arg.as_bytes()], current, Source::ConfigSet);
        let mut printed = Vec::new();
        match value {
            Ok(value) => kind.print(&value, &mut printed),
            Err(reason) => return Err(reason.to_string()),
        }
        Ok(String::from_utf8(printed).unwrap())
    }

    #[test]
    fn integers_keep_their_bounds() {
        let port = integer::<u16>(0, 65535);
        assert_eq!(parse(&port, &0, "65535"), Ok("65535".into()));
        let outside = Err("argument must be between 0 and 65535 inclusive".into());
        assert_eq!(parse(&port, &0, "65536"), outside);
        assert_eq!(parse(&port, &0, "-1"), outside);
        let malformed = Err("argument couldn't be parsed into an integer".into());
        for text in ["", " 5", "+5", "007", "1e3", "0x10", "99999999999999999999"] {
            assert_eq!(parse(&port, &0, text), malformed, "{text}");
        }
    }

    #[test]
    fn clamped_integers_take_more_than_they_keep() {
        let hz = clamped::<u32>(0, 1, 500);
        assert_eq!(parse(&hz, &10, "0"), Ok("1".into()));
        assert_eq!(parse(&hz, &10, "1000"), Ok("500".into()));
        assert_eq!(
            parse(&hz, &10, "-1"),
            Err("argument must be between 0 and 2147483647 inclusive".into())
        );
    }

    #[test]
    fn permissions_are_octal() {
        assert_eq!(parse(&Permissions, &0, "700"), Ok("700".into()));
        assert_eq!(parse(&Permissions, &0, ""), Ok("0".into()));
        let malformed = Err("argument couldn't be parsed as an octal number".into());
        assert_eq!(parse(&Permissions, &0, "800"), malformed);
        assert_eq!(parse(&Permissions, &0, "0x1"), malformed);
        let outside = Err("argument must be between 0 and 777 inclusive".into());
        assert_eq!(parse(&Permissions, &0, "1000"), outside);
        assert_eq!(parse(&Permissions, &0, "-1"), outside);
    }

    #[test]
    fn memory_is_printed_in_bytes_and_written_with_a_unit() {
        let limit = memory::<u64>(1024, LONG_MAX);
        assert_eq!(parse(&limit, &0, "1gb"), Ok("1073741824".into()));
        assert_eq!(
            parse(&limit, &0, "1k"),
            Err("argument must be between 1024 and 9223372036854775807 inclusive".into())
        );
        assert_eq!(parse(&limit, &0, "1.5gb"), Err("argument must be a memory value".into()));
        let mut lines = Vec::new();
        limit.lines("limit", &(3 << 20), &0, &mut lines);
        assert_eq!(lines[0], Line { text: b"limit 3mb".to_vec(), need: Need::Always });
    }
}
