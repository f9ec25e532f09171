//! Strings: integers, short ones inside the entry, long ones in a [`Text`].

use super::{Entry, Heap, HeapRef, NewValue, Text, ValueRef};
use crate::base::num;
use crate::ds::entry::EMBEDDED_LEN_MAX;
use crate::resp::Args;
use bytes::Bytes;

/// Longest string that OBJECT ENCODING calls `embstr`, bytes.
pub const EMBSTR_LEN_MAX: usize = 44;
/// Longest text that may be kept as an integer, bytes.
const INTEGER_LEN_MAX: usize = 20;

/// A string as it is kept.
#[derive(Clone, Copy, Debug)]
pub enum Str<'a> {
    /// An integer, to be printed.
    Integer(i64),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl<'a> Str<'a> {
    /// The string in an entry; `None` if the entry holds another type.
    #[inline]
    pub fn of(entry: &'a Entry) -> Option<Self> {
        match entry.value() {
            ValueRef::Integer(n) => Some(Self::Integer(n)),
            ValueRef::Embedded(bytes) => Some(Self::Bytes(bytes)),
            ValueRef::Payload(HeapRef::Text(text)) => Some(Self::Bytes(text.as_slice())),
            ValueRef::Payload(
                HeapRef::List(_)
                | HeapRef::Set(_)
                | HeapRef::Hash(_)
                | HeapRef::SortedSet(_)
                | HeapRef::Stream(_),
            ) => None,
        }
    }

    /// Its length in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Integer(n) => num::digits_signed(n),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Calls `f` with its bytes; an integer is printed for that.
    #[inline]
    pub fn with_bytes<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Integer(n) => f(itoa::Buffer::new().format(n).as_bytes()),
            Self::Bytes(bytes) => f(bytes),
        }
    }

    /// A copy of its bytes.
    pub fn to_vec(self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    /// The integer it is or spells out exactly.
    #[inline]
    pub fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(n) => Some(n),
            Self::Bytes(bytes) => num::parse_i64(bytes),
        }
    }
}

/// The form in which a new string is kept.
#[inline]
pub fn new_value(bytes: &[u8]) -> NewValue<'_, Heap> {
    if bytes.len() <= INTEGER_LEN_MAX
        && let Some(n) = num::parse_i64(bytes)
    {
        return NewValue::Integer(n);
    }
    if bytes.len() <= EMBEDDED_LEN_MAX {
        return NewValue::Embedded(bytes);
    }
    NewValue::Payload(Heap::Text(Box::new(Text::copied(bytes))))
}

/// As [`new_value`], for an argument: a long one that has its own buffer is taken over, not copied.
#[inline]
pub fn new_value_of_arg<'a>(args: &Args<'a>, index: usize) -> NewValue<'a, Heap> {
    match args.shared(index) {
        Some(bytes) => new_value_of_bytes(bytes),
        None => new_value(args.at(index)),
    }
}

fn new_value_of_bytes(bytes: &Bytes) -> NewValue<'_, Heap> {
    NewValue::Payload(Heap::Text(Box::new(Text::shared(bytes.clone()))))
}

/// The form in which text is kept that is never taken for an integer, whatever it spells.
pub fn plain_value(bytes: &[u8]) -> NewValue<'_, Heap> {
    if bytes.len() <= EMBEDDED_LEN_MAX {
        return NewValue::Embedded(bytes);
    }
    NewValue::Payload(Heap::Text(Box::new(Text::copied(bytes))))
}

/// The form in which a string is kept that was changed in place: as long as it is short it stays in
/// the entry, but it is reported as `raw` and never as an integer.
pub fn changed_value(bytes: &[u8]) -> NewValue<'_, Heap> {
    if bytes.len() <= EMBEDDED_LEN_MAX {
        return NewValue::EmbeddedRaw(bytes);
    }
    NewValue::Payload(Heap::Text(Box::new(Text::copied(bytes))))
}

/// As [`changed_value`], for bytes in a buffer: a long one is taken, not copied.
pub fn changed_value_of_vec(bytes: &mut Vec<u8>) -> NewValue<'_, Heap> {
    if bytes.len() <= EMBEDDED_LEN_MAX {
        return NewValue::EmbeddedRaw(bytes);
    }
    NewValue::Payload(Heap::Text(Box::new(Text::Owned(std::mem::take(bytes)))))
}

/// Overwrites the entry's string with `bytes` without moving the entry, if its form and size allow.
#[inline]
pub fn overwrite(entry: &mut Entry, bytes: &[u8]) -> Overwritten {
    if bytes.len() <= INTEGER_LEN_MAX
        && let Some(n) = num::parse_i64(bytes)
    {
        return if entry.overwrite_integer(n) { Overwritten::Yes } else { Overwritten::No };
    }
    if entry.overwrite_embedded(bytes) { Overwritten::Yes } else { Overwritten::No }
}

/// Whether [`overwrite`] could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwritten {
    /// The entry now has the new value.
    Yes,
    /// Nothing was done.
    No,
}

fn has_text(entry: &Entry) -> bool {
    matches!(entry.value(), ValueRef::Payload(HeapRef::Text(_)))
}

fn change_text<R>(entry: &mut Entry, f: impl FnOnce(&mut Text) -> R) -> R {
    let mut payload = entry.payload_mut();
    let Some(Heap::Text(text)) = payload.as_deref_mut() else { unreachable!("the caller looked") };
    f(text)
}

/// Changes the bytes of an entry's string, whatever its form; returns the entry, perhaps moved. A long
/// string is changed in place.
#[must_use]
pub fn modify<R>(mut entry: Entry, f: impl FnOnce(&mut Vec<u8>) -> R) -> (Entry, R) {
    if has_text(&entry) {
        let result = change_text(&mut entry, |text| f(text.make_mut()));
        return (entry, result);
    }
    let mut bytes = Str::of(&entry).map(Str::to_vec).unwrap_or_default();
    let result = f(&mut bytes);
    let entry = if bytes.len() <= EMBEDDED_LEN_MAX {
        entry.with_value(NewValue::EmbeddedRaw(&bytes))
    } else {
        entry.with_value(NewValue::Payload(Heap::Text(Box::new(Text::Owned(bytes)))))
    };
    (entry, result)
}

/// The entry with `tail` added to its string. Amortised O(tail): a long string grows with room to
/// spare, a short one moves when its size class is full.
#[must_use]
pub fn append(mut entry: Entry, tail: &[u8]) -> Entry {
    if has_text(&entry) {
        change_text(&mut entry, |text| text.make_room(tail.len()).extend_from_slice(tail));
        return entry;
    }
    let old_len = Str::of(&entry).map_or(0, Str::len);
    resize_short(entry, old_len + tail.len(), |bytes| bytes[old_len..].copy_from_slice(tail)).0
}

/// The entry with `bytes` written over its string from `offset` on; a gap before them is filled with
/// zeros. O(bytes + gap), and as [`append`] when the string grows.
#[must_use]
pub fn write_at(entry: Entry, offset: usize, bytes: &[u8]) -> Entry {
    let end = offset + bytes.len();
    edit(entry, end, |all| all[offset..end].copy_from_slice(bytes)).0
}

/// Makes an entry's string at least `len_min` bytes long, new ones zero, and changes its bytes where they
/// are; returns the entry, perhaps moved. O(gap), and as [`append`] when the string grows.
#[must_use]
pub fn edit<R>(mut entry: Entry, len_min: usize, f: impl FnOnce(&mut [u8]) -> R) -> (Entry, R) {
    if has_text(&entry) {
        let result = change_text(&mut entry, |text| f(text.lengthen(len_min)));
        return (entry, result);
    }
    let old_len = Str::of(&entry).map_or(0, Str::len);
    resize_short(entry, old_len.max(len_min), f)
}

/// The entry, which holds an integer or embedded bytes, with `len` bytes, the new ones zero and then
/// changed by `change`.
fn resize_short<R>(
    mut entry: Entry,
    len: usize,
    change: impl FnOnce(&mut [u8]) -> R,
) -> (Entry, R) {
    if let Some(bytes) = entry.resize_embedded(len) {
        let result = change(bytes);
        return (entry, result);
    }
    let fill = |bytes: &mut [u8]| {
        if let Some(string) = Str::of(&entry) {
            string.with_bytes(|old| bytes[..old.len()].copy_from_slice(old));
        }
    };
    if len > EMBEDDED_LEN_MAX {
        let mut bytes = vec![0; len];
        fill(&mut bytes);
        let result = change(&mut bytes);
        let text = NewValue::Payload(Heap::Text(Box::new(Text::Owned(bytes))));
        return (entry.with_value(text), result);
    }
    let mut buffer = [0; EMBEDDED_LEN_MAX];
    let bytes = &mut buffer[..len];
    fill(bytes);
    let result = change(bytes);
    (entry.with_value(NewValue::EmbeddedRaw(bytes)), result)
}

#[cfg(test)]
mod tests {
    use super::super::encoding_of;
    use super::*;
    use crate::base::rng::Rng;

    fn entry(bytes: &[u8]) -> Entry {
        Entry::new(b"k", new_value(bytes), 0, None)
    }

    #[test]
    fn encodings_are_redis_s() {
        for (bytes, encoding) in [
            (&b"12"[..], "int"),
            (b"-9223372036854775808", "int"),
            (b"9223372036854775808", "embstr"),
            (b"012", "embstr"),
            (b"", "embstr"),
            (&[b'x'; 44], "embstr"),
            (&[b'x'; 45], "raw"),
            (&[b'x'; 5000], "raw"),
        ] {
            assert_eq!(encoding_of(&entry(bytes)), encoding, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn every_form_reads_back() {
        for len in [0, 1, 44, 45, 1024, 1025, 100_000] {
            let bytes = vec![b'x'; len];
            let entry = entry(&bytes);
            let string = Str::of(&entry).expect("a string");
            assert_eq!((string.len(), string.to_vec()), (len, bytes));
        }
        assert_eq!(Str::of(&entry(b"-12")).map(Str::len), Some(3));
    }

    #[test]
    fn appending_and_writing_do_what_they_do_to_a_vector() {
        let mut rng = Rng::seeded(5);
        for _ in 0..300 {
            let start = rng.below_usize(5);
            let mut expected = b"12345"[..start].to_vec();
            let mut entry = Entry::new(b"key", new_value(&expected), 3, Some(9));
            for _ in 0..30 {
                let bytes = vec![b'a' + num::low_u8(rng.below(26)); rng.below_usize(200)];
                if rng.below(2) == 0 {
                    expected.extend_from_slice(&bytes);
                    entry = append(entry, &bytes);
                } else {
                    let offset = rng.below_usize(expected.len() + 50);
                    let end = offset + bytes.len();
                    expected.resize(expected.len().max(end), 0);
                    expected[offset..end].copy_from_slice(&bytes);
                    entry = write_at(entry, offset, &bytes);
                }
                assert_eq!(Str::of(&entry).map(Str::to_vec).as_ref(), Some(&expected));
                assert_eq!(encoding_of(&entry), "raw");
                assert_eq!(
                    (entry.key(), entry.access(), entry.expiry()),
                    (&b"key"[..], 3, Some(9))
                );
            }
        }
    }

    #[test]
    fn a_far_offset_takes_no_time_to_clear() {
        let entry = write_at(entry(b"abc"), 1 << 29, b"x");
        assert_eq!(Str::of(&entry).map(Str::len), Some((1 << 29) + 1));
    }

    #[test]
    fn plain_text_is_no_integer() {
        let entry = Entry::new(b"k", plain_value(b"12"), 0, None);
        assert_eq!(encoding_of(&entry), "embstr");
    }

    #[test]
    fn changing_moves_between_forms() {
        let (entry, ()) = modify(entry(b"12"), |bytes| bytes.extend_from_slice(b"34"));
        assert_eq!(encoding_of(&entry), "raw");
        assert_eq!(Str::of(&entry).and_then(Str::integer), Some(1234));
        let (entry, ()) = modify(entry, |bytes| bytes.resize(5000, 0));
        assert_eq!(Str::of(&entry).map(Str::len), Some(5000));
        let (entry, ()) = modify(entry, |bytes| bytes[0] = b'9');
        assert_eq!(Str::of(&entry).map(|string| string.with_bytes(|bytes| bytes[0])), Some(b'9'));
    }
}
