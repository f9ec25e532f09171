//! Moving what a dict has allocated, bucket by bucket.

use super::bucket::Place;
use super::{Dict, Item, Slot};
use crate::ds::relocate::{Relocator, boxed};

impl<T: Item> Dict<T> {
    /// Moves the child buckets of one bucket, hands its items to `f` to be moved, and returns the cursor
    /// of the next bucket; 0 starts, and 0 is the end. O(1).
    ///
    /// `f` must leave the items' keys as they are. As with [`Dict::scan`] every item is met that stays
    /// from the first call to the last.
    pub fn relocate_bucket(
        &mut self,
        cursor: u64,
        to: &mut dyn Relocator,
        mut f: impl FnMut(&mut T, &mut dyn Relocator),
    ) -> u64 {
        let Some(home) = self.segments.home(cursor) else { return 0 };
        let next = (cursor | !home.mask).reverse_bits().wrapping_add(1).reverse_bits();
        if let Some(ahead) = self.segments.home(next) {
            self.prefetch_items_of(ahead.index);
        }
        let mut at = home.head;
        loop {
            // SAFETY: a bucket of ours or a child of one, and `self` is borrowed exclusively; the
            // reference ends before the items are looked at.
            let slots = unsafe { at.as_ref() }.taken();
            for slot in slots {
                let place = Place { bucket: at, slot };
                let mut slot = Slot { dict: self, home: home.index, place };
                f(&mut slot.get_mut(), to);
            }
            // SAFETY: as above.
            let bucket = unsafe { at.as_mut() };
            bucket.relocate_child(to);
            match bucket.child() {
                Some(child) => at = child,
                None => return next,
            }
        }
    }

    /// Moves what the table has allocated besides items and child buckets. O(segments).
    pub fn relocate_table(&mut self, to: &mut dyn Relocator) {
        self.segments.relocate(to);
        if let Some(marks) = &mut self.marks {
            boxed(marks, to);
            marks.relocate(to);
        }
    }
}
