//! One node: a listpack, one large element by itself, or either of them compressed.

use super::edit::remove_from_packed;
use super::{Direction, Fill};
use crate::base::num;
use crate::ds::listpack::{Element, Listpack, Needle};
use crate::ds::lzf;
use crate::ds::relocate::{self, Relocator};
use std::borrow::Cow;

/// Nodes of fewer bytes are not compressed.
const SQUEEZE_LEN_MIN: usize = 48;
/// Bytes that compression has to save.
const SQUEEZE_GAIN_MIN: usize = 9;
/// Bytes that an element is taken to need besides its text.
const OVERHEAD_ESTIMATE: usize = 8;

/// Some elements, at least one.
#[derive(Clone, Debug)]
pub(super) struct Node {
    body: Body,
    /// How many elements.
    pub(super) count: u32,
}

#[derive(Clone, Debug)]
enum Body {
    Packed(Listpack),
    Plain(Box<[u8]>),
    Squeezed(Box<Squeezed>),
}

const _: () = assert!(size_of::<Node>() == 32);

/// A compressed node.
#[derive(Clone, Debug)]
struct Squeezed {
    lzf: Box<[u8]>,
    raw_len: usize,
    form: Form,
}

/// What the bytes of a node are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Those of a listpack.
    Packed,
    /// Those of one element.
    Plain,
}

/// A node as it is kept, to be written to a file.
#[derive(Clone, Copy, Debug)]
pub struct NodeBytes<'a> {
    /// What the bytes are, once decompressed.
    pub form: Form,
    /// The bytes.
    pub bytes: &'a [u8],
    /// If the bytes are compressed by LZF: how many they were.
    pub inflated_len: Option<usize>,
}

/// A node's elements to be read.
pub(super) enum Opened<'a> {
    /// Several.
    Packed(Cow<'a, Listpack>),
    /// One.
    Plain(Cow<'a, [u8]>),
}

impl Squeezed {
    fn inflated(&self) -> Vec<u8> {
        lzf::decompress(&self.lzf, self.raw_len).expect("it was compressed here")
    }
}

impl Node {
    pub(super) fn packed(listpack: Listpack) -> Self {
        let count = num::u32_of(listpack.len(), "an element takes two bytes of 4 GiB");
        Self { body: Body::Packed(listpack), count }
    }

    pub(super) fn plain(text: &[u8]) -> Self {
        Self { body: Body::Plain(text.into()), count: 1 }
    }

    /// The node for one element.
    pub(super) fn of(text: &[u8], fill: Fill) -> Self {
        if fill.is_large(text.len()) {
            return Self::plain(text);
        }
        let mut listpack = Listpack::new();
        listpack.push_back(text);
        Self { body: Body::Packed(listpack), count: 1 }
    }

    /// Moves what the node has allocated.
    pub(super) fn relocate(&mut self, to: &mut dyn Relocator) {
        match &mut self.body {
            Body::Packed(listpack) => listpack.relocate(to),
            Body::Plain(bytes) => relocate::boxed_bytes(bytes, to),
            Body::Squeezed(squeezed) => {
                relocate::boxed(squeezed, to);
                relocate::boxed_bytes(&mut squeezed.lzf, to);
            }
        }
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        num::usize_of_u32(self.count)
    }

    /// Bytes of the listpack or of the element, uncompressed.
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Packed(listpack) => listpack.bytes(),
            Body::Plain(text) => text.len(),
            Body::Squeezed(squeezed) => squeezed.raw_len,
        }
    }

    /// The bytes as they are kept.
    pub(super) fn stored(&self) -> NodeBytes<'_> {
        match &self.body {
            Body::Packed(listpack) => {
                NodeBytes { form: Form::Packed, bytes: listpack.as_bytes(), inflated_len: None }
            }
            Body::Plain(text) => NodeBytes { form: Form::Plain, bytes: text, inflated_len: None },
            Body::Squeezed(squeezed) => NodeBytes {
                form: squeezed.form,
                bytes: &squeezed.lzf,
                inflated_len: Some(squeezed.raw_len),
            },
        }
    }

    /// Bytes asked of the allocator.
    pub(super) fn allocated_bytes(&self) -> usize {
        match &self.body {
            Body::Packed(listpack) => listpack.allocated_bytes(),
            Body::Plain(text) => text.len(),
            Body::Squeezed(squeezed) => size_of::<Squeezed>() + squeezed.lzf.len(),
        }
    }

    pub(super) fn is_packed(&self) -> bool {
        match &self.body {
            Body::Packed(_) => true,
            Body::Plain(_) => false,
            Body::Squeezed(squeezed) => squeezed.form == Form::Packed,
        }
    }

    pub(super) fn is_squeezed(&self) -> bool {
        match &self.body {
            Body::Packed(_) | Body::Plain(_) => false,
            Body::Squeezed(_) => true,
        }
    }

    /// Whether one more element of so many bytes belongs into this node.
    #[inline]
    pub(super) fn takes(&self, text_len: usize, fill: Fill) -> bool {
        self.is_packed()
            && !fill.is_large(text_len)
            && !fill.is_exceeded(self.bytes() + text_len + OVERHEAD_ESTIMATE, self.len() + 1)
    }

    /// Whether one element may be replaced by one of so many bytes.
    pub(super) fn takes_instead(&self, text_len: usize, old_len: usize, fill: Fill) -> bool {
        self.is_packed()
            && !fill.is_large(text_len)
            && !fill.is_exceeded(
                (self.bytes() + text_len + OVERHEAD_ESTIMATE).saturating_sub(old_len),
                self.len(),
            )
    }

    /// Whether this node and the next one may become one.
    pub(super) fn joins(&self, next: &Self, fill: Fill) -> bool {
        self.is_packed()
            && next.is_packed()
            && !fill.is_exceeded(self.bytes() + next.bytes(), self.len() + next.len())
    }

    /// The elements, decompressed if they have to be.
    #[inline]
    pub(super) fn open(&self) -> Opened<'_> {
        match &self.body {
            Body::Packed(listpack) => Opened::Packed(Cow::Borrowed(listpack)),
            Body::Plain(text) => Opened::Plain(Cow::Borrowed(text)),
            Body::Squeezed(squeezed) => match squeezed.form {
                Form::Packed => {
                    Opened::Packed(Cow::Owned(Listpack::of_own_bytes(&squeezed.inflated())))
                }
                Form::Plain => Opened::Plain(Cow::Owned(squeezed.inflated())),
            },
        }
    }

    /// The elements to be changed; `None` for one that stands alone. The caller keeps `count`.
    #[inline]
    pub(super) fn packed_mut(&mut self) -> Option<&mut Listpack> {
        self.inflate();
        match &mut self.body {
            Body::Packed(listpack) => Some(listpack),
            Body::Plain(_) => None,
            Body::Squeezed(_) => unreachable!("inflated above"),
        }
    }

    /// The elements of a node that is no longer needed; `None` for one that stands alone.
    pub(super) fn into_packed(mut self) -> Option<Listpack> {
        self.inflate();
        match self.body {
            Body::Packed(listpack) => Some(listpack),
            Body::Plain(_) => None,
            Body::Squeezed(_) => unreachable!("inflated above"),
        }
    }

    /// What `f` makes of the element at `offset`.
    pub(super) fn with<R>(&self, offset: usize, f: impl FnOnce(Element<'_>) -> R) -> R {
        match self.open() {
            Opened::Packed(listpack) => {
                let at = listpack.seek(num::i64_of(offset)).expect("an offset in the node");
                f(listpack.get(at))
            }
            Opened::Plain(text) => f(Element::Bytes(&text)),
        }
    }

    /// Removes elements, of which fewer than all.
    pub(super) fn delete(&mut self, offset: usize, count: usize) {
        let listpack = self.packed_mut().expect("it has several elements");
        let removed = listpack.delete_range(num::i64_of(offset), count);
        self.count -= num::u32_of(removed, "elements of this node");
    }

    /// Moves the elements from `offset` on, which is not the first, to a node of their own.
    pub(super) fn split_off(&mut self, offset: usize) -> Self {
        let listpack = self.packed_mut().expect("it has several elements");
        let at = listpack.seek(num::i64_of(offset)).expect("an offset in the node");
        let behind = listpack.split_off(at);
        let moved = self.count - num::u32_of(offset, "elements of this node");
        self.count -= moved;
        Self { body: Body::Packed(behind), count: moved }
    }

    /// Removes elements as the list's own function does; may leave the node empty. One without such
    /// elements stays as it is.
    pub(super) fn remove_matching(
        &mut self,
        needle: &Needle<'_>,
        limit: usize,
        direction: Direction,
    ) -> usize {
        let has_any = match self.open() {
            Opened::Packed(listpack) => listpack.iter().any(|element| needle.is(element)),
            Opened::Plain(text) => needle.is(Element::Bytes(&text)),
        };
        if !has_any {
            return 0;
        }
        let removed = match self.packed_mut() {
            Some(listpack) => remove_from_packed(listpack, needle, limit, direction),
            None => 1,
        };
        self.count -= num::u32_of(removed, "elements of this node");
        removed
    }

    /// Compresses the node, if that saves something.
    pub(super) fn squeeze(&mut self) {
        let (bytes, form) = match &self.body {
            Body::Packed(listpack) => (listpack.as_bytes(), Form::Packed),
            Body::Plain(text) => (&**text, Form::Plain),
            Body::Squeezed(_) => return,
        };
        // The crate that decompresses counts in 31 bits.
        if bytes.len() < SQUEEZE_LEN_MIN || i32::try_from(bytes.len()).is_err() {
            return;
        }
        if let Some(lzf) = lzf::compress(bytes, bytes.len() - SQUEEZE_GAIN_MIN) {
            let squeezed = Squeezed { lzf: lzf.into(), raw_len: bytes.len(), form };
            self.body = Body::Squeezed(Box::new(squeezed));
        }
    }

    /// Decompresses the node.
    #[inline]
    pub(super) fn inflate(&mut self) {
        let Body::Squeezed(squeezed) = &self.body else { return };
        let bytes = squeezed.inflated();
        self.body = match squeezed.form {
            Form::Packed => Body::Packed(Listpack::of_own_bytes(&bytes)),
            Form::Plain => Body::Plain(bytes.into()),
        };
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn check_invariants(&self) {
        let elements = match self.open() {
            Opened::Packed(listpack) => {
                listpack.check_invariants();
                listpack.len()
            }
            Opened::Plain(_) => 1,
        };
        assert_eq!(self.len(), elements);
        assert!(elements > 0);
    }
}
