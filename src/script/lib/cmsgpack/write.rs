//! Values as MessagePack: each in the shortest form that the original library knows.

use crate::base::num;

/// Appends nil.
pub(super) fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends a truth value, as Lua's interface has it.
pub(super) fn boolean(truth: i32, out: &mut Vec<u8>) {
    out.push(if truth == 0 { 0xc2 } else { 0xc3 });
}

/// Appends a number: an integer if it is one of 64 bits, else a single if that is as good as a double.
pub(super) fn number(n: f64, out: &mut Vec<u8>) {
    if let Some(n) = num::i64_exactly(n) {
        return integer(n, out);
    }
    let single = num::f32_of(n);
    if f64::from(single) == n {
        out.push(0xca);
        out.extend_from_slice(&single.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&n.to_be_bytes());
    }
}

fn integer(n: i64, out: &mut Vec<u8>) {
    let bytes = n.to_be_bytes();
    let (mark, len) = match n {
        -32..=127 => return out.push(bytes[7]),
        128..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        ..=-0x8000_0001 => (0xd3, 8),
    };
    out.push(mark);
    out.extend_from_slice(&bytes[8 - len..]);
}

/// Appends a string; it is cut at 4 GiB, which is more than scripts may have.
pub(super) fn string(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    match len {
        0..=31 => out.push(0xa0 | num::low_u8(len.into())),
        32..=0xff => out.extend_from_slice(&[0xd9, num::low_u8(len.into())]),
        0x100.. => size(len, 0xda, 0xdb, out),
    }
    out.extend_from_slice(&bytes[..num::usize_of_u32(len)]);
}

/// Appends the start of an array.
pub(super) fn array(len: u32, out: &mut Vec<u8>) {
    match len {
        0..=15 => out.push(0x90 | num::low_u8(len.into())),
        16.. => size(len, 0xdc, 0xdd, out),
    }
}

/// Appends the start of a map of so many pairs.
pub(super) fn map(len: u32, out: &mut Vec<u8>) {
    match len {
        0..=15 => out.push(0x80 | num::low_u8(len.into())),
        16.. => size(len, 0xde, 0xdf, out),
    }
}

/// Appends a length of two or four bytes behind its mark.
fn size(len: u32, mark_of_two: u8, mark_of_four: u8, out: &mut Vec<u8>) {
    match u16::try_from(len) {
        Ok(len) => {
            out.push(mark_of_two);
            out.extend_from_slice(&len.to_be_bytes());
        }
        Err(_) => {
            out.push(mark_of_four);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}
