//! What `struct`'s formats say: one option after the other, with byte order and alignment as they
//! stand there.

use crate::base::num;

/// Most bytes of an integer.
const INTEGER_BYTES_MAX: u32 = 32;
/// The alignment of `!` without a number.
const ALIGN_DEFAULT: usize = 8;

/// Which byte of a number comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// The lowest: also where the format says nothing.
    Little,
    /// The highest.
    Big,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sign {
    Signed,
    Unsigned,
}

/// One option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Field {
    /// An integer of 0 to 32 bytes.
    Integer(usize, Sign),
    Float,
    Double,
    /// So many bytes of a string; 0 is all of it.
    Chars(usize),
    /// A string up to a zero byte.
    Text,
    /// A byte of nothing.
    Pad,
    /// Something that was said about the options behind it.
    Control,
    /// No option.
    Unknown(u8),
    /// An alignment that is none. It is told when its turn comes: what is in front of it may be wrong, too.
    BadAlignment(FormatError),
}

impl Field {
    /// Bytes, as far as the option alone says.
    pub(super) fn size(self) -> usize {
        match self {
            Field::Integer(size, _) | Field::Chars(size) => size,
            Field::Float => 4,
            Field::Double => 8,
            Field::Pad => 1,
            Field::Text | Field::Control | Field::Unknown(_) | Field::BadAlignment(_) => 0,
        }
    }
}

/// Why a format is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FormatError {
    /// A number beyond 2^31 - 1.
    NumberTooLarge,
    IntegerTooLong(u32),
    /// Not a power of two.
    Alignment(u32),
}

impl FormatError {
    /// Appends what scripts are told.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            FormatError::NumberTooLarge => out.extend_from_slice(b"integral size overflow"),
            FormatError::IntegerTooLong(size) => {
                out.extend_from_slice(b"integral size ");
                num::write_u64(out, u64::from(size));
                out.extend_from_slice(b" is larger than limit of ");
                num::write_u64(out, u64::from(INTEGER_BYTES_MAX));
            }
            FormatError::Alignment(align) => {
                out.extend_from_slice(b"alignment ");
                num::write_u64(out, u64::from(align));
                out.extend_from_slice(b" is not a power of 2");
            }
        }
    }
}

/// A format being read.
#[derive(Clone, Copy)]
pub(super) struct Format<'a> {
    rest: &'a [u8],
    pub(super) order: Order,
    /// Most that a field is aligned to.
    align_max: usize,
}

impl<'a> Format<'a> {
    /// A zero byte ends a format.
    pub(super) fn new(text: &'a [u8]) -> Format<'a> {
        let len = memchr::memchr(0, text).unwrap_or(text.len());
        Format { rest: &text[..len], order: Order::Little, align_max: 1 }
    }

    /// The next option; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Field>, FormatError> {
        let [option, rest @ ..] = self.rest else { return Ok(None) };
        self.rest = rest;
        Ok(Some(match *option {
            b'b' => Field::Integer(1, Sign::Signed),
            b'B' => Field::Integer(1, Sign::Unsigned),
            b'h' => Field::Integer(2, Sign::Signed),
            b'H' => Field::Integer(2, Sign::Unsigned),
            b'l' => Field::Integer(8, Sign::Signed),
            b'L' | b'T' => Field::Integer(8, Sign::Unsigned),
            b'i' => Field::Integer(self.integer_size()?, Sign::Signed),
            b'I' => Field::Integer(self.integer_size()?, Sign::Unsigned),
            b'f' => Field::Float,
            b'd' => Field::Double,
            b's' => Field::Text,
            b'x' => Field::Pad,
            b'c' => Field::Chars(num::usize_of_u32(self.number()?.unwrap_or(1))),
            b' ' => Field::Control,
            b'<' => self.set_order(Order::Little),
            b'>' => self.set_order(Order::Big),
            b'!' => match self.number() {
                Err(error) => Field::BadAlignment(error),
                Ok(Some(align)) if !align.is_power_of_two() => {
                    Field::BadAlignment(FormatError::Alignment(align))
                }
                Ok(align) => {
                    self.align_max = align.map_or(ALIGN_DEFAULT, num::usize_of_u32);
                    Field::Control
                }
            },
            unknown => Field::Unknown(unknown),
        }))
    }

    fn set_order(&mut self, order: Order) -> Field {
        self.order = order;
        Field::Control
    }

    fn integer_size(&mut self) -> Result<usize, FormatError> {
        match self.number()? {
            None => Ok(4),
            Some(size) if size > INTEGER_BYTES_MAX => Err(FormatError::IntegerTooLong(size)),
            Some(size) => Ok(num::usize_of_u32(size)),
        }
    }

    /// The number that stands here, up to 2^31 - 1.
    fn number(&mut self) -> Result<Option<u32>, FormatError> {
        let mut number = None;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            let n = u64::from(number.unwrap_or(0_u32)) * 10 + u64::from(digit - b'0');
            let n = i32::try_from(n).map_err(|_| FormatError::NumberTooLarge)?;
            number = Some(n.cast_unsigned());
            self.rest = rest;
        }
        Ok(number)
    }

    /// How many bytes stand between `position` and a field. Only numbers are aligned. The rule is for
    /// sizes that are powers of two; others get what it gives.
    pub(super) fn padding(&self, field: Field, position: usize) -> usize {
        let size = match field {
            Field::Integer(..) | Field::Float | Field::Double => field.size(),
            Field::Chars(_)
            | Field::Text
            | Field::Pad
            | Field::Control
            | Field::Unknown(_)
            | Field::BadAlignment(_) => 0,
        };
        let align = size.min(self.align_max);
        if align <= 1 {
            return 0;
        }
        align.wrapping_sub(position & (align - 1)) & (align - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &[u8]) -> Result<Vec<Field>, FormatError> {
        let mut format = Format::new(text);
        std::iter::from_fn(|| format.next().transpose()).collect()
    }

    fn message(text: &[u8]) -> String {
        let mut out = Vec::new();
        match fields(text) {
            Err(error) => error.write(&mut out),
            Ok(fields) => match fields[..] {
                [Field::BadAlignment(error), ..] => error.write(&mut out),
                _ => panic!("{fields:?}"),
            },
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn options_are_read_up_to_a_zero_byte() {
        assert_eq!(
            fields(b"i3 T\0b"),
            Ok(vec![
                Field::Integer(3, Sign::Signed),
                Field::Control,
                Field::Integer(8, Sign::Unsigned)
            ])
        );
        assert_eq!(fields(b"c010c"), Ok(vec![Field::Chars(10), Field::Chars(1)]));
        assert_eq!(fields(b"z="), Ok(vec![Field::Unknown(b'z'), Field::Unknown(b'=')]));
    }

    #[test]
    fn cve_2020_14147_numbers_do_not_overflow() {
        assert_eq!(message(b"i99999999999"), "integral size overflow");
        assert_eq!(message(b"c2147483648"), "integral size overflow");
        assert_eq!(message(b"!4294967297"), "integral size overflow");
        assert_eq!(message(b"i2147483647"), "integral size 2147483647 is larger than limit of 32");
        assert_eq!(message(b"!6"), "alignment 6 is not a power of 2");
        assert_eq!(message(b"!0"), "alignment 0 is not a power of 2");
    }

    /// The bytes of a format of numbers.
    fn size(text: &[u8]) -> usize {
        let mut format = Format::new(text);
        let mut size = 0;
        while let Some(field) = format.next().unwrap() {
            size += format.padding(field, size) + field.size();
        }
        size
    }

    #[test]
    fn fields_are_aligned_as_on_a_7_0_15_server() {
        for (text, expected) in [
            ("bi", 5),
            ("!bi", 8),
            ("!2bi", 6),
            ("!8bd", 16),
            ("!4bi8", 12),
            ("!4c3i", 8),
            ("!bi3", 6),
            ("!i3", 5),
            ("!4i3b", 6),
            ("!4bi6", 10),
            ("!2bi3", 5),
            ("!16bi16", 32),
            ("!32bi32", 64),
            ("!bi0i0", 1),
        ] {
            assert_eq!(size(text.as_bytes()), expected, "{text}");
        }
    }
}
