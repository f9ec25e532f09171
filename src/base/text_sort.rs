//! Sorting many texts, or numbers and then texts.
//!
//! A comparison of two texts waits for memory twice, and sorting a million of them takes twenty million.
//! Here each item carries a word that decides most comparisons: first the caller's, then, among those
//! that are equal in it, the next few bytes of the text, and so on. Texts are visited once for each word,
//! not once for each comparison.

/// Bytes of text in a word; the last byte of the word says how many there are.
const WORD_TEXT_LEN: usize = 7;
/// Runs of equal words no longer than this are compared directly.
const DIRECT_LEN_MAX: usize = 12;
/// Text that is compared by words; what is equal in all of it is compared directly.
const WORDS_MAX: usize = 32;

/// An item with the word that it is compared by first.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<T> {
    /// Less for what comes first.
    pub word: u64,
    /// What is sorted.
    pub item: T,
}

/// Sorts by the words, then by the texts that `text_of` gives. Items that are equal in both come in any
/// order. O(n log n).
pub fn sort<'a, T: Copy>(items: &mut [Keyed<T>], text_of: impl Fn(T) -> &'a [u8]) {
    items.sort_unstable_by_key(|keyed| keyed.word);
    for run in items.chunk_by_mut(|a, b| a.word == b.word) {
        refine(run, 0, &text_of);
    }
}

/// Sorts items whose texts are equal in the first `words` words.
fn refine<'a, T: Copy>(run: &mut [Keyed<T>], words: usize, text_of: &impl Fn(T) -> &'a [u8]) {
    if run.len() < 2 {
        return;
    }
    let start = words * WORD_TEXT_LEN;
    if run.len() <= DIRECT_LEN_MAX || words == WORDS_MAX {
        return run
            .sort_unstable_by(|a, b| text_of(a.item)[start..].cmp(&text_of(b.item)[start..]));
    }
    for keyed in &mut *run {
        keyed.word = word_of(&text_of(keyed.item)[start..]);
    }
    run.sort_unstable_by_key(|keyed| keyed.word);
    for run in run.chunk_by_mut(|a, b| a.word == b.word) {
        // A text that ends within the word is equal to all others of the run.
        if run[0].word & 0xff > super::num::u64_of(WORD_TEXT_LEN) {
            refine(run, words + 1, text_of);
        }
    }
}

/// The first bytes, and then whether they are all: less for a text that is less in them.
fn word_of(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = text.len().min(WORD_TEXT_LEN);
    bytes[..len].copy_from_slice(&text[..len]);
    bytes[WORD_TEXT_LEN] = super::num::low_u8(super::num::u64_of(text.len().min(8)));
    u64::from_be_bytes(bytes)
}

/// A number as a word, the less the lower the number. Both zeros are one number.
#[inline]
#[must_use]
pub fn word_of_number(number: f64) -> u64 {
    // Adding zero makes a zero of either sign a positive one.
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

#[cfg(test)]
mod tests {
    use super::super::num;
    use super::super::rng::Rng;
    use super::*;

    fn sorted(texts: &[(u64, Vec<u8>)]) -> Vec<(u64, Vec<u8>)> {
        let mut keyed: Vec<Keyed<usize>> = texts
            .iter()
            .enumerate()
            .map(|(index, (word, _))| Keyed { word: *word, item: index })
            .collect();
        sort(&mut keyed, |index| &texts[index].1);
        keyed.iter().map(|keyed| texts[keyed.item].clone()).collect()
    }

    #[test]
    fn the_order_is_that_of_words_then_bytes() {
        let mut rng = Rng::seeded(3);
        for round in 0..300 {
            let alphabet = 1 + rng.below(3);
            let prefix = vec![b'p'; rng.below_usize(if round % 10 == 0 { 400 } else { 20 })];
            let texts: Vec<(u64, Vec<u8>)> = (0..rng.below_usize(200))
                .map(|_| {
                    let mut text =
                        prefix[..prefix.len() - rng.below_usize(2).min(prefix.len())].to_vec();
                    text.extend((0..rng.below(20)).map(|_| num::low_u8(rng.below(alphabet))));
                    (rng.below(3), text)
                })
                .collect();
            let mut expected = texts.clone();
            expected.sort();
            assert_eq!(sorted(&texts), expected);
        }
    }

    #[test]
    fn words_of_numbers_ascend_with_them() {
        let numbers = [f64::NEG_INFINITY, -1e300, -1.5, -5e-324, 0.0, 5e-324, 2.0, f64::INFINITY];
        assert!(numbers.is_sorted_by_key(|number| word_of_number(*number)));
        let mut words = numbers.map(word_of_number).to_vec();
        words.dedup();
        assert_eq!(words.len(), numbers.len());
        assert_eq!(word_of_number(-0.0), word_of_number(0.0));
    }
}
