//! Which form a set takes, and when it moves on.

use super::{Set, find, insert_new};
use crate::base::hash::HashKey;
use crate::base::num;
use crate::config::Config;
use crate::ds::dict::Dict;
use crate::ds::intset::{self, IntSet};
use crate::ds::listpack::{Element, Listpack};

/// When a set outgrows a form.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    integers_len_max: usize,
    listing_len_max: usize,
    member_bytes_max: usize,
    hash_key: HashKey,
}

impl Limits {
    /// What the configuration says now; tables hash under `hash_key`.
    #[inline]
    pub fn of(config: &Config, hash_key: HashKey) -> Self {
        Self {
            integers_len_max: config.set_max_intset_entries.min(intset::LEN_MAX - 1),
            listing_len_max: config.set_max_listpack_entries,
            member_bytes_max: config.set_max_listpack_value,
            hash_key,
        }
    }

    /// Whether so many members, all short, may be a listing.
    #[must_use]
    pub const fn allows_listing(&self, count: usize) -> bool {
        count <= self.listing_len_max
    }

    fn allows(&self, list: &Listpack, text_len: usize) -> bool {
        list.len() < self.listing_len_max
            && text_len <= self.member_bytes_max
            && list.is_safe_to_add(text_len)
    }
}

impl Set {
    /// An empty set in the form in which one begins that is to have about `count` members, of which
    /// `first` is one.
    pub fn for_members(first: &[u8], count: usize, limits: &Limits) -> Self {
        if count <= limits.integers_len_max && Element::Bytes(first).integer().is_some() {
            Self::Integers(IntSet::new())
        } else if count <= limits.listing_len_max {
            Self::Listing(Listpack::new())
        } else {
            Self::table(limits)
        }
    }

    /// An empty set in the smallest form.
    pub fn new() -> Self {
        Self::Integers(IntSet::new())
    }

    /// An empty set in the form that takes any members.
    pub fn table(limits: &Limits) -> Self {
        Self::Table(Box::new(Dict::new(limits.hash_key)))
    }

    /// A set of integers that were put together elsewhere.
    pub fn of_integers(ints: IntSet, limits: &Limits) -> Self {
        let is_too_large = ints.len() > limits.integers_len_max;
        let mut set = Self::Integers(ints);
        if is_too_large {
            set.become_table(limits);
        }
        set
    }

    /// A set of the members of a listing that was put together elsewhere. As in Redis, only their number
    /// decides whether they stay in it. The caller sees to it that too many are distinct.
    pub fn of_listing(list: Listpack, limits: &Limits) -> Self {
        let is_too_large = !limits.allows_listing(list.len());
        let mut set = Self::Listing(list);
        if is_too_large {
            set.become_table(limits);
        }
        set
    }

    /// An empty set in the form in which one is read from a file that is to have `count` members.
    pub fn for_count(count: u64, limits: &Limits) -> Self {
        if count <= num::u64_of(limits.integers_len_max) {
            Self::new()
        } else {
            Self::table(limits)
        }
    }

    /// Moves on to a table at once if `count` members, about to be added, would be too many alone.
    #[inline]
    pub fn expect(&mut self, count: usize, limits: &Limits) {
        let is_too_small = match self {
            Self::Integers(_) => count > limits.integers_len_max,
            Self::Listing(_) => count > limits.listing_len_max,
            Self::Table(_) => false,
        };
        if is_too_small {
            self.become_table(limits);
        }
    }

    /// Adds a member to a set that is no table.
    pub(super) fn add_to_small(&mut self, member: Element<'_>, limits: &Limits) -> bool {
        match self {
            Self::Integers(ints) => match member.integer() {
                Some(int) => {
                    let is_new = ints.insert(int);
                    if ints.len() > limits.integers_len_max {
                        self.become_table(limits);
                    }
                    return is_new;
                }
                None => self.leave_integers(member, limits),
            },
            Self::Listing(list) => {
                let (known, fits) = member.with_text(|text| {
                    (find(list, text).is_some(), limits.allows(list, text.len()))
                });
                if known {
                    return false;
                }
                if !fits {
                    self.become_table(limits);
                }
            }
            Self::Table(_) => {}
        }
        match self {
            Self::Integers(_) => unreachable!("left above"),
            Self::Listing(list) => list.push_back(member),
            Self::Table(table) => member.with_text(|text| insert_new(table, text)),
        }
        true
    }

    /// Turns integers into a form that takes `member`, which is none.
    fn leave_integers(&mut self, member: Element<'_>, limits: &Limits) {
        let Self::Integers(ints) = self else { return };
        let ends = [ints.get(0), ints.iter().next_back()];
        let longest = ends.into_iter().flatten().map(num::digits_signed).max().unwrap_or(0);
        let text_len = member.with_text(<[u8]>::len);
        let fits = ints.len() < limits.listing_len_max
            && longest.max(text_len) <= limits.member_bytes_max
            && Listpack::new().is_safe_to_add(ints.len() * longest + text_len);
        if fits {
            let elements: Vec<Element<'_>> = ints.iter().map(Element::Integer).collect();
            let mut list = Listpack::new();
            list.push_back_all(&elements);
            *self = Self::Listing(list);
        } else {
            self.become_table(limits);
        }
    }

    /// Moves all members to a table.
    fn become_table(&mut self, limits: &Limits) {
        let mut table = Dict::new(limits.hash_key);
        for member in self.view() {
            member.with_text(|text| insert_new(&mut table, text));
        }
        *self = Self::Table(Box::new(table));
    }

    /// Goes back to integers if all members are, and not too many: what SINTERSTORE does to a result
    /// that began as something else.
    pub fn become_integers_if_all_are(&mut self, limits: &Limits) {
        let view = self.view();
        if matches!(self, Self::Integers(_)) || view.len() > limits.integers_len_max {
            return;
        }
        let ints: Option<IntSet> = view.iter().map(|member| member.integer()).collect();
        if let Some(ints) = ints {
            *self = Self::Integers(ints);
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}
