//! What BY and GET name: a key, or a field of a hash, whose name contains the element.

use crate::command::error::printed;
use crate::ds::listpack::Element;
use crate::store::{Keyspace, Scope};
use crate::value::hash::{HashRef, Scalar};
use crate::value::{Entry, Str};

/// A pattern. Redis reads it as a C string, hence marks behind a zero byte are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// Without a star: no key at all.
    Nothing,
    /// The key between whose parts the element stands, and perhaps a field of the hash there.
    Key { prefix: &'a [u8], suffix: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    /// Reads a pattern such as `weight_*` or `object_*->name`.
    pub(super) fn parse(text: &'a [u8]) -> Self {
        let marks = printed(text);
        if marks == b"#" {
            return Self::Element;
        }
        let Some(star) = marks.iter().position(|&byte| byte == b'*') else { return Self::Nothing };
        let arrow = marks[star + 1..].windows(2).position(|pair| pair == b"->");
        // An arrow without a field behind it belongs to the key.
        let arrow = arrow.map(|at| star + 1 + at).filter(|at| at + 2 < marks.len());
        Self::Key {
            prefix: &text[..star],
            suffix: &text[star + 1..arrow.unwrap_or(text.len())],
            field: arrow.map(|at| &text[at + 2..]),
        }
    }

    /// Passes to `f` what the pattern stands for with this element in it; `None` if that does not exist
    /// or is no string.
    pub(super) fn look_up<R>(
        self,
        keyspace: &mut Keyspace,
        scope: Scope,
        element: &[u8],
        f: impl FnOnce(Option<Element<'_>>) -> R,
    ) -> R {
        match self {
            Self::Element => f(Some(Element::Bytes(element))),
            Self::Nothing => f(None),
            Self::Key { prefix, suffix, field } => {
                let name = [prefix, element, suffix].concat();
                let key = keyspace.key(&name);
                let now_ms = keyspace.now_ms();
                match keyspace.read(scope, key) {
                    Some(entry) => f(match field {
                        None => string_of(&entry),
                        Some(field) => field_of(&entry, field, now_ms),
                    }),
                    None => f(None),
                }
            }
        }
    }
}

fn string_of(entry: &Entry) -> Option<Element<'_>> {
    Some(match Str::of(entry)? {
        Str::Integer(n) => Element::Integer(n),
        Str::Bytes(bytes) => Element::Bytes(bytes),
    })
}

fn field_of<'a>(entry: &'a Entry, field: &[u8], now_ms: i64) -> Option<Element<'a>> {
    Some(match HashRef::of(entry)?.find(field, now_ms)?.value {
        Scalar::Integer(n) => Element::Integer(n),
        Scalar::Bytes(bytes) => Element::Bytes(bytes),
        Scalar::Shared(bytes) => Element::Bytes(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(prefix: &'a [u8], suffix: &'a [u8], field: Option<&'a [u8]>) -> Pattern<'a> {
        Pattern::Key { prefix, suffix, field }
    }

    #[test]
    fn patterns_are_read_as_in_redis() {
        for (text, pattern) in [
            (&b"#"[..], Pattern::Element),
            (b"#\0", Pattern::Element),
            (b"##", Pattern::Nothing),
            (b"", Pattern::Nothing),
            (b"nosort", Pattern::Nothing),
            (b"a\0*", Pattern::Nothing),
            (b"a->b", Pattern::Nothing),
            (b"*", key(b"", b"", None)),
            (b"w_*", key(b"w_", b"", None)),
            (b"w_*_x*", key(b"w_", b"_x*", None)),
            (b"w_*->f", key(b"w_", b"", Some(b"f"))),
            (b"w_*_x->f->g", key(b"w_", b"_x", Some(b"f->g"))),
            (b"w_*->", key(b"w_", b"->", None)),
            (b"w_*->\0x", key(b"w_", b"->\0x", None)),
            (b"w_*->f\0g", key(b"w_", b"", Some(b"f\0g"))),
            (b"a->b*c", key(b"a->b", b"c", None)),
            (b"a*\0->c", key(b"a", b"\0->c", None)),
        ] {
            assert_eq!(Pattern::parse(text), pattern, "{}", text.escape_ascii());
        }
    }
}
