//! Bytes of a snapshot, piece by piece: lengths, numbers and strings.
//!
//! A reader owns one buffer and lends slices of it, so that most strings are copied once, to where they
//! stay. What is longer than the buffer is read straight into an allocation of its own, which grows as
//! the bytes come: a length that somebody made up sets no memory aside.
//!
//! ```text
//! 00llllll                      a length of 6 bits
//! 01llllll llllllll             of 14 bits
//! 10000000  4 bytes             of 32 bits, big endian
//! 10000001  8 bytes             of 64 bits, big endian
//! 11eeeeee                      a string in another form: 0, 1, 2: an integer of 8, 16, 32 bits,
//!                               little endian; 3: compressed, both lengths in front
//! ```
//! Invariant: `summed <= start <= end`, and `crc` covers all bytes in front of `summed`.

use super::error::Reason;
use crate::base::crc64::Crc64;
use crate::base::num;
use crate::ds::listpack::Element;
use crate::ds::unlzf;
use crate::persist::Progress;
use std::io::{self, Read};
use std::ops::Range;

/// Bytes of the buffer for a file.
const BUFFER_LEN: usize = 256 * 1024;
/// Bytes of the smallest buffer: what is never read apart must fit.
const BUFFER_LEN_MIN: usize = 256;
/// A string that is read on its own begins with room for so many bytes.
const ROOM_MIN: usize = 1 << 20;
/// Most bytes that are asked of the input at once, so that progress is seen.
const PIECE_MAX: usize = 16 << 20;

/// Whether a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// It is, and compared.
    Checksum,
    /// What is written in its place is passed over.
    Nothing,
}

/// A length, or the form of a string that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Plain(u64),
    Form(u8),
}

/// A string as it was read.
#[derive(Debug)]
pub(super) enum Text<'a> {
    /// The decimal form of an integer.
    Integer(i64),
    /// Bytes in the reader.
    Lent(&'a [u8]),
    /// Many bytes.
    Owned(Vec<u8>),
}

impl Text<'_> {
    /// As an element of a collection.
    #[inline]
    pub(super) fn as_element(&self) -> Element<'_> {
        match self {
            Self::Integer(n) => Element::Integer(*n),
            Self::Lent(bytes) => Element::Bytes(bytes),
            Self::Owned(bytes) => Element::Bytes(bytes),
        }
    }

    /// What `f` makes of its bytes.
    #[inline]
    pub(super) fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        self.as_element().with_text(f)
    }

    /// A copy of its bytes.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        self.as_element().to_vec()
    }
}

/// Where bytes are: in the reader's buffer, or apart.
enum Place {
    Buffer(Range<usize>),
    Apart(Vec<u8>),
}

/// Reads a snapshot.
#[derive(Debug)]
pub struct Reader<'p, R> {
    input: R,
    buffer: Box<[u8]>,
    /// The bytes that are still to be lent.
    start: usize,
    end: usize,
    /// Offset in the input of the buffer's first byte.
    base: u64,
    crc: Option<Crc64>,
    summed: usize,
    /// The last compressed string.
    unpacked: Vec<u8>,
    progress: &'p Progress,
}

impl<'p, R: Read> Reader<'p, R> {
    /// Reads from the input's present place on.
    #[must_use]
    pub fn new(input: R, verify: Verify, progress: &'p Progress) -> Self {
        Self::with_buffer(input, verify, progress, BUFFER_LEN)
    }

    /// As [`Reader::new`], of an input that has about so many bytes.
    pub(super) fn with_buffer(
        input: R,
        verify: Verify,
        progress: &'p Progress,
        len: usize,
    ) -> Self {
        Self {
            input,
            buffer: vec![0; len.clamp(BUFFER_LEN_MIN, BUFFER_LEN)].into(),
            start: 0,
            end: 0,
            base: 0,
            crc: match verify {
                Verify::Checksum => Some(Crc64::new()),
                Verify::Nothing => None,
            },
            summed: 0,
            unpacked: Vec::new(),
            progress,
        }
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.base + num::u64_of(self.start)
    }

    /// What follows the bytes read so far.
    pub fn into_rest(self) -> impl Read {
        let mut ahead = io::Cursor::new(self.buffer);
        ahead.set_position(num::u64_of(self.start));
        ahead.take(num::u64_of(self.end - self.start)).chain(self.input)
    }

    /// The checksum of all bytes read so far; `None` if it is not computed.
    pub(super) fn checksum(&mut self) -> Option<u64> {
        self.sum();
        self.crc.as_ref().map(Crc64::value)
    }

    /// Adds what was read to the checksum.
    fn sum(&mut self) {
        if let Some(crc) = &mut self.crc {
            crc.update(&self.buffer[self.summed..self.start]);
        }
        self.summed = self.start;
    }

    /// Makes sure that `len` bytes, which are not more than the buffer has, can be lent.
    #[cold]
    fn fill(&mut self, len: usize) -> Result<(), Reason> {
        debug_assert!(len <= self.buffer.len());
        self.sum();
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += num::u64_of(self.start);
        (self.end, self.start, self.summed) = (self.end - self.start, 0, 0);
        while self.end < len {
            if self.progress.is_cancelled() {
                return Err(Reason::Cancelled);
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Err(Reason::Truncated),
                Ok(count) => {
                    self.end += count;
                    self.progress.add_bytes(num::u64_of(count));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Reason::Io(error)),
            }
        }
        Ok(())
    }

    /// Takes the next `len` bytes, which are not more than the buffer has, off it.
    #[inline]
    fn take(&mut self, len: usize) -> Result<Range<usize>, Reason> {
        if self.end - self.start < len {
            self.fill(len)?;
        }
        let from = self.start;
        self.start += len;
        Ok(from..self.start)
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&mut self) -> Result<bool, Reason> {
        if self.start < self.end {
            return Ok(false);
        }
        match self.fill(1) {
            Ok(()) => Ok(false),
            Err(Reason::Truncated) => Ok(true),
            Err(reason) => Err(reason),
        }
    }

    /// The next byte.
    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Reason> {
        let place = self.take(1)?;
        Ok(self.buffer[place.start])
    }

    /// The next `N` bytes.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        const { assert!(N <= BUFFER_LEN_MIN) };
        let place = self.take(N)?;
        Ok(*self.buffer[place].first_chunk().expect("as long as asked for"))
    }

    /// The next eight bytes as a number, little endian.
    pub(super) fn i64(&mut self) -> Result<i64, Reason> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// The next eight bytes as a double, little endian.
    pub(super) fn f64(&mut self) -> Result<f64, Reason> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// The next few bytes.
    pub(super) fn short(&mut self, len: u8) -> Result<&[u8], Reason> {
        const { assert!(BUFFER_LEN_MIN > 255) };
        let place = self.take(usize::from(len))?;
        Ok(&self.buffer[place])
    }

    /// A length or the form of a string.
    #[inline]
    pub(super) fn length(&mut self) -> Result<Length, Reason> {
        let first = self.byte()?;
        let low = u64::from(first & 0x3f);
        Ok(match first {
            0x00..=0x3f => Length::Plain(low),
            0x40..=0x7f => Length::Plain(low << 8 | u64::from(self.byte()?)),
            0x80 => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
            0x82..=0xbf => {
                let text = format!("Unknown length encoding {} in rdbLoadLen()", first >> 6);
                return Err(Reason::Corrupt(text.into()));
            }
            0xc0..=0xff => Length::Form(first & 0x3f),
        })
    }

    /// A number, kept as a length.
    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, Reason> {
        match self.length()? {
            Length::Plain(n) => Ok(n),
            Length::Form(_) => Err(Reason::corrupt("A length was expected")),
        }
    }

    /// A string.
    #[inline]
    pub(super) fn text(&mut self) -> Result<Text<'_>, Reason> {
        let len = match self.length()? {
            Length::Plain(len) => len,
            Length::Form(form) => return self.formed(form),
        };
        match self.bytes(len)? {
            Place::Buffer(place) => Ok(Text::Lent(&self.buffer[place])),
            Place::Apart(bytes) => Ok(Text::Owned(bytes)),
        }
    }

    /// A string in another form.
    fn formed(&mut self, form: u8) -> Result<Text<'_>, Reason> {
        match form {
            0 => Ok(Text::Integer(i64::from(i8::from_le_bytes(self.array()?)))),
            1 => Ok(Text::Integer(i64::from(i16::from_le_bytes(self.array()?)))),
            2 => Ok(Text::Integer(i64::from(i32::from_le_bytes(self.array()?)))),
            3 => self.compressed(),
            _ => {
                let text = format!("Unknown RDB string encoding type {form}");
                Err(Reason::Corrupt(text.into()))
            }
        }
    }

    fn compressed(&mut self) -> Result<Text<'_>, Reason> {
        let (packed_len, len) = (self.number()?, self.number()?);
        let packed = self.bytes(packed_len)?;
        let packed = match &packed {
            Place::Buffer(place) => &self.buffer[place.clone()],
            Place::Apart(bytes) => bytes,
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if unlzf::decompress_into(packed, len, &mut self.unpacked).is_none() {
            return Err(Reason::corrupt("Invalid LZF compressed string"));
        }
        if len > BUFFER_LEN {
            return Ok(Text::Owned(std::mem::take(&mut self.unpacked)));
        }
        Ok(Text::Lent(&self.unpacked))
    }

    /// So many bytes, however many.
    #[inline]
    fn bytes(&mut self, len: u64) -> Result<Place, Reason> {
        match usize::try_from(len) {
            Ok(len) if len <= self.buffer.len() => Ok(Place::Buffer(self.take(len)?)),
            Ok(_) | Err(_) => Ok(Place::Apart(self.long(len)?)),
        }
    }

    /// More bytes than the buffer has.
    #[cold]
    fn long(&mut self, len: u64) -> Result<Vec<u8>, Reason> {
        let out_of_memory = Reason::OutOfMemory { bytes: len };
        let Ok(len) = usize::try_from(len) else { return Err(out_of_memory) };
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(len.min(ROOM_MIN)).is_err() {
            return Err(out_of_memory);
        }
        bytes.extend_from_slice(&self.buffer[self.start..self.end]);
        self.start = self.end;
        self.sum();
        self.base += num::u64_of(self.end);
        (self.start, self.end, self.summed) = (0, 0, 0);
        while bytes.len() < len {
            if bytes.len() == bytes.capacity() {
                let more = bytes.len().min(len - bytes.len());
                if bytes.try_reserve_exact(more).is_err() {
                    return Err(out_of_memory);
                }
            }
            self.extend(&mut bytes, len)?;
        }
        Ok(bytes)
    }

    /// Reads more bytes, at most so that there are `len`, and within the capacity.
    fn extend(&mut self, bytes: &mut Vec<u8>, len: usize) -> Result<(), Reason> {
        if self.progress.is_cancelled() {
            return Err(Reason::Cancelled);
        }
        let from = bytes.len();
        let count = (bytes.capacity().min(len) - from).min(PIECE_MAX);
        let piece = self.input.by_ref().take(num::u64_of(count)).read_to_end(bytes);
        let read = piece.map_err(Reason::Io)?;
        self.base += num::u64_of(read);
        self.progress.add_bytes(num::u64_of(read));
        if let Some(crc) = &mut self.crc {
            crc.update(&bytes[from..]);
        }
        if read < count { Err(Reason::Truncated) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crc64::crc64;
    use crate::base::rng::Rng;
    use crate::ds::lzf;

    /// Gives bytes in pieces of random length.
    struct Pieces<'a> {
        bytes: &'a [u8],
        rng: Rng,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.rng.below(10) == 0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = 1 << self.rng.below(20);
            let len = out.len().min(self.bytes.len()).min(most);
            let (piece, rest) = self.bytes.split_at(len);
            out[..len].copy_from_slice(piece);
            self.bytes = rest;
            Ok(len)
        }
    }

    fn reader<'p>(bytes: &'p [u8], progress: &'p Progress) -> Reader<'p, Pieces<'p>> {
        let input = Pieces { bytes, rng: Rng::seeded(num::u64_of(bytes.len())) };
        Reader::new(input, Verify::Checksum, progress)
    }

    fn fails(bytes: &[u8]) -> Reason {
        let progress = Progress::new();
        let mut reader = reader(bytes, &progress);
        reader.text().map(|text| text.to_vec()).expect_err("no string")
    }

    #[test]
    fn lengths_have_five_forms() {
        let progress = Progress::new();
        let bytes =
            [&[5, 0x41, 2, 0x80, 0, 1, 0, 0][..], &[0x81, 1, 0, 0, 0, 0, 0, 0, 2, 0xc3, 0x82]]
                .concat();
        let mut reader = reader(&bytes, &progress);
        let mut lengths = || reader.length();
        for expected in [5, 0x102, 0x1_0000, (1 << 56) + 2] {
            assert_eq!(lengths().expect("a length"), Length::Plain(expected));
        }
        assert_eq!(lengths().expect("a form"), Length::Form(3));
        assert!(matches!(lengths(), Err(Reason::Corrupt(_))));
        assert!(matches!(lengths(), Err(Reason::Truncated)));
    }

    #[test]
    fn integers_are_kept_as_such() {
        let progress = Progress::new();
        let bytes = [0xc0, 0xfe, 0xc1, 0, 0x80, 0xc2, 1, 0, 0, 0];
        let mut reader = reader(&bytes, &progress);
        for expected in [-2, -32_768, 1] {
            let text = reader.text().expect("a string");
            assert!(matches!(text, Text::Integer(n) if n == expected), "{text:?}");
        }
    }

    #[test]
    fn strings_of_any_length_come_through_with_their_checksum() {
        let mut rng = Rng::seeded(1);
        let mut bytes = Vec::new();
        let mut texts = Vec::new();
        for len in [0, 1, 63, 1000, 100_000, BUFFER_LEN, BUFFER_LEN + 1, 3, 5 << 20, 7] {
            let mut text = vec![0; len];
            rng.fill(&mut text);
            bytes.push(0x81);
            bytes.extend(num::u64_of(len).to_be_bytes());
            bytes.extend(&text);
            texts.push(text);
            let text = vec![b'x'; len + 5];
            let packed = lzf::compress(&text, len + 5).expect("it is shorter");
            bytes.push(0xc3);
            for n in [packed.len(), text.len()] {
                bytes.push(0x81);
                bytes.extend(num::u64_of(n).to_be_bytes());
            }
            bytes.extend(packed);
            texts.push(text);
        }
        let read = bytes.len();
        bytes.extend(b"the rest");
        let progress = Progress::new();
        let mut reader = reader(&bytes, &progress);
        for text in &texts {
            assert!(reader.text().expect("a string").to_vec() == *text);
        }
        assert_eq!(reader.offset(), num::u64_of(read));
        assert_eq!(reader.checksum(), Some(crc64(&bytes[..read])));
        assert!(progress.bytes() >= num::u64_of(read));
        let mut rest = Vec::new();
        reader.into_rest().read_to_end(&mut rest).expect("memory can be read");
        assert_eq!(rest, b"the rest");
    }

    #[test]
    fn lengths_that_are_lies_take_no_memory() {
        for len in [1u64 << 20, 1 << 40, 1 << 60, u64::MAX] {
            let mut bytes = vec![0x81];
            bytes.extend(len.to_be_bytes());
            bytes.extend(b"some bytes");
            assert!(matches!(fails(&bytes), Reason::Truncated | Reason::OutOfMemory { .. }));
            // Compressed: few bytes that claim to be so many.
            let packed = [&[0xc3, 3, 0x81][..], &len.to_be_bytes(), &[0xe0, 255, 0]].concat();
            assert!(matches!(fails(&packed), Reason::Corrupt(_)));
        }
    }

    #[test]
    fn cancelling_stops_a_reader() {
        let progress = Progress::new();
        progress.cancel();
        let mut reader = reader(b"abc", &progress);
        assert!(matches!(reader.byte(), Err(Reason::Cancelled)));
    }
}
