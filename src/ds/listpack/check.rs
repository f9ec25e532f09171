//! Checks bytes that somebody else wrote.

use super::element::{self, END};
use super::{COUNT_UNKNOWN, HEADER_LEN, Header, LEN_MIN};

/// Why bytes are no listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There are fewer bytes than an empty listpack has.
    TooShort {
        /// Bytes there are.
        len: usize,
    },
    /// The header states another length.
    WrongLength {
        /// Bytes stated.
        stated: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The last byte is not the end mark.
    NoEnd,
    /// No element begins here.
    BadElement {
        /// Offset, bytes.
        at: usize,
    },
    /// An element is longer than what follows.
    Truncated {
        /// Offset of the element, bytes.
        at: usize,
    },
    /// The backlen does not state the element's size.
    BadBacklen {
        /// Offset of the element, bytes.
        at: usize,
    },
    /// The header states another number of elements.
    WrongCount {
        /// Elements stated.
        stated: usize,
        /// Elements there are.
        found: usize,
    },
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooShort { len } => write!(f, "{len} bytes are too few for a listpack"),
            Self::WrongLength { stated, found } => {
                write!(f, "a listpack of {found} bytes states {stated}")
            }
            Self::NoEnd => write!(f, "the listpack lacks its end mark"),
            Self::BadElement { at } => write!(f, "no listpack element begins at offset {at}"),
            Self::Truncated { at } => write!(f, "the listpack element at offset {at} is cut off"),
            Self::BadBacklen { at } => {
                write!(f, "the listpack element at offset {at} has a wrong backlen")
            }
            Self::WrongCount { stated, found } => {
                write!(f, "a listpack of {found} elements states {stated}")
            }
        }
    }
}

impl std::error::Error for Malformed {}

/// Whether header and end are those of a listpack of so many bytes. O(1).
///
/// # Errors
/// What is wrong.
pub fn check_header(bytes: &[u8]) -> Result<(), Malformed> {
    if bytes.len() < LEN_MIN {
        return Err(Malformed::TooShort { len: bytes.len() });
    }
    let stated = Header::of(bytes).total;
    if stated != bytes.len() {
        return Err(Malformed::WrongLength { stated, found: bytes.len() });
    }
    if bytes.last() != Some(&END) {
        return Err(Malformed::NoEnd);
    }
    Ok(())
}

/// Whether all bytes are those of a listpack; gives the number of its elements. O(elements).
///
/// # Errors
/// The first thing wrong.
pub fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    check_header(bytes)?;
    let end = bytes.len() - 1;
    let mut at = HEADER_LEN;
    let mut found = 0;
    while at < end {
        at += check_element(&bytes[..end], at)?;
        found += 1;
    }
    let stated = Header::of(bytes).count;
    if stated == COUNT_UNKNOWN || usize::from(stated) == found {
        Ok(found)
    } else {
        Err(Malformed::WrongCount { stated: usize::from(stated), found })
    }
}

/// Checks the element at `at`, which is in `bytes`; gives its size with the backlen.
fn check_element(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let rest = &bytes[at..];
    let head_len = element::head_len(rest[0]).ok_or(Malformed::BadElement { at })?;
    if rest.len() < head_len {
        return Err(Malformed::Truncated { at });
    }
    let size = element::size_at(rest);
    // Nearly all elements are short, and comparing one byte takes a third of the time.
    if element::backlen_len(size) == 1 {
        return match rest.get(size) {
            None => Err(Malformed::Truncated { at }),
            Some(&backlen) if usize::from(backlen) == size => Ok(size + 1),
            Some(_) => Err(Malformed::BadBacklen { at }),
        };
    }
    let (backlen, backlen_len) = element::backlen(size);
    let Some(found) = rest.get(size..size + backlen_len) else {
        return Err(Malformed::Truncated { at });
    };
    if found == &backlen[..backlen_len] {
        Ok(size + backlen_len)
    } else {
        Err(Malformed::BadBacklen { at })
    }
}
