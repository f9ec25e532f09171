//! Members picked at random, every member (and every choice of several) as likely as the others.

use super::{Set, SetRef};
use crate::base::num;
use crate::base::rng::Rng;
use crate::ds::dict::Mark;
use crate::ds::listpack::{Element, Listpack};

/// A choice of so many of so many, made one by one in their order, without knowing more of them than
/// their number (Fan, Muller and Rezucha, 1962): each is taken with the share that is still needed of
/// those that are left.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    needed: usize,
    left: usize,
}

impl Selection {
    /// Chooses `needed` of `len`, or all if there are no more.
    pub fn new(needed: usize, len: usize) -> Self {
        Self { needed: needed.min(len), left: len }
    }

    /// Whether the next one is chosen.
    #[inline]
    pub fn takes(&mut self, rng: &mut Rng) -> bool {
        if self.needed == 0 {
            return false;
        }
        let takes = rng.below_usize(self.left) < self.needed;
        self.left -= 1;
        self.needed -= usize::from(takes);
        takes
    }
}

/// Of a table of which all but this share is to be taken, rather what stays is moved.
const MOVED_SHARE: usize = 5;

impl<'a> SetRef<'a> {
    /// A random member. O(1), and O(n) of a listing's few.
    #[inline]
    pub fn random(self, rng: &mut Rng) -> Option<Element<'a>> {
        match self {
            Self::Integers(ints) => ints.random(rng).map(Element::Integer),
            Self::Listing(list) if list.is_empty() => None,
            Self::Listing(list) => {
                let index = rng.below_usize(list.len());
                list.seek(num::i64_of(index)).map(|at| list.get(at))
            }
            Self::Table(table) => table.random(rng).map(|member| Element::Bytes(member.into_key())),
        }
    }
}

impl Set {
    /// Takes a random member out, after `f` has seen it.
    #[inline]
    pub fn pop(&mut self, rng: &mut Rng, f: impl FnOnce(Element<'_>)) {
        match self {
            Self::Integers(ints) => {
                if let Some(int) = ints.random(rng) {
                    f(Element::Integer(int));
                    ints.remove(int);
                }
            }
            Self::Listing(list) => {
                let index = rng.below_usize(list.len().max(1));
                if let Some(at) = list.seek(num::i64_of(index)) {
                    f(list.get(at));
                    list.delete(at);
                }
            }
            Self::Table(table) => {
                if let Some(slot) = table.random_mut(rng) {
                    f(Element::Bytes(slot.remove().as_bytes()));
                }
            }
        }
    }

    /// Takes `count` random members out, fewer than there are, after `f` has seen each. If that left
    /// something large to be freed, returns it: a set without meaning.
    pub fn pop_some(
        &mut self,
        count: usize,
        rng: &mut Rng,
        mut f: impl FnMut(Element<'_>),
    ) -> Option<Self> {
        let len = self.view().len();
        let mut selection = Selection::new(count, len);
        match self {
            Self::Integers(ints) => ints.retain(|int| {
                let goes = selection.takes(rng);
                if goes {
                    f(Element::Integer(int));
                }
                !goes
            }),
            Self::Listing(list) => {
                let mut kept = Vec::with_capacity(len - count);
                for member in list.iter() {
                    if selection.takes(rng) {
                        f(member);
                    } else {
                        kept.push(member);
                    }
                }
                let mut rest = Listpack::new();
                rest.push_back_all(&kept);
                *list = rest;
            }
            Self::Table(table) if (len - count).saturating_mul(MOVED_SHARE) <= count => {
                let mut rest = Box::new(table.new_like());
                while rest.len() < len - count {
                    let Some(slot) = table.random_mut(rng) else { break };
                    let member = slot.remove();
                    rest.insert(rest.hash(member.as_bytes()), member, Mark::Clear);
                }
                let gone = std::mem::replace(table, rest);
                gone.iter().for_each(|member| f(Element::Bytes(member.as_bytes())));
                return Some(Self::Table(gone));
            }
            Self::Table(table) => {
                for _ in 0..count {
                    let Some(slot) = table.random_mut(rng) else { break };
                    f(Element::Bytes(slot.remove().as_bytes()));
                }
            }
        }
        None
    }
}
