//! MessagePack, item by item. What the original library does not know, such as binary strings and
//! extensions, is no item here either.

use crate::base::num;
use std::ffi::CStr;

/// One item; of an array or map only its start.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Item<'a> {
    Nil,
    Boolean(bool),
    Number(f64),
    String(&'a [u8]),
    /// So many items follow.
    Array(u32),
    /// So many pairs of items follow.
    Map(u32),
}

/// Why there is no item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Malformed {
    /// It ends beyond the input.
    Missing,
    /// It starts with a byte that starts none.
    Bad,
}

impl Malformed {
    /// What scripts are told.
    pub(super) fn text(self) -> &'static CStr {
        match self {
            Malformed::Missing => c"Missing bytes in input.",
            Malformed::Bad => c"Bad data format in input.",
        }
    }
}

/// Input that is read from its start.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// What is not read yet.
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The next item.
    pub(super) fn next(&mut self) -> Result<Item<'a>, Malformed> {
        let [mark] = self.array()?;
        Ok(match mark {
            0..=0x7f => Item::Number(f64::from(mark)),
            0x80..=0x8f => Item::Map(u32::from(mark & 0x0f)),
            0x90..=0x9f => Item::Array(u32::from(mark & 0x0f)),
            0xa0..=0xbf => Item::String(self.take(usize::from(mark & 0x1f))?),
            0xc0 => Item::Nil,
            0xc2 => Item::Boolean(false),
            0xc3 => Item::Boolean(true),
            0xca => Item::Number(f64::from(f32::from_be_bytes(self.array()?))),
            0xcb => Item::Number(f64::from_be_bytes(self.array()?)),
            0xcc => Item::Number(f64::from(u8::from_be_bytes(self.array()?))),
            0xcd => Item::Number(f64::from(u16::from_be_bytes(self.array()?))),
            0xce => Item::Number(f64::from(u32::from_be_bytes(self.array()?))),
            // Read as a signed number, too, in the original library.
            0xcf | 0xd3 => Item::Number(num::f64_of(i64::from_be_bytes(self.array()?))),
            0xd0 => Item::Number(f64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => Item::Number(f64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => Item::Number(f64::from(i32::from_be_bytes(self.array()?))),
            0xd9 => {
                let len = u8::from_be_bytes(self.array()?);
                Item::String(self.take(usize::from(len))?)
            }
            0xda => {
                let len = u16::from_be_bytes(self.array()?);
                Item::String(self.take(usize::from(len))?)
            }
            0xdb => {
                let len = u32::from_be_bytes(self.array()?);
                Item::String(self.take(num::usize_of_u32(len))?)
            }
            0xdc => Item::Array(u32::from(u16::from_be_bytes(self.array()?))),
            0xdd => Item::Array(u32::from_be_bytes(self.array()?)),
            0xde => Item::Map(u32::from(u16::from_be_bytes(self.array()?))),
            0xdf => Item::Map(u32::from_be_bytes(self.array()?)),
            0xe0.. => Item::Number(f64::from(mark.cast_signed())),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(Malformed::Bad),
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Missing)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Missing)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::write;
    use super::*;

    #[test]
    fn numbers_are_read_back_from_their_shortest_form() {
        for (n, len) in [
            (0.0, 1),
            (127.0, 1),
            (128.0, 2),
            (255.0, 2),
            (256.0, 3),
            (65_535.0, 3),
            (65_536.0, 5),
            (4_294_967_295.0, 5),
            (4_294_967_296.0, 9),
            (-32.0, 1),
            (-33.0, 2),
            (-128.0, 2),
            (-129.0, 3),
            (-32_768.0, 3),
            (-32_769.0, 5),
            (-2_147_483_648.0, 5),
            (-2_147_483_649.0, 9),
            (-9_223_372_036_854_775_808.0, 9),
            (9_223_372_036_854_775_808.0, 5),
            (1.5, 5),
            (0.1, 9),
            (f64::INFINITY, 5),
        ] {
            let mut out = Vec::new();
            write::number(n, &mut out);
            assert_eq!(out.len(), len, "{n}");
            let mut reader = Reader { rest: &out };
            assert_eq!(reader.next(), Ok(Item::Number(n)));
            assert!(reader.rest.is_empty());
        }
    }

    #[test]
    fn lengths_are_read_back() {
        for len in [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
            let mut out = Vec::new();
            let text = vec![b'a'; num::usize_of_u32(len)];
            write::string(&text, &mut out);
            assert_eq!(Reader { rest: &out }.next(), Ok(Item::String(&text)));
            out.clear();
            write::array(len, &mut out);
            assert_eq!(Reader { rest: &out }.next(), Ok(Item::Array(len)));
            out.clear();
            write::map(len, &mut out);
            assert_eq!(Reader { rest: &out }.next(), Ok(Item::Map(len)));
        }
    }

    #[test]
    fn every_start_of_an_item_that_is_cut_is_missing_bytes() {
        for mark in 0..=255_u8 {
            let input = [[mark].as_slice(), &[1; 300]].concat();
            let mut reader = Reader { rest: &input };
            let Ok(_) = reader.next() else { continue };
            for len in 0..input.len() - reader.rest.len() {
                assert_eq!(Reader { rest: &input[..len] }.next(), Err(Malformed::Missing));
            }
        }
        assert_eq!(Reader { rest: &[0xc4, 1, 1] }.next(), Err(Malformed::Bad));
    }
}
