//! Members of a sorted set in turn, whatever its encoding.

use super::packed;
use crate::base::num;
use crate::ds::listpack::{self, Element, Listpack};
use crate::ds::skiplist::{self, Direction};
use std::ops::Range;

/// Some members with their scores, neighbours in the order of the set.
pub enum Iter<'a> {
    /// Of a small set, ascending.
    Packed {
        /// Members and scores in turn.
        elements: listpack::Iter<'a>,
        /// Members still to come.
        left: usize,
    },
    /// Of a small set, descending.
    Reversed {
        /// Scores and members in turn.
        elements: listpack::RevIter<'a>,
        /// Members still to come.
        left: usize,
    },
    /// Of a large one.
    Scored(skiplist::Iter<'a>),
}

impl<'a> Iter<'a> {
    pub(super) fn packed(list: &'a Listpack, ranks: Range<usize>, direction: Direction) -> Self {
        let left = ranks.len();
        // Of an empty range the place does not matter.
        let from = |index: usize| list.seek(num::i64_of(index)).or(list.first());
        match direction {
            Direction::Forward => {
                let elements = from(2 * ranks.start).map_or(list.iter(), |at| list.iter_from(at));
                Iter::Packed { elements, left }
            }
            Direction::Backward => {
                let last = from((2 * ranks.end).saturating_sub(1));
                let elements = last.map_or(list.rev_iter(), |at| list.rev_iter_from(at));
                Iter::Reversed { elements, left }
            }
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Packed { elements, left } => {
                *left = left.checked_sub(1)?;
                let member = elements.next()?;
                Some((member, packed::score_of(elements.next()?)))
            }
            Iter::Reversed { elements, left } => {
                *left = left.checked_sub(1)?;
                let score = packed::score_of(elements.next()?);
                Some((elements.next()?, score))
            }
            Iter::Scored(iter) => {
                iter.next().map(|(member, score)| (Element::Bytes(member), score))
            }
        }
    }
}
