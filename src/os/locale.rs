//! The order of text in the user's language: `locale-collate`, for SORT with ALPHA.

use std::cmp::Ordering;
use std::ffi::CString;
use std::sync::atomic::{self, AtomicBool};

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
    let is_plain = matches!(chosen.to_bytes(), b"C" | b"POSIX");
    IS_PLAIN.store(is_plain, atomic::Ordering::Relaxed);
    Ok(())
}

/// Compares in the chosen order. Equal in that order but for case or accents: by bytes.
#[must_use]
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    if IS_PLAIN.load(atomic::Ordering::Relaxed) {
        return a.cmp(b);
    }
    let [left, right] = [a, b].map(up_to_nul);
    // SAFETY: both are live strings.
    let order = unsafe { libc::strcoll(left.as_ptr(), right.as_ptr()) };
    order.cmp(&0).then_with(|| a.cmp(b))
}

/// The C library compares text up to a NUL.
fn up_to_nul(text: &[u8]) -> CString {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    CString::new(&text[..end]).expect("the text ends before its first NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_rule_until_a_locale_is_chosen() {
        assert_eq!(compare(b"B", b"a"), Ordering::Less);
        set_collation("no such locale").unwrap_err();
        set_collation("a\0b").unwrap_err();
        set_collation("C.UTF-8").unwrap();
        assert_eq!(compare(b"a", b"b"), Ordering::Less);
        assert_eq!(compare(b"a\0x", b"a\0y"), Ordering::Less);
        assert_eq!(compare(b"", b""), Ordering::Equal);
        set_collation("C").unwrap();
        assert_eq!(compare(b"\xff", b"\x01"), Ordering::Greater);
    }
}
