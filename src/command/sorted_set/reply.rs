//! Replies with members and scores.

use crate::ds::listpack::Element;
use crate::resp::{Output, Protocol};

/// Whether scores are wanted with the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scores {
    /// Members only.
    Hidden,
    /// Members and scores: in RESP2 in turn, in RESP3 as pairs.
    Shown,
}

/// How members and scores stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Members only.
    Members,
    /// Members and scores in turn, in one array.
    Flat,
    /// An array of pairs.
    Pairs,
}

impl Form {
    pub(super) fn of(scores: Scores, protocol: Protocol) -> Self {
        match (scores, protocol) {
            (Scores::Hidden, _) => Self::Members,
            (Scores::Shown, Protocol::Resp2) => Self::Flat,
            (Scores::Shown, Protocol::Resp3) => Self::Pairs,
        }
    }

    /// Items of the array for so many members.
    pub(super) const fn len(self, members: usize) -> usize {
        match self {
            Self::Members | Self::Pairs => members,
            Self::Flat => 2 * members,
        }
    }

    /// Writes one member.
    #[inline]
    pub(super) fn write(self, out: &mut Output, member: Element<'_>, score: f64) {
        if self == Self::Pairs {
            out.array(2);
        }
        element(out, member);
        if self != Self::Members {
            out.double(score);
        }
    }
}

/// A member as a bulk string.
#[inline]
pub(super) fn element(out: &mut Output, member: Element<'_>) {
    match member {
        Element::Integer(n) => out.bulk_integer(n),
        Element::Bytes(bytes) => out.bulk(bytes),
    }
}

/// An array of so many members.
pub(super) fn members<'a>(
    out: &mut Output,
    len: usize,
    members: impl Iterator<Item = (Element<'a>, f64)>,
    form: Form,
) {
    out.array(form.len(len));
    for (member, score) in members {
        form.write(out, member, score);
    }
}
