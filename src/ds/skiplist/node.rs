//! One node of the list: several entries side by side, and a tower of links.
//!
//! ```text
//! header      previous node, number of entries, room for entries, height of the tower
//! links       [Link; height], the lowest first
//! scores      [f64; capacity], the first `len` in use
//! items       [Raw; capacity], the first `len` in use
//! ```
//! Scores stand together, so that a node is searched without visiting members, and a link repeats the
//! first score of the node it leads to, so that most nodes that a search does not enter are not even
//! read. A node fills one size class of the allocator, whatever its height.

use crate::base::num;
use crate::ds::relocate::Relocator;
use std::alloc::{self, Layout};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::{self, NonNull};

/// The address of an item that the dict owns.
pub(super) type Raw = NonNull<u8>;

/// Bytes of a full-sized node, a size class of the allocator.
pub(super) const NODE_BYTES: usize = 1024;
/// Bytes of a line of the processor's cache.
const CACHE_LINE: usize = 64;
/// The highest tower; with a quarter of the nodes on each next level, enough for any memory.
pub(super) const HEIGHT_MAX: usize = 16;

/// The address of a node. Whoever turns one into a view must know that the node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Ptr(NonNull<Header>);

#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    previous: Option<Ptr>,
    len: u16,
    capacity: u16,
    height: u8,
}

/// One level of a tower.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Link {
    /// The next node that is at least this high.
    pub(super) next: Option<Ptr>,
    /// That node's first score; 0 without one.
    pub(super) score: f64,
    /// Entries from the beginning of this node to the beginning of the next, or to the end.
    pub(super) span: usize,
}

impl Link {
    pub(super) const END: Link = Link { next: None, score: 0.0, span: 0 };
}

const LINKS_AT: usize = size_of::<Header>();
const ENTRY_LEN: usize = size_of::<f64>() + size_of::<Raw>();
const _: () = assert!(LINKS_AT == 16 && size_of::<Link>() == 24 && ENTRY_LEN == 16);
const _: () = assert!(capacity_of(HEIGHT_MAX) >= 32 && capacity_of(1) < 1 << 16);

/// Entries that a full-sized node of this height has room for.
pub(super) const fn capacity_of(height: usize) -> usize {
    (NODE_BYTES - LINKS_AT - height * size_of::<Link>()) / ENTRY_LEN
}

fn layout(height: usize, capacity: usize) -> Layout {
    let size = LINKS_AT + height * size_of::<Link>() + capacity * ENTRY_LEN;
    Layout::from_size_align(size, align_of::<Header>()).expect("a node is small")
}

impl Ptr {
    /// A new node without entries, whose links lead nowhere, and its size in bytes.
    pub(super) fn allocate(height: usize, capacity: usize) -> (Ptr, usize) {
        let layout = layout(height, capacity);
        // SAFETY: there is a header, so the size is not zero.
        let pointer = unsafe { alloc::alloc(layout) };
        let start = NonNull::new(pointer).unwrap_or_else(|| alloc::handle_alloc_error(layout));
        let header = Header {
            previous: None,
            len: 0,
            capacity: num::u16_of(capacity, "asserted above"),
            height: num::u8_of(height, "at most HEIGHT_MAX"),
        };
        let node = Ptr(start.cast());
        // SAFETY: the allocation begins with an aligned header.
        unsafe { node.0.write(header) };
        for level in 0..height {
            // SAFETY: the layout has `height` links there.
            let link = unsafe { start.add(LINKS_AT).cast::<Link>().add(level) };
            // SAFETY: as above, aligned since all parts are multiples of eight.
            unsafe { link.write(Link::END) };
        }
        (node, layout.size())
    }

    /// Frees the node and returns its size in bytes.
    ///
    /// # Safety
    /// The node lives, and nothing refers to it any more.
    pub(super) unsafe fn free(self) -> usize {
        // SAFETY: the node lives, says the caller.
        let header = unsafe { self.0.read() };
        let layout = layout(usize::from(header.height), usize::from(header.capacity));
        // SAFETY: allocated with this layout; height and capacity never change.
        unsafe { alloc::dealloc(self.0.as_ptr().cast(), layout) };
        layout.size()
    }

    /// Whether the node should be moved.
    ///
    /// # Safety
    /// The node lives.
    pub(super) unsafe fn is_worth_moving(self, to: &mut dyn Relocator) -> bool {
        // SAFETY: the node lives, says the caller.
        let header = unsafe { self.0.read() };
        let layout = layout(usize::from(header.height), usize::from(header.capacity));
        to.is_worth_moving(self.0.cast(), layout)
    }

    /// Moves the node and returns its new address.
    ///
    /// # Safety
    /// The node lives, and its old address is not used any more: the caller replaces it wherever it is
    /// kept.
    pub(super) unsafe fn relocate(self, to: &mut dyn Relocator) -> Ptr {
        // SAFETY: the node lives, says the caller.
        let header = unsafe { self.0.read() };
        let layout = layout(usize::from(header.height), usize::from(header.capacity));
        // SAFETY: allocated with this layout; the rest is our own contract.
        Ptr(unsafe { to.relocate(self.0.cast(), layout) }.cast())
    }

    /// Starts loading the node's header, first links and scores.
    #[inline]
    pub(super) fn prefetch(self) {
        prefetch(self.0.as_ptr().cast());
    }

    /// Starts loading all of a full-sized node but its first line, which the search has just read.
    #[inline]
    pub(super) fn prefetch_all(self) {
        let start: *const u8 = self.0.as_ptr().cast();
        for line in 1..NODE_BYTES / CACHE_LINE {
            prefetch(start.wrapping_add(line * CACHE_LINE));
        }
    }

    /// The node, to read.
    ///
    /// # Safety
    /// The node lives and is not changed for `'a`.
    #[inline]
    pub(super) unsafe fn view<'a>(self) -> NodeRef<'a> {
        NodeRef { start: self.0, list: PhantomData }
    }

    /// The node, to change.
    ///
    /// # Safety
    /// The node lives and nothing else looks at it for `'a`.
    #[inline]
    pub(super) unsafe fn view_mut<'a>(self) -> NodeMut<'a> {
        NodeMut { start: self.0, list: PhantomData }
    }
}

/// Starts loading the cache line at `address`, which may be any.
#[inline]
pub(super) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it does not access memory.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// A node that is not changed for `'a`.
#[derive(Clone, Copy)]
pub(super) struct NodeRef<'a> {
    start: NonNull<Header>,
    list: PhantomData<&'a Header>,
}

impl<'a> NodeRef<'a> {
    #[inline]
    fn header(self) -> Header {
        // SAFETY: the node lives and is not changed, said the caller of `view`.
        unsafe { self.start.read() }
    }

    /// Entries.
    #[inline]
    pub(super) fn len(self) -> usize {
        usize::from(self.header().len)
    }

    /// Whether another entry fits.
    #[inline]
    pub(super) fn is_full(self) -> bool {
        self.header().len == self.header().capacity
    }

    /// Entries that the node has room for.
    #[inline]
    pub(super) fn capacity(self) -> usize {
        usize::from(self.header().capacity)
    }

    /// Levels of the tower.
    #[inline]
    pub(super) fn height(self) -> usize {
        usize::from(self.header().height)
    }

    /// The node before.
    #[inline]
    pub(super) fn previous(self) -> Option<Ptr> {
        self.header().previous
    }

    #[inline]
    fn at(self, offset: usize) -> NonNull<u8> {
        // SAFETY: every caller passes the offset of a part that the node has.
        unsafe { self.start.cast::<u8>().add(offset) }
    }

    #[inline]
    fn scores_at(self) -> usize {
        LINKS_AT + self.height() * size_of::<Link>()
    }

    /// The tower.
    #[inline]
    pub(super) fn links(self) -> &'a [Link] {
        let links = self.at(LINKS_AT).cast::<Link>();
        // SAFETY: `allocate` wrote `height` links there.
        unsafe { std::slice::from_raw_parts(links.as_ptr(), self.height()) }
    }

    /// The entries' scores, ascending.
    #[inline]
    pub(super) fn scores(self) -> &'a [f64] {
        let scores = self.at(self.scores_at()).cast::<f64>();
        // SAFETY: the first `len` scores are written.
        unsafe { std::slice::from_raw_parts(scores.as_ptr(), self.len()) }
    }

    /// The entries' items.
    #[inline]
    pub(super) fn items(self) -> &'a [Raw] {
        let items = self.at(self.scores_at() + self.capacity() * size_of::<f64>()).cast::<Raw>();
        // SAFETY: the first `len` items are written.
        unsafe { std::slice::from_raw_parts(items.as_ptr(), self.len()) }
    }
}

/// A node that is changed.
pub(super) struct NodeMut<'a> {
    start: NonNull<Header>,
    list: PhantomData<&'a mut Header>,
}

impl<'a> NodeMut<'a> {
    /// The node, to read.
    #[inline]
    pub(super) fn view(&self) -> NodeRef<'_> {
        NodeRef { start: self.start, list: PhantomData }
    }

    #[inline]
    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: the node lives and is ours alone, said the caller of `view_mut`.
        unsafe { self.start.as_mut() }
    }

    pub(super) fn set_previous(&mut self, previous: Option<Ptr>) {
        self.header_mut().previous = previous;
    }

    /// One link of the tower.
    #[inline]
    pub(super) fn into_link(self, level: usize) -> &'a mut Link {
        assert!(level < self.view().height());
        let links = self.view().at(LINKS_AT).cast::<Link>();
        // SAFETY: there are `height` links, and the node is ours alone for `'a`.
        let mut link = unsafe { links.add(level) };
        // SAFETY: as above.
        unsafe { link.as_mut() }
    }

    /// Where scores and items begin.
    #[inline]
    fn columns(&mut self) -> (*mut f64, *mut Raw) {
        let node = self.view();
        let scores = node.at(node.scores_at()).cast::<f64>().as_ptr();
        (scores, scores.wrapping_add(node.capacity()).cast())
    }

    #[inline]
    fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.view().capacity());
        self.header_mut().len = num::low_u16(num::u64_of(len));
    }

    /// Sets the score of an entry.
    #[inline]
    pub(super) fn set_score(&mut self, index: usize, score: f64) {
        assert!(index < self.view().len());
        let (scores, _) = self.columns();
        // SAFETY: the entry exists.
        unsafe { scores.add(index).write(score) };
    }

    /// Replaces the address of an entry's item.
    pub(super) fn set_item(&mut self, index: usize, item: Raw) {
        assert!(index < self.view().len());
        let (_, items) = self.columns();
        // SAFETY: the entry exists.
        unsafe { items.add(index).write(item) };
    }

    /// Adds an entry before the one at `index`. There must be room.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, score: f64, item: Raw) {
        let len = self.view().len();
        assert!(index <= len && !self.view().is_full());
        let (scores, items) = self.columns();
        // SAFETY: `len + 1` entries fit, so each column may move up by one behind `index`.
        unsafe { ptr::copy(scores.add(index), scores.add(index + 1), len - index) };
        // SAFETY: as above.
        unsafe { ptr::copy(items.add(index), items.add(index + 1), len - index) };
        // SAFETY: `index <= len` is within the columns.
        unsafe { scores.add(index).write(score) };
        // SAFETY: as above.
        unsafe { items.add(index).write(item) };
        self.set_len(len + 1);
    }

    /// Takes entries out.
    #[inline]
    pub(super) fn remove(&mut self, range: Range<usize>) {
        let len = self.view().len();
        assert!(range.start <= range.end && range.end <= len);
        let (scores, items) = self.columns();
        let rest = len - range.end;
        // SAFETY: both ranges are within the `len` entries there are.
        unsafe { ptr::copy(scores.add(range.end), scores.add(range.start), rest) };
        // SAFETY: as above.
        unsafe { ptr::copy(items.add(range.end), items.add(range.start), rest) };
        self.set_len(range.start + rest);
    }

    /// Moves an entry to another index with another score; those in between make room.
    pub(super) fn relocate(&mut self, from: usize, to: usize, score: f64) {
        let item = self.view().items()[from];
        self.remove(from..from + 1);
        self.insert(to, score, item);
    }

    /// Moves the last `count` entries to the front of `next`, which must have room for them.
    pub(super) fn give(&mut self, next: &mut NodeMut<'_>, count: usize) {
        let (len, others) = (self.view().len(), next.view().len());
        assert!(count <= len && others + count <= next.view().capacity());
        let (scores, items) = self.columns();
        let (next_scores, next_items) = next.columns();
        // SAFETY: `next` has room for `others + count` entries.
        unsafe { ptr::copy(next_scores, next_scores.add(count), others) };
        // SAFETY: as above.
        unsafe { ptr::copy(next_items, next_items.add(count), others) };
        // SAFETY: the last `count` of our entries exist, and two nodes do not overlap.
        unsafe { ptr::copy_nonoverlapping(scores.add(len - count), next_scores, count) };
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(items.add(len - count), next_items, count) };
        self.set_len(len - count);
        next.set_len(others + count);
    }

    /// Moves the first `count` entries of `next` to the end of this node, which must have room.
    pub(super) fn take(&mut self, next: &mut NodeMut<'_>, count: usize) {
        let (len, others) = (self.view().len(), next.view().len());
        assert!(count <= others && len + count <= self.view().capacity());
        let (scores, items) = self.columns();
        let (next_scores, next_items) = next.columns();
        // SAFETY: we have room for `len + count` entries, `next` has `count`; they do not overlap.
        unsafe { ptr::copy_nonoverlapping(next_scores, scores.add(len), count) };
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(next_items, items.add(len), count) };
        self.set_len(len + count);
        next.remove(0..count);
    }
}
