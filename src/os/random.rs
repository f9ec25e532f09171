//! Randomness from the kernel: seeds for the generators and hash keys, and the run id.

use std::fs::File;
use std::io::{self, Read};

/// Bytes of a run id: hexadecimal digits.
pub const RUN_ID_LEN: usize = 40;

/// Fills `buffer` with random bytes fit for secrets. One system call for each 256 bytes.
///
/// # Errors
/// Where the `getrandom` call is refused (an old kernel, a sandbox) and `/dev/urandom` cannot be
/// read either.
pub fn fill(buffer: &mut [u8]) -> io::Result<()> {
    let mut rest = &mut *buffer;
    while !rest.is_empty() {
        // SAFETY: the pointer and length are those of one live, writable slice.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(got) {
            Ok(count) => rest = &mut rest[count..],
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return File::open("/dev/urandom")?.read_exact(rest),
            },
        }
    }
    Ok(())
}

/// A seed for a generator or a hash: 256 random bits.
///
/// # Errors
/// As [`fill`].
pub fn seed() -> io::Result<[u64; 4]> {
    let mut seed = [0; 4];
    for word in &mut seed {
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        *word = u64::from_ne_bytes(bytes);
    }
    Ok(seed)
}

/// A fresh run id: forty lower-case hexadecimal digits.
///
/// # Errors
/// As [`fill`].
pub fn run_id() -> io::Result<[u8; RUN_ID_LEN]> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut id = [0; RUN_ID_LEN];
    fill(&mut id)?;
    for byte in &mut id {
        *byte = DIGITS[usize::from(*byte & 15)];
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_hexadecimal_and_differ() {
        let [first, second] = [run_id().unwrap(), run_id().unwrap()];
        assert_ne!(first, second);
        assert!(first.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b)));
    }

    #[test]
    fn a_long_buffer_is_filled_to_its_end() {
        let mut buffer = vec![0; 10_000];
        fill(&mut buffer).unwrap();
        assert!(buffer[9_900..].iter().any(|byte| *byte != 0));
        assert_ne!(seed().unwrap(), seed().unwrap());
    }
}
