//! The listpack against a vector of vectors, against bytes written by Redis, and against bytes that
//! nobody should have written.

use super::*;
use crate::base::rng::Rng;

type Oracle = Vec<Vec<u8>>;

fn packed(texts: &[&[u8]]) -> Listpack {
    let mut list = Listpack::new();
    for text in texts {
        list.push_back(*text);
    }
    list.check_invariants();
    list
}

fn texts(list: &Listpack) -> Oracle {
    list.iter().map(|element| element.to_vec()).collect()
}

/// A text of any encoding.
fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0..=4 => {
            let bits = rng.below(64);
            (rng.next_u64().cast_signed() >> bits).to_string().into_bytes()
        }
        5 => [&b"00"[..], b"-0", b"+1", b"", b"9223372036854775808", b"-9223372036854775809"]
            [rng.below_usize(6)]
        .to_vec(),
        kind => {
            let len_max = [4, 20, 70, 200, 5_000, 20_000][usize::try_from(kind).unwrap() - 6];
            let mut text = vec![0; rng.below_usize(len_max)];
            rng.fill(&mut text);
            text
        }
    }
}

#[test]
fn the_bytes_are_those_of_redis() {
    // Written by redis-server 7.0.15: RPUSH with these elements, then DUMP.
    let list = packed(&[b"a", b"127", b"-1", b"4095", b"-4096", b"4096", b"-32769", b"8388608"]);
    let elements: &[&[u8]] = &[
        &[0x81, b'a', 2],
        &[0x7f, 1],
        &[0xdf, 0xff, 2],
        &[0xcf, 0xff, 2],
        &[0xd0, 0x00, 2],
        &[0xf1, 0x00, 0x10, 3],
        &[0xf2, 0xff, 0x7f, 0xff, 4],
        &[0xf3, 0x00, 0x00, 0x80, 0x00, 5],
    ];
    let mut bytes = vec![7 + 29, 0, 0, 0, 8, 0];
    bytes.extend(elements.concat());
    bytes.push(0xff);
    assert_eq!(list.as_bytes(), bytes);
    let list = packed(&[&[b'x'; 64], &i64::MIN.to_string().into_bytes()]);
    assert_eq!(list.as_bytes()[6..8], [0xe0, 64]);
    assert_eq!(list.as_bytes()[6 + 66], 66);
    assert_eq!(list.as_bytes()[73..], [0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9, 0xff]);
    let list = packed(&[&[b'x'; 4096]]);
    assert_eq!(list.as_bytes()[6..11], [0xf0, 0, 16, 0, 0]);
    assert_eq!(list.as_bytes()[6 + 4101..], [0x20, 0x85, 0xff]);
}

#[test]
fn backlens_have_the_widths_of_the_format() {
    for (size, len) in [
        (1, 1),
        (127, 1),
        (128, 2),
        (16_382, 2),
        (16_383, 3),
        (2_097_150, 3),
        (2_097_151, 4),
        (268_435_454, 4),
        (268_435_455, 5),
        (4_294_967_295, 5),
    ] {
        let (bytes, found) = element::backlen(size);
        assert_eq!((found, element::backlen_len(size)), (len, len));
        assert_eq!(element::size_before(&bytes[..len]), Some(size));
    }
}

#[test]
fn integers_of_every_width_come_back() {
    let mut list = Listpack::new();
    let mut numbers = vec![0i64];
    for bit in 0..64 {
        for near in -2..=2 {
            numbers.push((1i64 << bit).wrapping_add(near));
            numbers.push((1i64 << bit).wrapping_neg().wrapping_add(near));
        }
    }
    for &n in &numbers {
        list.push_back(n);
        let as_text = packed(&[n.to_string().as_bytes()]);
        assert!(matches!(as_text.get(as_text.first().unwrap()), Element::Integer(m) if m == n));
        assert_eq!(encoded_len(n.to_string().as_bytes()), as_text.bytes() - LEN_MIN);
    }
    list.check_invariants();
    let found: Vec<_> = list.iter().map(|element| element.integer().unwrap()).collect();
    assert_eq!(found, numbers);
}

#[test]
fn only_canonical_integers_are_kept_as_such() {
    for text in [&b"007"[..], b"-0", b"+5", b" 1", b"1 ", b"", b"9223372036854775808", b"1e3"] {
        let list = packed(&[text]);
        assert!(matches!(list.get(list.first().unwrap()), Element::Bytes(found) if found == text));
    }
}

#[test]
fn elements_are_equal_if_their_texts_are() {
    assert_eq!(Element::Integer(12), Element::Bytes(b"12"));
    assert_eq!(Element::Bytes(b"12"), Element::Integer(12));
    assert_ne!(Element::Bytes(b"012"), Element::Integer(12));
    assert_ne!(Element::Integer(1), Element::Integer(2));
    assert!(Element::Bytes(b"x").is(b"x") && !Element::Bytes(b"x").is(b"y"));
    assert_eq!(Element::Integer(-10).text_len(), 3);
    assert_eq!(Element::Integer(-10).text(&mut Digits::new()), b"-10");
    assert!(Element::Bytes(b"7").with_text(|text| text == b"7"));
}

#[test]
fn seek_counts_from_both_ends() {
    for len in 0..20i64 {
        let mut list = Listpack::new();
        (0..len).for_each(|n| list.push_back(n));
        for index in -25..25 {
            let wanted = if index < 0 { index + len } else { index };
            let wanted = (0..len).contains(&wanted).then_some(wanted);
            let found = list.seek(index).map(|at| list.get(at).integer().unwrap());
            assert_eq!(found, wanted, "{index} of {len}");
        }
        assert_eq!(list.seek(i64::MIN), None);
        assert_eq!(list.seek(i64::MAX), None);
    }
}

#[test]
fn find_compares_every_few_elements() {
    let list = packed(&[b"a", b"1", b"b", b"a", b"17", b"b"]);
    let at = |index| list.seek(index);
    let first = list.first().unwrap();
    assert_eq!(list.find(b"a", first, 0), at(0));
    assert_eq!(list.find(b"a", at(1).unwrap(), 0), at(3));
    assert_eq!(list.find(b"17", first, 0), at(4));
    assert_eq!(list.find(b"017", first, 0), None);
    assert_eq!(list.find(b"a", at(1).unwrap(), 1), at(3));
    assert_eq!(list.find(b"b", first, 1), at(2));
    assert_eq!(list.find(b"1", first, 1), None);
    assert_eq!(list.find(b"b", at(2).unwrap(), 2), at(2));
    assert_eq!(list.find(b"c", at(5).unwrap(), 7), None);
}

#[test]
fn beyond_65_534_elements_are_counted() {
    let mut list = Listpack::new();
    let many = vec![Element::Integer(1); 65_534];
    list.push_back_all(&many);
    assert_eq!(list.as_bytes()[4..6], [0xfe, 0xff]);
    list.push_back(2);
    assert_eq!((list.as_bytes()[4..6].to_vec(), list.len()), (vec![0xff, 0xff], 65_535));
    list.push_front(3);
    assert_eq!(list.len(), 65_536);
    assert_eq!(list.seek(-1).map(|at| list.get(at)), Some(Element::Integer(2)));
    assert_eq!(list.seek(65_536), None);
    assert_eq!(list.seek(-65_537), None);
    list.check_invariants();
    assert_eq!(list.delete_range(1, 2), 2);
    assert_eq!((list.as_bytes()[4..6].to_vec(), list.len()), (vec![0xfe, 0xff], 65_534));
    list.check_invariants();
}

#[test]
fn lists_are_split_and_joined() {
    for len in 1..12 {
        for place in 0..len {
            let mut list = Listpack::new();
            (0..len).for_each(|n| list.push_back(n * 1000));
            let whole = texts(&list);
            let behind = list.split_off(list.seek(place).unwrap());
            list.check_invariants();
            behind.check_invariants();
            let place = usize::try_from(place).unwrap();
            assert_eq!((texts(&list), texts(&behind)), {
                (whole[..place].to_vec(), whole[place..].to_vec())
            });
            list.append(&behind);
            list.check_invariants();
            assert_eq!(texts(&list), whole);
        }
    }
}

/// One random change to both.
fn step(list: &mut Listpack, oracle: &mut Oracle, rng: &mut Rng) {
    let text = random_text(rng);
    let place = (!oracle.is_empty()).then(|| rng.below_usize(oracle.len()));
    let cursor = place.map(|place| list.seek(num::i64_of(place)).unwrap());
    let place = place.unwrap_or(0);
    match (rng.below(12), cursor) {
        (0, _) | (_, None) => {
            list.push_front(&text);
            oracle.insert(0, text);
        }
        (1..=2, _) => {
            list.push_back(&text);
            oracle.push(text);
        }
        (3, Some(at)) => {
            let new = list.insert_before(at, &text);
            assert!(list.get(new).is(&text));
            oracle.insert(place, text);
        }
        (4, Some(at)) => {
            let new = list.insert_after(at, &text);
            assert!(list.get(new).is(&text));
            oracle.insert(place + 1, text);
        }
        (5, Some(at)) => {
            list.replace(at, &text);
            oracle[place] = text;
        }
        (6, Some(at)) => {
            let next = list.delete(at).map(|next| list.get(next).to_vec());
            oracle.remove(place);
            assert_eq!(next.as_ref(), oracle.get(place));
        }
        (7, Some(at)) => {
            let count = rng.below_usize(4);
            let next = list.delete_run(at, count).map(|next| list.get(next).to_vec());
            oracle.drain(place..(place + count).min(oracle.len()));
            assert_eq!(next.as_ref(), oracle.get(place));
        }
        (8, Some(_)) => {
            let count = rng.below_usize(oracle.len() * 2);
            let removed = count.min(oracle.len() - place);
            let index = num::i64_of(place) - num::i64_of(oracle.len());
            assert_eq!(list.delete_range(index, count), removed);
            oracle.drain(place..place + removed);
        }
        (9, Some(at)) => {
            let elements = [Element::Bytes(&text), Element::Integer(7), Element::Bytes(b"12")];
            let new = list.insert_all_before(at, &elements);
            assert!(list.get(new).is(&text));
            oracle.splice(place..place, elements.map(|element| element.to_vec()));
        }
        (10, Some(at)) => {
            let mut behind = list.split_off(at);
            behind.check_invariants();
            behind.append(list);
            *list = behind;
            oracle.rotate_left(place);
        }
        (_, Some(at)) => look(list, oracle, at, place, &text),
    }
}

/// Reads both from `place` on, both ways, and looks `text` up.
fn look(list: &Listpack, oracle: &Oracle, at: Cursor, place: usize, text: &[u8]) {
    let forward: Oracle = list.iter_from(at).map(|element| element.to_vec()).collect();
    assert_eq!(forward, oracle[place..]);
    let mut back: Oracle = list.rev_iter_from(at).map(|element| element.to_vec()).collect();
    back.reverse();
    assert_eq!(back, oracle[..=place]);
    let wanted = oracle.iter().position(|found| found.as_slice() == text);
    let found = list.find(text, list.first().unwrap(), 0);
    assert_eq!(found, wanted.and_then(|index| list.seek(num::i64_of(index))));
}

#[test]
fn random_changes_agree_with_a_vector() {
    for seed in 0..20 {
        let mut rng = Rng::seeded(seed);
        let (mut list, mut oracle) = (Listpack::new(), Oracle::new());
        for _ in 0..400 {
            step(&mut list, &mut oracle, &mut rng);
            list.check_invariants();
            assert_eq!((list.len(), list.is_empty()), (oracle.len(), oracle.is_empty()));
            assert_eq!(texts(&list), oracle);
            let len: usize = oracle.iter().map(|text| encoded_len(text)).sum();
            assert_eq!(list.bytes(), len + LEN_MIN);
            if oracle.len() > 30 {
                list.clear();
                oracle.clear();
            }
        }
        let copy = Listpack::from_bytes(list.as_bytes()).unwrap();
        assert_eq!(texts(&copy), oracle);
    }
}

#[test]
fn malformed_bytes_are_refused() {
    let bad = |bytes: &[u8]| Listpack::from_bytes(bytes).err();
    assert_eq!(bad(&[]), Some(Malformed::TooShort { len: 0 }));
    assert_eq!(bad(&[6, 0, 0, 0, 0, 0]), Some(Malformed::TooShort { len: 6 }));
    let stated = Malformed::WrongLength { stated: 8, found: 7 };
    assert_eq!(bad(&[8, 0, 0, 0, 0, 0, 0xff]), Some(stated));
    assert_eq!(bad(&[7, 0, 0, 0, 0, 0, 0]), Some(Malformed::NoEnd));
    assert_eq!(bad(&[8, 0, 0, 0, 0, 0, 0xff, 0xff]), Some(Malformed::BadElement { at: 6 }));
    assert_eq!(bad(&[8, 0, 0, 0, 0, 0, 0xf5, 0xff]), Some(Malformed::BadElement { at: 6 }));
    assert_eq!(bad(&[8, 0, 0, 0, 1, 0, 0xf0, 0xff]), Some(Malformed::Truncated { at: 6 }));
    assert_eq!(bad(&[9, 0, 0, 0, 1, 0, 0x82, 2, 0xff]), Some(Malformed::Truncated { at: 6 }));
    assert_eq!(bad(&[9, 0, 0, 0, 1, 0, 1, 2, 0xff]), Some(Malformed::BadBacklen { at: 6 }));
    let count = Malformed::WrongCount { stated: 2, found: 1 };
    assert_eq!(bad(&[9, 0, 0, 0, 2, 0, 1, 1, 0xff]), Some(count));
    let unknown = Listpack::from_bytes(&[9, 0, 0, 0, 0xff, 0xff, 1, 1, 0xff]).unwrap();
    assert_eq!(unknown.len(), 1);
    // A length of nearly 4 GiB in a short listpack.
    let long = [13, 0, 0, 0, 1, 0, 0xf0, 0xff, 0xff, 0xff, 0xff, 1, 0xff];
    assert_eq!(bad(&long), Some(Malformed::Truncated { at: 6 }));
}

#[test]
fn damaged_bytes_are_refused_or_well_formed() {
    let mut rng = Rng::seeded(5);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut list = Listpack::new();
        for _ in 0..rng.below(6) {
            let mut text = random_text(&mut rng);
            text.truncate(100);
            list.push_back(&text);
        }
        let mut bytes = list.as_bytes().to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below_usize(bytes.len());
            bytes[at] = num::low_u8(rng.next_u64());
        }
        if rng.below(4) == 0 {
            bytes.truncate(rng.below_usize(bytes.len()));
        }
        if let Ok(mut list) = Listpack::from_bytes(&bytes) {
            list.check_invariants();
            list.push_front(b"x");
            list.delete_range(0, 3);
            list.check_invariants();
            accepted += 1;
        }
    }
    assert!(accepted > 100, "{accepted}: most damage within texts goes unnoticed");
}
