//! Lists: one listpack while that belongs in one node, then a quicklist.
//!
//! Facts of Redis 7.2 and later: a list grows into a quicklist before elements are added that would
//! make it exceed `list-max-listpack-size`, all those of a command taken together; it goes back once
//! elements were removed, if one node is left that takes at most half of that.
#![expect(
    unsafe_code,
    reason = "thin_payload! expands to the packing of List; none is written here"
)]

use super::{Collection, Entry, Heap, HeapRef, ValueRef};
use crate::base::num;
use crate::ds::entry::thin_payload;
use crate::ds::listpack::{Element, Listpack, Needle};
use crate::ds::quicklist::{self, Quicklist};
use std::ops::ControlFlow;

pub use quicklist::{Direction, End, Fill, Shape};

thin_payload! {
    /// A list.
    List, ListRef {
        /// A short one.
        Packed(Listpack) = 3,
        /// A long one.
        Linked(Box<Quicklist>) = 4,
    }
}

impl Collection for List {
    #[inline]
    fn of_mut(value: &mut Heap) -> Option<&mut Self> {
        if let Heap::List(list) = value { Some(list) } else { None }
    }

    #[inline]
    fn into_heap(self) -> Heap {
        Heap::List(self)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        match self {
            Self::Packed(listpack) => listpack.is_empty(),
            Self::Linked(quicklist) => quicklist.is_empty(),
        }
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::Packed(Listpack::new())
    }

    /// The list that these nodes are, in the encoding that a list of them begins with.
    #[must_use]
    pub fn of_nodes(mut nodes: Quicklist) -> Self {
        let fill = nodes.shape().fill;
        if let Some((bytes, count)) = nodes.single_packed()
            && !fill.is_exceeded(bytes, count)
            && let Some(listpack) = nodes.take_packed()
        {
            return Self::Packed(listpack);
        }
        Self::Linked(Box::new(nodes))
    }

    /// To be read.
    #[inline]
    #[must_use]
    pub fn view(&self) -> ListRef<'_> {
        match self {
            Self::Packed(listpack) => ListRef::Packed(listpack),
            Self::Linked(quicklist) => ListRef::Linked(quicklist),
        }
    }

    /// Chooses the encoding before elements are added.
    #[inline]
    pub fn prepare<'a>(&mut self, added: impl ExactSizeIterator<Item = &'a [u8]>, shape: Shape) {
        match self {
            Self::Packed(listpack) => {
                let count = listpack.len() + added.len();
                let bytes = listpack.bytes() + added.map(<[u8]>::len).sum::<usize>();
                if shape.fill.is_exceeded(bytes, count) {
                    let listpack = std::mem::take(listpack);
                    *self = Self::Linked(Box::new(Quicklist::of_packed(listpack, shape)));
                }
            }
            Self::Linked(quicklist) => quicklist.set_plain_from(shape.fill.plain_from),
        }
    }

    /// Chooses the encoding after elements were removed or replaced.
    #[inline]
    pub fn settle(&mut self, shape: Shape) {
        let Self::Linked(quicklist) = self else { return };
        if let Some((bytes, count)) = quicklist.single_packed()
            && !shape.fill.is_half_exceeded(bytes, count)
            && let Some(listpack) = quicklist.take_packed()
        {
            *self = Self::Packed(listpack);
        }
    }

    /// Puts an element at an end; [`List::prepare`] was told of it.
    #[inline]
    pub fn push(&mut self, end: End, text: &[u8]) {
        match (self, end) {
            (Self::Packed(listpack), End::Front) => listpack.push_front(text),
            (Self::Packed(listpack), End::Back) => listpack.push_back(text),
            (Self::Linked(quicklist), end) => quicklist.push(end, text),
        }
    }

    /// Removes the element at an end, giving what `f` makes of it.
    #[inline]
    pub fn pop<R>(&mut self, end: End, f: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        match self {
            Self::Packed(listpack) => {
                let at = match end {
                    End::Front => listpack.first(),
                    End::Back => listpack.last(),
                }?;
                let result = f(listpack.get(at));
                listpack.delete(at);
                Some(result)
            }
            Self::Linked(quicklist) => quicklist.pop(end, f),
        }
    }

    /// Puts an element at `index`, in front of the one that is there; at the back if `index` is the
    /// length. [`List::prepare`] was told of it.
    pub fn insert(&mut self, index: usize, text: &[u8]) {
        match self {
            Self::Packed(listpack) => match listpack.seek(num::i64_of(index)) {
                Some(at) => {
                    listpack.insert_before(at, text);
                }
                None => listpack.push_back(text),
            },
            Self::Linked(quicklist) => quicklist.insert(index, text),
        }
    }

    /// Puts another element at the place of the one at `index`, which there must be.
    /// [`List::prepare`] was told of it.
    pub fn replace(&mut self, index: usize, text: &[u8]) {
        match self {
            Self::Packed(listpack) => {
                let at = listpack.seek(num::i64_of(index)).expect("an index in the list");
                listpack.replace(at, text);
            }
            Self::Linked(quicklist) => quicklist.replace(index, text),
        }
    }

    /// Removes up to `count` elements from the one at `index` on; gives how many there were.
    pub fn delete_range(&mut self, index: usize, count: usize) -> usize {
        match self {
            Self::Packed(listpack) => listpack.delete_range(num::i64_of(index), count),
            Self::Linked(quicklist) => quicklist.delete_range(index, count),
        }
    }

    /// Removes up to `limit` elements of this text, the first or the last ones; gives how many.
    pub fn remove_matching(&mut self, text: &[u8], limit: usize, direction: Direction) -> usize {
        match self {
            Self::Packed(listpack) => {
                let needle = Needle::new(text);
                quicklist::remove_from_packed(listpack, &needle, limit, direction)
            }
            Self::Linked(quicklist) => quicklist.remove_matching(text, limit, direction),
        }
    }
}

impl<'a> ListRef<'a> {
    /// The list that a value is; `None` if it is of another type.
    #[inline]
    #[must_use]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        if let ValueRef::Payload(HeapRef::List(list)) = entry.value() { Some(list) } else { None }
    }

    /// Number of elements.
    #[inline]
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Packed(listpack) => listpack.len(),
            Self::Linked(quicklist) => quicklist.len(),
        }
    }

    /// Whether there are none; no key has such a list.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What `f` makes of the element at `index`.
    pub fn with<R>(self, index: usize, f: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        match self {
            Self::Packed(listpack) => {
                let at = listpack.seek(num::i64_of(index))?;
                Some(f(listpack.get(at)))
            }
            Self::Linked(quicklist) => quicklist.with(index, f),
        }
    }

    /// Shows `f` the elements from the one at `index` on, until it breaks.
    #[inline]
    pub fn visit(
        self,
        index: usize,
        direction: Direction,
        mut f: impl FnMut(Element<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self {
            Self::Packed(listpack) => quicklist::visit_packed(listpack, index, direction, &mut f),
            Self::Linked(quicklist) => quicklist.visit(index, direction, f),
        }
    }

    /// Shows `f` up to `count` elements from the one at `index` on.
    #[inline]
    pub fn for_each(
        self,
        index: usize,
        count: usize,
        direction: Direction,
        mut f: impl FnMut(Element<'_>),
    ) {
        let mut left = count;
        if left == 0 {
            return;
        }
        let _is_cut_short = self.visit(index, direction, |element| {
            f(element);
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }

    /// The index of the first element of this text.
    #[must_use]
    pub fn position(self, text: &[u8]) -> Option<usize> {
        let needle = Needle::new(text);
        let mut index = 0;
        let flow = self.visit(0, Direction::Forward, |element| {
            if needle.is(element) {
                return ControlFlow::Break(());
            }
            index += 1;
            ControlFlow::Continue(())
        });
        flow.is_break().then_some(index)
    }

    /// The encoding's name, as OBJECT ENCODING prints it.
    #[must_use]
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Self::Packed(_) => "listpack",
            Self::Linked(_) => "quicklist",
        }
    }

    /// Bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(self) -> usize {
        match self {
            Self::Packed(listpack) => listpack.allocated_bytes(),
            Self::Linked(quicklist) => quicklist.memory_bytes(),
        }
    }

    /// As [`ListRef::memory_bytes`], estimated from some nodes.
    #[must_use]
    pub fn estimated_bytes(self, samples: usize) -> usize {
        match self {
            Self::Packed(listpack) => listpack.allocated_bytes(),
            Self::Linked(quicklist) => quicklist.estimated_bytes(samples),
        }
    }

    /// Steps that freeing it takes.
    #[must_use]
    pub fn free_effort(self) -> usize {
        match self {
            Self::Packed(_) => 1,
            Self::Linked(quicklist) => quicklist.node_count(),
        }
    }

    /// A deep copy.
    #[must_use]
    pub fn duplicate(self) -> List {
        match self {
            Self::Packed(listpack) => List::Packed(listpack.clone()),
            Self::Linked(quicklist) => List::Linked(Box::new(quicklist.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(size: i32) -> Shape {
        Shape { fill: Fill::of_directive(size), depth: 0 }
    }

    fn with(texts: &[&[u8]], shape: Shape) -> List {
        let mut list = List::new();
        for text in texts {
            list.prepare([*text].into_iter(), shape);
            list.push(End::Back, text);
        }
        list
    }

    fn texts(list: &List) -> Vec<Vec<u8>> {
        let mut texts = Vec::new();
        let count = list.view().len();
        list.view().for_each(0, count, Direction::Forward, |element| texts.push(element.to_vec()));
        texts
    }

    #[test]
    fn a_list_grows_before_and_shrinks_after() {
        let mut list = with(&[b"a", b"b", b"c", b"d"], shape(4));
        assert_eq!(list.view().encoding_name(), "listpack");
        list.prepare([&b"e"[..]].into_iter(), shape(4));
        assert_eq!(list.view().encoding_name(), "quicklist");
        list.push(End::Back, b"e");
        list.pop(End::Front, |element| assert!(element.is(b"a")));
        list.settle(shape(4));
        assert_eq!(list.view().encoding_name(), "quicklist", "two nodes");
        list.delete_range(3, 1);
        list.settle(shape(4));
        assert_eq!(list.view().encoding_name(), "quicklist", "three elements are more than half");
        list.delete_range(0, 1);
        list.settle(shape(4));
        assert_eq!(
            (list.view().encoding_name(), texts(&list)),
            ("listpack", vec![b"c".into(), b"d".into()])
        );
    }

    #[test]
    fn one_node_that_is_not_too_large_becomes_a_listpack() {
        let packed = || {
            let mut listpack = Listpack::new();
            listpack.push_back(b"a");
            listpack.push_back(b"b");
            listpack
        };
        let of = |size: i32, listpacks: usize| {
            let mut nodes = Quicklist::new(shape(size));
            (0..listpacks).for_each(|_| nodes.append_packed(packed()));
            let list = List::of_nodes(nodes);
            (list.view().encoding_name(), list.view().len())
        };
        assert_eq!([of(2, 1), of(1, 1)], [("listpack", 2), ("quicklist", 2)]);
        assert_eq!([of(-2, 1), of(-2, 2)], [("listpack", 2), ("quicklist", 4)]);
        let mut nodes = Quicklist::new(shape(-2));
        nodes.append_plain(b"alone");
        assert_eq!(List::of_nodes(nodes).view().encoding_name(), "quicklist");
    }

    #[test]
    fn both_encodings_do_the_same() {
        for size in [-2, 2] {
            let mut list = with(&[b"a", b"b", b"c", b"b", b"d"], shape(size));
            assert_eq!(list.view().position(b"b"), Some(1));
            assert_eq!(list.view().position(b"x"), None);
            assert_eq!(list.view().with(2, |element| element.to_vec()), Some(b"c".to_vec()));
            assert_eq!(list.view().with(5, |element| element.to_vec()), None);
            list.insert(5, b"last");
            list.insert(1, b"17");
            list.replace(0, b"first");
            assert_eq!(list.remove_matching(b"b", 1, Direction::Backward), 1);
            assert_eq!(list.delete_range(5, 9), 1);
            assert_eq!(texts(&list), [&b"first"[..], b"17", b"b", b"c", b"d"]);
            assert_eq!(texts(&list.view().duplicate()), texts(&list));
            let mut backward = Vec::new();
            list.view().for_each(2, 2, Direction::Backward, |e| backward.push(e.to_vec()));
            assert_eq!(backward, [&b"b"[..], b"17"]);
            while list.pop(End::Back, |_| ()).is_some() {}
            assert!(list.is_empty());
        }
    }
}
