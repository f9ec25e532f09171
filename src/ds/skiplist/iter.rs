//! Walking the list from a place on, in either direction.

use super::list::{Direction, List, Place, member_of};
use super::node::{Ptr, prefetch};

/// Members ahead that are prefetched: about as many as one wait for memory is long.
const AHEAD: usize = 8;

/// Some members with their scores, neighbours in the order of the set.
pub struct Iter<'a> {
    list: &'a List,
    node: Option<Ptr>,
    /// Forward: the next entry. Backward: the one behind the next.
    index: usize,
    left: usize,
    direction: Direction,
}

impl<'a> Iter<'a> {
    /// The `count` entries from `place` on; backward, those before it.
    ///
    /// # Safety
    /// The items of the list live for `'a`.
    pub(super) unsafe fn new(
        list: &'a List,
        place: Place,
        count: usize,
        direction: Direction,
    ) -> Iter<'a> {
        let iter = Iter { list, node: place.node, index: place.index, left: count, direction };
        for distance in 0..AHEAD.min(count) {
            iter.prefetch(distance);
        }
        iter
    }

    /// Starts loading the member so many entries on, if it is in the same node.
    #[inline]
    fn prefetch(&self, distance: usize) {
        let Some(node) = self.node else { return };
        let index = match self.direction {
            Direction::Forward => self.index.checked_add(distance),
            Direction::Backward => self.index.checked_sub(distance + 1),
        };
        if let Some(item) = index.and_then(|index| self.list.node(node).items().get(index)) {
            prefetch(item.as_ptr());
        }
    }

    /// Goes to the neighbouring node when this one is exhausted.
    #[inline]
    fn turn(&mut self) {
        let Some(node) = self.node else { return };
        let exhausted = match self.direction {
            Direction::Forward => self.index == self.list.node(node).len(),
            Direction::Backward => self.index == 0,
        };
        if !exhausted {
            return;
        }
        (self.node, self.index) = match self.direction {
            Direction::Forward => (self.list.next(node), 0),
            Direction::Backward => {
                let before = self.list.node(node).previous();
                (before, before.map_or(0, |before| self.list.node(before).len()))
            }
        };
        for distance in 0..AHEAD.min(self.left) {
            self.prefetch(distance);
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        if self.left == 0 {
            return None;
        }
        self.turn();
        let node = self.list.node(self.node?);
        self.left -= 1;
        self.prefetch(AHEAD);
        let index = match self.direction {
            Direction::Forward => {
                self.index += 1;
                self.index - 1
            }
            Direction::Backward => {
                self.index -= 1;
                self.index
            }
        };
        // SAFETY: an item of the list; they live for `'a`, said the caller of `new`.
        let member = unsafe { member_of(node.items()[index]) };
        Some((member, node.scores()[index]))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
