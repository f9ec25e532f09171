//! The order of text in the user's language: `locale-collate`, for SORT with ALPHA.

use crate::command::host::Collation;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};

/// The C library knows no such locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLocale;

/// True while text is ordered by its bytes.
static IS_PLAIN: AtomicBool = AtomicBool::new(true);

/// Chooses the order: a locale's name, or an empty one for what the environment says. Until the
/// first call text is ordered by its bytes. Call it on the thread that compares.
///
/// # Errors
/// If there is no such locale; then nothing has changed.
pub fn set_collation(name: &str) -> Result<(), UnknownLocale> {
    let name = CString::new(name).map_err(|_| UnknownLocale)?;
    // SAFETY: `name` is a live string; only the thread of the caller compares.
    let chosen = unsafe { libc::setlocale(libc::LC_COLLATE, name.as_ptr()) };
    if chosen.is_null() {
        return Err(UnknownLocale);
    }
    // SAFETY: the C library returns a string that stays until the next `setlocale`.
    let chosen = unsafe { std::ffi::CStr::from_ptr(chosen) };
    // These have the order of code points, which is that of the bytes of UTF-8.
    let is_plain = matches!(chosen.to_bytes(), b"C" | b"POSIX" | b"C.UTF-8" | b"C.utf8");
    IS_PLAIN.store(is_plain, Ordering::Relaxed);
    Ok(())
}

/// The chosen order.
#[must_use]
pub fn collation() -> Collation {
    if IS_PLAIN.load(Ordering::Relaxed) { Collation::Bytes } else { Collation::Keys }
}

/// Appends bytes that are to each other as the texts are in the chosen order. Unlike comparing two texts
/// through the C library, comparing such keys cannot contradict itself.
pub fn put_key(text: &[u8], out: &mut Vec<u8>) {
    // The C library reads text up to a NUL.
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let text = CString::new(&text[..end]).expect("the text ends before its first NUL");
    let start = out.len();
    let mut room = 4 * end + 32;
    loop {
        out.resize(start + room, 0);
        let key = out[start..].as_mut_ptr().cast();
        // SAFETY: `text` is a live string, and `key` has room for `room` bytes.
        let needed = unsafe { libc::strxfrm(key, text.as_ptr(), room) };
        if needed < room {
            return out.truncate(start + needed);
        }
        room = needed.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_rule_until_a_locale_is_chosen() {
        assert_eq!(collation(), Collation::Bytes);
        set_collation("no such locale").unwrap_err();
        set_collation("a\0b").unwrap_err();
        set_collation("C.UTF-8").unwrap();
        assert_eq!(collation(), Collation::Bytes);
    }

    #[test]
    fn keys_are_in_the_order_of_their_texts() {
        set_collation("C").unwrap();
        let mut keys = Vec::new();
        for text in [&b""[..], b"B", b"a", b"a\0x", b"ab", &[b'x'; 5000]] {
            let start = keys.len();
            put_key(text, &mut keys);
            let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            assert_eq!(&keys[start..], &text[..end]);
        }
    }
}
