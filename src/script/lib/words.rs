//! A stack of words in a buffer of bytes: where a function that may not own anything, nor recurse as
//! deep as its input, keeps what it comes back to.

/// The bytes of a word.
const WORD: usize = size_of::<u64>();

/// Puts a word on top.
pub(super) fn push(buffer: &mut Vec<u8>, word: u64) {
    buffer.extend_from_slice(&word.to_le_bytes());
}

/// Takes the word on top; `None` if there is none.
pub(super) fn pop(buffer: &mut Vec<u8>) -> Option<u64> {
    let word = u64::from_le_bytes(*buffer.last_chunk()?);
    buffer.truncate(buffer.len() - WORD);
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_in_reverse() {
        let mut buffer = Vec::new();
        for word in [1, u64::MAX, 0] {
            push(&mut buffer, word);
        }
        let taken: Vec<_> = std::iter::from_fn(|| pop(&mut buffer)).collect();
        assert_eq!(taken, [0, u64::MAX, 1]);
        assert!(buffer.is_empty());
    }
}
