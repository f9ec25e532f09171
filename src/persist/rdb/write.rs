//! Writing the parts of which everything else consists: numbers, lengths and strings.
//!
//! ```text
//! 00nnnnnn                 a length below 64
//! 01nnnnnn nnnnnnnn        a length below 16,384
//! 10000000 4 bytes         a length below 2^32, big endian
//! 10000001 8 bytes         any other, big endian
//! 11000000 1 byte          instead of length and text: an integer, which is to be printed
//! 11000001 2 bytes         as above, little endian
//! 11000010 4 bytes         as above, little endian
//! 11000011 length length   instead of length and text: how many compressed bytes follow, and of how
//!                          many they are the LZF form
//! ```
//! Why a buffer of its own and no `BufWriter`: the checksum is computed over whole buffers, which takes
//! a tenth of the time that it takes piece by piece.

use super::format::encoding;
use crate::base::crc64::Crc64;
use crate::base::num;
use crate::ds::lzf::Encoder;
use crate::persist::Progress;
use std::io;

/// Bytes that are gathered before they are passed on.
pub const BUFFER_LEN: usize = 64 * 1024;
/// What may be added to a full buffer before that is noticed: less than this.
const SLACK_LEN: usize = 64;

/// Lengths below this one take one byte.
const LEN_6_BITS: u64 = 1 << 6;
/// Lengths below this one take two bytes.
const LEN_14_BITS: u64 = 1 << 14;

/// Longest text that is tried as an integer, bytes.
const INTEGER_LEN_MAX: usize = 11;
/// Shorter texts are not compressed.
const COMPRESS_LEN_MIN: usize = 21;
/// Bytes that compression has to save.
const COMPRESS_GAIN_MIN: usize = 4;
/// How much memory is kept from one long string to the next, bytes.
const COMPRESS_KEPT_LEN: usize = 1 << 20;

/// Whether strings are compressed, which is what `rdbcompression` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// They are written as they are.
    None,
    /// Those of more than 20 bytes that LZF makes smaller are compressed.
    Lzf,
}

/// Whether there is a checksum at the end, which is what `rdbchecksum` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Zeros, which readers take for "not checked".
    None,
    /// CRC-64.
    Crc64,
}

/// Writes the parts of a snapshot to `out`.
///
/// Invariant: the buffer is less than [`SLACK_LEN`] bytes longer than [`BUFFER_LEN`], unless it is all
/// there is ([`Writer::in_memory`]). What takes a few bytes is just added to it; before what may take
/// more it is looked at, and there is a string in each part of the format that may be repeated.
pub struct Writer<'a, W> {
    out: W,
    buffer: Vec<u8>,
    /// The buffer is passed on when it would get longer than this.
    len_max: usize,
    /// Of the bytes that were passed on.
    checksum: Option<Crc64>,
    compression: Compression,
    /// Made when it is first needed.
    encoder: Option<Encoder>,
    progress: Option<&'a Progress>,
}

impl Writer<'static, io::Sink> {
    /// A writer that adds everything to this buffer.
    pub fn in_memory(buffer: Vec<u8>, compression: Compression) -> Self {
        Self {
            out: io::sink(),
            buffer,
            len_max: usize::MAX,
            checksum: None,
            compression,
            encoder: None,
            progress: None,
        }
    }

    /// Everything that was written.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

impl<'a, W: io::Write> Writer<'a, W> {
    /// A writer to `out`, which gets large pieces.
    pub fn new(
        out: W,
        compression: Compression,
        checksum: Checksum,
        progress: Option<&'a Progress>,
    ) -> Self {
        let checksum = match checksum {
            Checksum::None => None,
            Checksum::Crc64 => Some(Crc64::new()),
        };
        let buffer = Vec::with_capacity(BUFFER_LEN + SLACK_LEN);
        Self { out, buffer, len_max: BUFFER_LEN, checksum, compression, encoder: None, progress }
    }

    /// A byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.buffer.push(byte);
    }

    /// A point in time, Unix milliseconds.
    #[inline]
    pub fn time_ms(&mut self, unix_ms: i64) {
        self.buffer.extend_from_slice(&unix_ms.to_le_bytes());
    }

    /// A floating point number.
    #[inline]
    pub fn double(&mut self, n: f64) {
        self.buffer.extend_from_slice(&n.to_le_bytes());
    }

    /// A length, or a number that is mostly small.
    #[inline]
    pub fn len(&mut self, len: usize) {
        self.number(num::u64_of(len));
    }

    /// As [`Writer::len`].
    #[inline]
    pub fn number(&mut self, n: u64) {
        if n < LEN_6_BITS {
            self.buffer.push(num::low_u8(n));
        } else if n < LEN_14_BITS {
            let [high, low] = num::low_u16(n).to_be_bytes();
            self.buffer.extend_from_slice(&[encoding::LEN_14_BITS | high, low]);
        } else if let Ok(n) = u32::try_from(n) {
            let [a, b, c, d] = n.to_be_bytes();
            self.buffer.extend_from_slice(&[encoding::LEN_32_BITS, a, b, c, d]);
        } else {
            self.buffer.push(encoding::LEN_64_BITS);
            self.buffer.extend_from_slice(&n.to_be_bytes());
        }
    }

    /// A string: as an integer if it spells one of 32 bits, compressed if that makes it smaller, or as
    /// it is.
    ///
    /// # Errors
    /// The buffer could not be passed on.
    #[inline]
    pub fn string(&mut self, text: &[u8]) -> io::Result<()> {
        if text.len() <= INTEGER_LEN_MAX
            && let Some(n) = num::parse_i64(text)
            && let Ok(n) = i32::try_from(n)
        {
            return self.small_integer(n);
        }
        if text.len() >= COMPRESS_LEN_MIN && self.compression == Compression::Lzf {
            return self.long_string(text);
        }
        self.len(text.len());
        self.raw(text)
    }

    /// A string that is kept as an integer.
    ///
    /// # Errors
    /// The buffer could not be passed on.
    #[inline]
    pub fn integer(&mut self, n: i64) -> io::Result<()> {
        if let Ok(n) = i32::try_from(n) {
            return self.small_integer(n);
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(n).as_bytes();
        self.len(digits.len());
        self.raw(digits)
    }

    fn small_integer(&mut self, n: i32) -> io::Result<()> {
        if let Ok(n) = i8::try_from(n) {
            self.buffer.extend_from_slice(&[encoding::INTEGER_8, n.cast_unsigned()]);
        } else if let Ok(n) = i16::try_from(n) {
            let [low, high] = n.to_le_bytes();
            self.buffer.extend_from_slice(&[encoding::INTEGER_16, low, high]);
        } else {
            let [a, b, c, d] = n.to_le_bytes();
            self.buffer.extend_from_slice(&[encoding::INTEGER_32, a, b, c, d]);
        }
        self.raw(&[])
    }

    fn long_string(&mut self, text: &[u8]) -> io::Result<()> {
        let mut encoder = self.encoder.take().unwrap_or_default();
        let result = match encoder.compress(text, text.len() - COMPRESS_GAIN_MIN) {
            Some(lzf) => self.compressed(lzf, text.len()),
            None => {
                self.len(text.len());
                self.raw(text)
            }
        };
        if text.len() > COMPRESS_KEPT_LEN {
            encoder.shrink(COMPRESS_KEPT_LEN);
        }
        self.encoder = Some(encoder);
        result
    }

    /// A string of `len` bytes, of which `lzf` is the compressed form.
    ///
    /// # Errors
    /// The buffer could not be passed on.
    pub fn compressed(&mut self, lzf: &[u8], len: usize) -> io::Result<()> {
        self.byte(encoding::LZF);
        self.len(lzf.len());
        self.len(len);
        self.raw(lzf)
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// The buffer could not be passed on.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len().saturating_add(bytes.len()) > self.len_max {
            return self.raw_to_full_buffer(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    #[cold]
    fn raw_to_full_buffer(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        if bytes.len() < self.len_max {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.pass_on(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.pass_on(&buffer);
        buffer.clear();
        self.buffer = buffer;
        result
    }

    fn pass_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
        self.out.write_all(bytes)?;
        if let Some(progress) = self.progress {
            progress.add_bytes(num::u64_of(bytes.len()));
            if progress.is_cancelled() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "cancelled"));
            }
        }
        Ok(())
    }

    /// Ends the snapshot with its checksum, and passes on what is left.
    ///
    /// # Errors
    /// It could not be passed on.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let checksum = self.checksum.take().map_or(0, |checksum| checksum.value());
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        self.flush()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crc64::crc64;
    use crate::base::rng::Rng;
    use crate::ds::lzf;

    #[track_caller]
    fn check(expected: &[u8], write: impl FnOnce(&mut Writer<'_, io::Sink>)) {
        let mut writer = Writer::in_memory(Vec::new(), Compression::None);
        write(&mut writer);
        assert_eq!(
            writer.into_buffer().escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[track_caller]
    fn check_string(text: &[u8], expected: &[u8]) {
        check(expected, |writer| writer.string(text).expect("memory"));
        if let Some(n) = num::parse_i64(text) {
            check(expected, |writer| writer.integer(n).expect("memory"));
        }
    }

    #[test]
    fn lengths_take_as_few_bytes_as_they_can() {
        for (n, expected) in [
            (0, &b"\x00"[..]),
            (63, b"\x3f"),
            (64, b"\x40\x40"),
            (16_383, b"\x7f\xff"),
            (16_384, b"\x80\x00\x00\x40\x00"),
            (u64::from(u32::MAX), b"\x80\xff\xff\xff\xff"),
            (1 << 32, b"\x81\x00\x00\x00\x01\x00\x00\x00\x00"),
            (u64::MAX, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
        ] {
            check(expected, |writer| writer.number(n));
        }
    }

    /// Read off DUMP of Redis 7.0.15.
    #[test]
    fn strings_that_spell_small_integers_are_integers() {
        check_string(b"0", b"\xc0\x00");
        check_string(b"-128", b"\xc0\x80");
        check_string(b"128", b"\xc1\x80\x00");
        check_string(b"-32768", b"\xc1\x00\x80");
        check_string(b"32768", b"\xc2\x00\x80\x00\x00");
        check_string(b"-2147483648", b"\xc2\x00\x00\x00\x80");
        check_string(b"2147483648", b"\x0a2147483648");
        check_string(b"-9223372036854775808", b"\x14-9223372036854775808");
        check_string(b"012", b"\x03012");
        check_string(b"-0", b"\x02-0");
        check_string(b"+1", b"\x02+1");
        check_string(b"", b"\x00");
    }

    #[test]
    fn strings_are_compressed_if_that_makes_them_smaller() {
        let compress = |text: &[u8]| {
            let mut writer = Writer::in_memory(Vec::new(), Compression::Lzf);
            writer.string(text).expect("memory");
            writer.into_buffer()
        };
        assert_eq!(compress(&[b'a'; 20])[0], 20);
        let packed = compress(&[b'a'; 21]);
        let (&[first, len, inflated], lzf) = packed.split_first_chunk().expect("a head");
        assert_eq!((first, usize::from(len), inflated), (0xc3, lzf.len(), 21));
        assert_eq!(lzf::decompress(lzf, 21), Some(vec![b'a'; 21]));
        assert_eq!(compress(b"abcdefghijklmnopqrstu"), b"\x15abcdefghijklmnopqrstu");
    }

    /// Takes few bytes at a time.
    struct Slow(Vec<u8>);

    impl io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(1000);
            self.0.extend_from_slice(&bytes[..len]);
            Ok(len)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_written_in_pieces_is_what_is_written_at_once() {
        let mut rng = Rng::seeded(7);
        let mut slow = Slow(Vec::new());
        let progress = Progress::new();
        let mut writer = Writer::new(&mut slow, Compression::Lzf, Checksum::Crc64, Some(&progress));
        let mut memory = Writer::in_memory(Vec::new(), Compression::Lzf);
        for round in 0..3000 {
            let len = match round % 500 {
                7 => rng.below_usize(300_000),
                8 => BUFFER_LEN,
                _ => rng.below_usize(60),
            };
            let mut text = vec![0; len];
            rng.fill(&mut text);
            let n = rng.next_u64().cast_signed() >> rng.below(64);
            writer.string(&text).expect("memory");
            memory.string(&text).expect("memory");
            writer.integer(n).expect("memory");
            memory.integer(n).expect("memory");
            assert!(writer.buffer.len() < BUFFER_LEN + SLACK_LEN);
        }
        writer.finish().expect("memory");
        let mut expected = memory.into_buffer();
        assert_eq!(progress.bytes(), num::u64_of(slow.0.len()));
        expected.extend_from_slice(&crc64(&expected).to_le_bytes());
        assert!(slow.0 == expected);
    }

    #[test]
    fn a_cancelled_writer_fails() {
        let progress = Progress::new();
        progress.cancel();
        let writer = Writer::new(io::sink(), Compression::None, Checksum::None, Some(&progress));
        let error = writer.finish().expect_err("cancelled");
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}
