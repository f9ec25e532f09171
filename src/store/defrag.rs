//! Defragmentation: a walk over all databases that moves what lies badly in memory.
//!
//! The walk goes from bucket to bucket as SCAN does, so that what happens between two slices does it no
//! harm. Values of many elements are put off and then moved in steps of their own.

use super::{Db, Keyspace};
use crate::ds::relocate::Relocator;
use crate::value::{self, Cursor};

/// Steps between two looks at the clock.
const STEPS_PER_LOOK: usize = 4;
/// Values of more elements than this are moved in steps, whatever the configuration says: those of one
/// bucket are moved in one.
const ELEMENTS_AT_ONCE_MAX: usize = 128;

/// A value that is being moved in steps.
#[derive(Debug)]
struct Large {
    db: usize,
    key: Box<[u8]>,
    cursor: Cursor,
}

/// Where the walk is.
#[derive(Debug, Default)]
pub(super) struct Walk {
    db: usize,
    cursor: u64,
    large: Vec<Large>,
}

/// What a slice of the walk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Keys of which something was moved.
    pub moved_keys: u64,
    /// Keys of which nothing was.
    pub unmoved_keys: u64,
    /// Whether the walk has come to its end.
    pub is_complete: bool,
}

impl Keyspace {
    /// Goes on with the walk until `out_of_time` says so, or to its end. Values of more than
    /// `elements_at_once` elements are moved in steps.
    pub fn defragment(
        &mut self,
        to: &mut dyn Relocator,
        elements_at_once: usize,
        mut out_of_time: impl FnMut() -> bool,
    ) -> Slice {
        let mut slice = Slice::default();
        let most = elements_at_once.min(ELEMENTS_AT_ONCE_MAX);
        loop {
            for _ in 0..STEPS_PER_LOOK {
                if let Some(large) = self.walk.large.pop() {
                    self.move_large(large, to);
                } else if !self.move_bucket(to, most, &mut slice) {
                    self.walk = Walk::default();
                    slice.is_complete = true;
                    return slice;
                }
            }
            if out_of_time() {
                return slice;
            }
        }
    }

    /// Lets the next walk begin anew.
    pub fn stop_defragmenting(&mut self) {
        self.walk = Walk::default();
    }

    /// Moves one bucket of a database; false if there is none left.
    fn move_bucket(&mut self, to: &mut dyn Relocator, most: usize, slice: &mut Slice) -> bool {
        let Self { dbs, walk, .. } = self;
        let Walk { db, cursor, large } = walk;
        let Some(Db { dict, .. }) = dbs.get_mut(*db) else { return false };
        if *cursor == 0 {
            dict.relocate_table(to);
        }
        *cursor = dict.relocate_bucket(*cursor, to, |entry, to| {
            let before = to.moved();
            entry.relocate(to);
            if value::free_effort(entry) > most {
                large.push(Large { db: *db, key: entry.key().into(), cursor: Cursor::Start });
            } else if let Some(mut payload) = entry.payload_mut() {
                let mut cursor = Cursor::Start;
                while let Some(next) = value::relocate(&mut payload, cursor, to) {
                    cursor = next;
                }
            }
            let has_moved = to.moved() != before;
            slice.moved_keys += u64::from(has_moved);
            slice.unmoved_keys += u64::from(!has_moved);
        });
        if *cursor == 0 {
            *db += 1;
        }
        true
    }

    /// Moves some elements of a value, if it is still there, and puts it back for more.
    fn move_large(&mut self, large: Large, to: &mut dyn Relocator) {
        let hash = self.key(&large.key).hash;
        let Self { dbs, walk, .. } = self;
        let Some(mut slot) = dbs[large.db].dict.find_mut(hash, &large.key) else { return };
        let mut entry = slot.get_mut();
        let Some(mut payload) = entry.payload_mut() else { return };
        if let Some(cursor) = value::relocate(&mut payload, large.cursor, to) {
            walk.large.push(Large { cursor, ..large });
        }
    }
}
