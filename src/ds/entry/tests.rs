//! Tests of the packed layout.

use super::*;

use payloads::{Coin, CoinRef, Heap, HeapRef};

#[expect(unreachable_pub, reason = "the macro declares public types")]
mod payloads {
    use super::thin_payload;

    thin_payload! {
        /// Two payload types, to tell kinds apart.
        Heap, HeapRef {
            /// Text.
            Text(Box<Vec<u8>>) = 2,
            /// A number.
            Number(Box<u128>) = 3;
            /// A type with two encodings.
            Coin(Coin) = 4..=5,
        }
    }

    thin_payload! {
        /// A type with two encodings.
        Coin, CoinRef {
            /// One.
            Head(Box<u8>) = 4,
            /// The other.
            Tail(Box<String>) = 5,
        }
    }
}

type E = Entry<Heap>;

fn embedded(entry: &E) -> &[u8] {
    match entry.value() {
        ValueRef::Embedded(bytes) => bytes,
        other => panic!("embedded bytes expected, found {other:?}"),
    }
}

#[test]
fn sixteen_byte_key_and_value_with_expiry_take_48_bytes() {
    let entry = E::new(&[b'k'; 16], NewValue::Embedded(&[b'v'; 16]), 7, Some(1));
    assert_eq!(entry.allocated_bytes(), 48);
    let entry = E::new(&[b'k'; 16], NewValue::Integer(5), 7, None);
    assert_eq!(entry.allocated_bytes(), 32);
}

#[test]
fn every_shape_keeps_its_parts() {
    for key_len in [0, 1, 16, 254, 255, 256, 70_000] {
        for value_len in [0, 1, 44, 255, 256, EMBEDDED_LEN_MAX] {
            for expiry in [None, Some(i64::MIN), Some(1_700_000_000_000)] {
                let key = vec![b'k'; key_len];
                let value = vec![b'v'; value_len];
                let entry = E::new(&key, NewValue::Embedded(&value), 0x00ab_cdef, expiry);
                assert_eq!(entry.key(), key);
                assert_eq!(embedded(&entry), value);
                assert_eq!(entry.expiry(), expiry);
                assert_eq!(entry.access(), 0x00ab_cdef);
                let entry = entry.with_expiry(Some(9)).with_key(b"other").with_expiry(None);
                assert_eq!((entry.key(), embedded(&entry)), (&b"other"[..], &value[..]));
                assert_eq!(entry.expiry(), None);
            }
        }
    }
}

#[test]
fn payloads_move_and_are_freed_once() {
    let text = Heap::Text(Box::new(b"long".to_vec()));
    let mut entry = E::new(b"k", NewValue::Payload(text), 1, None).with_expiry(Some(3));
    match entry.payload_mut().as_deref_mut() {
        Some(Heap::Text(text)) => text.extend_from_slice(b"er"),
        other => panic!("text expected, found {other:?}"),
    }
    let entry = entry.with_key(b"kk");
    match entry.value() {
        ValueRef::Payload(HeapRef::Text(text)) => assert_eq!(text.as_slice(), b"longer"),
        other => panic!("text expected, found {other:?}"),
    }
    let entry = entry.with_value(NewValue::Payload(Heap::Number(Box::new(8))));
    assert!(matches!(entry.value(), ValueRef::Payload(HeapRef::Number(8))));
    assert_eq!(entry.expiry(), Some(3));
}

#[test]
fn a_payload_may_become_another_in_place() {
    let coin = Heap::Coin(Coin::Head(Box::new(1)));
    let mut entry = E::new(b"k", NewValue::Payload(coin), 77, Some(3));
    assert!(matches!(entry.value(), ValueRef::Payload(HeapRef::Coin(CoinRef::Head(1)))));
    {
        let mut payload = entry.payload_mut().expect("it has one");
        let Heap::Coin(coin) = &mut *payload else { panic!("a coin expected") };
        *coin = Coin::Tail(Box::new("tail".to_owned()));
    }
    assert!(
        matches!(entry.value(), ValueRef::Payload(HeapRef::Coin(CoinRef::Tail(tail))) if tail == "tail")
    );
    *entry.payload_mut().expect("it has one") = Heap::Number(Box::new(5));
    assert!(matches!(entry.value(), ValueRef::Payload(HeapRef::Number(5))));
    assert_eq!((entry.key(), entry.access(), entry.expiry()), (&b"k"[..], 77, Some(3)));
    // A change that is never finished loses the value, and nothing else.
    std::mem::forget(entry.payload_mut());
    assert!(matches!(entry.value(), ValueRef::Integer(0)));
    assert!(entry.payload_mut().is_none());
}

#[test]
fn overwriting_in_place_stays_within_the_size_class() {
    let mut entry = E::new(&[b'k'; 16], NewValue::EmbeddedRaw(&[b'v'; 8]), 0, None);
    assert!(entry.is_marked_raw());
    assert!(!entry.overwrite_embedded(&[b'x'; 9]), "needs 33 bytes, has 32");
    assert!(entry.overwrite_embedded(b"short"));
    assert_eq!(embedded(&entry), b"short");
    assert!(!entry.is_marked_raw());
    let mut number = E::new(b"n", NewValue::Integer(1), 0, None);
    assert!(number.overwrite_integer(i64::MIN));
    assert!(!number.overwrite_embedded(b"x"));
}

#[test]
fn embedded_bytes_grow_and_shrink_within_the_size_class() {
    for expiry in [None, Some(5)] {
        let mut entry = E::new(&[b'k'; 16], NewValue::Embedded(b"abc"), 7, expiry);
        let room = entry.allocated_bytes() - 8 - 16 - if expiry.is_some() { 8 } else { 0 };
        assert!(entry.resize_embedded(room + 1).is_none(), "needs the next class");
        assert!(!entry.is_marked_raw());
        entry.resize_embedded(room).expect("fits")[3..].fill(b'x');
        assert!(entry.is_marked_raw());
        assert_eq!(embedded(&entry), [b"abc".as_slice(), &vec![b'x'; room - 3]].concat());
        // What was cut off does not come back.
        if let Some(bytes) = entry.resize_embedded(room - 2) {
            assert_eq!(bytes.len(), room - 2);
        }
        assert_eq!(entry.resize_embedded(room).expect("fits")[room - 2..], [0, 0]);
        assert_eq!((entry.key(), entry.expiry(), entry.access()), (&[b'k'; 16][..], expiry, 7));
    }
    assert!(E::new(b"k", NewValue::Integer(1), 0, None).resize_embedded(1).is_none());
    let mut full = E::new(b"k", NewValue::Embedded(&[0; EMBEDDED_LEN_MAX]), 0, None);
    assert!(full.resize_embedded(EMBEDDED_LEN_MAX + 1).is_none());
}

#[test]
fn an_expiry_moves_in_place_only_where_there_is_one() {
    let mut entry = E::new(b"k", NewValue::Integer(1), 0, Some(5));
    assert!(entry.move_expiry(-6));
    assert_eq!((entry.expiry(), entry.key()), (Some(-6), &b"k"[..]));
    let mut entry = E::new(b"k", NewValue::Integer(1), 0, None);
    assert!(!entry.move_expiry(5));
    assert_eq!(entry.expiry(), None);
}
