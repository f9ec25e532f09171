//! Whether names and members are there once.

use crate::base::hash::HashKey;
use crate::ds::listpack::Listpack;

/// Up to so many are compared with each other.
const FEW: usize = 8;

/// Whether of the elements, taken `step` at a time, the first ones differ from each other. O(n log n).
pub(super) fn are_distinct(list: &Listpack, step: usize, hash_key: HashKey) -> bool {
    let firsts = || list.iter().step_by(step);
    let count = firsts().count();
    let all_differ = || {
        let mut rest = firsts();
        while let Some(one) = rest.next() {
            if rest.clone().any(|other| other == one) {
                return false;
            }
        }
        true
    };
    if count <= FEW {
        return all_differ();
    }
    let mut hashes: Vec<u64> =
        firsts().map(|element| element.with_text(|text| hash_key.hash(text))).collect();
    hashes.sort_unstable();
    // Different texts of one hash are so rare that looking closer may take its time.
    hashes.windows(2).all(|pair| pair[0] != pair[1]) || all_differ()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ds::listpack::Element;

    #[test]
    fn texts_are_compared_however_they_are_kept() {
        let key = HashKey::new(1, 2);
        for count in [2, FEW, 100] {
            let mut list = Listpack::new();
            for n in 0..count {
                list.push_back(Element::Bytes(n.to_string().as_bytes()));
                list.push_back(b"the same");
            }
            assert!(are_distinct(&list, 2, key));
            assert!(!are_distinct(&list, 1, key));
            list.push_back(b"1");
            assert!(!are_distinct(&list, 2, key), "{count}");
        }
    }
}
