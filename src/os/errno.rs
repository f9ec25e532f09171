//! The operating system's words for its errors, without the number Rust adds.

use std::ffi::CStr;
use std::io;

/// `Permission denied` instead of `Permission denied (os error 13)`: log lines and replies quote
/// errors as C programs print them.
#[must_use]
pub fn text(error: &io::Error) -> String {
    let Some(code) = error.raw_os_error() else { return error.to_string() };
    let mut buffer = [0; 128];
    // SAFETY: the pointer and length are those of one live, writable array.
    let status = unsafe { libc::strerror_r(code, buffer.as_mut_ptr(), buffer.len()) };
    if status != 0 {
        return error.to_string();
    }
    // SAFETY: on success the C library leaves a text ended by NUL inside the array.
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_have_no_number() {
        let check = |error: io::Error, expected: &str| assert_eq!(text(&error), expected);
        check(io::Error::from_raw_os_error(libc::EACCES), "Permission denied");
        check(io::Error::from_raw_os_error(libc::ENOENT), "No such file or directory");
        check(io::Error::other("of our own"), "of our own");
    }
}
