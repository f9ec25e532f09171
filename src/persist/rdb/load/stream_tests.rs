//! Streams made by hand, sound and not.

use super::tests::value_of;
use crate::base::num;
use crate::ds::listpack::{Element, Listpack};
use crate::persist::rdb::format::kind;
use crate::persist::rdb::load::Sanitize;
use crate::value::stream::StreamId;
use crate::value::{Entry, Stream};

/// A listpack of integers and texts.
fn listpack(elements: &str) -> Vec<u8> {
    let mut list = Listpack::new();
    for word in elements.split(' ') {
        list.push_back(match num::parse_i64(word.as_bytes()) {
            Some(n) => Element::Integer(n),
            None => Element::Bytes(word.as_bytes()),
        });
    }
    list.as_bytes().to_vec()
}

/// A string as it is in a file.
fn text(text: &[u8]) -> Vec<u8> {
    let len = num::u32_of(text.len(), "short").to_be_bytes();
    [&[0x80][..], &len, text].concat()
}

fn node(ms: u64, seq: u64, elements: &str) -> Vec<u8> {
    let id = StreamId::new(ms, seq).to_bytes();
    [text(&id), text(&listpack(elements))].concat()
}

/// Numbers below 64, or -1, as they are in a file.
fn numbers(numbers: &[i64]) -> Vec<u8> {
    let one = |&n: &i64| match u8::try_from(n) {
        Ok(n) => vec![n],
        Err(_) => [&[0x81][..], &n.to_be_bytes()].concat(),
    };
    numbers.iter().flat_map(one).collect()
}

fn pending(ms: u64, deliveries: u8) -> Vec<u8> {
    let id = StreamId::new(ms, 0).to_bytes();
    [&id[..], &1234i64.to_le_bytes(), &[deliveries]].concat()
}

/// A consumer that is pending for the entries of these milliseconds, the second part of whose IDs is 0.
fn consumer(name: &str, active: Option<i64>, ids: &[u64]) -> Vec<u8> {
    let mut bytes = [&text(name.as_bytes())[..], &1500i64.to_le_bytes()].concat();
    bytes.extend(active.into_iter().flat_map(i64::to_le_bytes));
    bytes.push(num::u8_of(ids.len(), "few"));
    for &ms in ids {
        bytes.extend(StreamId::new(ms, 0).to_bytes());
    }
    bytes
}

/// What is known of a stream, beside its entries.
fn describe(entry: &Entry) -> String {
    let stream = Stream::of(entry).expect("a stream");
    let log = &stream.log;
    let mut out = format!(
        "len {} first {} last {} deleted {} added {}",
        log.len(),
        log.first_id(),
        log.last_id(),
        log.max_deleted_id(),
        log.entries_added()
    );
    for (name, group) in stream.groups.iter() {
        let read = group.entries_read();
        out += &format!("; {} at {} read {read:?}", name.escape_ascii(), group.last_id());
        for (_, consumer) in group.consumers() {
            let ids = consumer.pending_ids(StreamId::MIN..=StreamId::MAX);
            let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
            let name = consumer.name().escape_ascii();
            let times = (consumer.seen_ms, consumer.active_ms);
            out += &format!("; '{name}' {times:?} {}", ids.join(" "));
        }
    }
    out
}

const SANITIZE: [Sanitize; 2] = [Sanitize::Yes, Sanitize::No];

#[track_caller]
fn check(code: u8, parts: &[&[u8]], expected: &str) {
    for sanitize in SANITIZE {
        let found = value_of(code, &parts.concat(), sanitize, describe);
        assert_eq!(found.as_deref(), Ok(expected));
    }
}

#[track_caller]
fn refused(parts: &[&[u8]], expected: &str) {
    for sanitize in SANITIZE {
        let found = value_of(kind::STREAM_LISTPACKS_2, &parts.concat(), sanitize, describe);
        let error = found.expect_err("refused");
        assert!(error.starts_with(expected), "{error}");
    }
}

/// Two entries at 5-1 and 5-3, one deleted between them, and one with other fields at 6-0.
const ELEMENTS: &str = "3 1 2 a b 0 2 0 0 va vb 5 3 0 1 va vb 5 2 0 2 12 vb 5 0 1 -1 1 f v 6";

fn sound() -> Vec<u8> {
    [&[1][..], &node(5, 1, ELEMENTS)].concat()
}

#[test]
fn a_stream_of_redis_7_0_comes_through() {
    let counters = numbers(&[3, 6, 0, 5, 1, 5, 2, 9]);
    let groups = [
        &[2][..],
        &text(b"g"),
        &numbers(&[6, 0, 9, 2]),
        &pending(5, 1),
        &pending(6, 3),
        &[2],
        &consumer("c", None, &[5]),
        &consumer("d", None, &[6]),
        &text(b"h"),
        &numbers(&[0, 0, -1, 0, 1]),
        &consumer("", None, &[]),
    ]
    .concat();
    check(
        kind::STREAM_LISTPACKS_2,
        &[&sound(), &counters, &groups],
        "len 3 first 5-1 last 6-0 deleted 5-2 added 9; g at 6-0 read Some(9); \
         'c' (1500, Some(1500)) 5-0; 'd' (1500, Some(1500)) 6-0; h at 0-0 read None; \
         '' (1500, Some(1500)) ",
    );
    check(
        kind::STREAM_LISTPACKS_2,
        &[&numbers(&[0, 0, 7, 8, 0, 0, 7, 2, 20, 0])],
        "len 0 first 0-0 last 7-8 deleted 7-2 added 20",
    );
}

#[test]
fn what_other_layouts_have_or_lack_is_filled_in() {
    let group = |active: Option<i64>| {
        let head = [&[1][..], &text(b"g"), &numbers(&[6, 0])].concat();
        let read = active.map_or(Vec::new(), |_| vec![4]);
        let rest = [&[1][..], &pending(6, 3), &[1], &consumer("d", active, &[6])].concat();
        [head, read, rest].concat()
    };
    // Redis 5 counts nothing: three entries there are as many as there were.
    check(
        kind::STREAM_LISTPACKS,
        &[&sound(), &numbers(&[3, 6, 0]), &group(None)],
        "len 3 first 5-1 last 6-0 deleted 0-0 added 3; g at 6-0 read Some(3); \
         'd' (1500, Some(1500)) 6-0",
    );
    for (active, expected) in [(-1, "None"), (77, "Some(77)")] {
        check(
            kind::STREAM_LISTPACKS_3,
            &[&sound(), &numbers(&[3, 6, 0, 5, 1, 5, 2, 9]), &group(Some(active))],
            &format!(
                "len 3 first 5-1 last 6-0 deleted 5-2 added 9; g at 6-0 read Some(4); \
                 'd' (1500, {expected}) 6-0"
            ),
        );
    }
}

#[test]
fn nodes_that_are_none_are_refused() {
    let rest = numbers(&[3, 9, 0, 5, 1, 5, 2, 9, 0]);
    let bad = |node: Vec<u8>| refused(&[&[1], &node, &rest], "Stream listpack integrity check");
    for elements in [
        "",
        "x",
        "1 0 1 a 0",                     // no entries
        "1 0 1 a 1 2 0 0 v 4",           // the master's end
        "1 0 2 a b 0 2 0 0 v 4",         // too few values
        "1 0 1 a 0 2 0 0 v 5",           // the entry's length
        "1 0 1 a 0 2 0 0 v",             // none
        "1 0 1 a 0 4 0 0 v 4",           // flags
        "1 0 1 a 0 x 0 0 v 4",           // no flags
        "2 0 1 a 0 2 0 0 v 4",           // more entries than there are
        "0 1 1 a 0 2 0 0 v 4",           // it is not deleted
        "2 0 1 a 0 2 0 5 v 4 2 0 4 v 4", // IDs out of order
        "2 0 1 a 0 2 0 5 v 4 2 0 5 v 4", // one twice
        "1 0 1 a 0 2 0 -1 v 4",          // below the node's
        "1 0 -1 0 2 0 0 3",              // fewer than no fields
        "1 0 9223372036854775807 a 0",
        "1 0 1 a 0 0 0 0 4611686018427387904 a 5",
        "1 0 1 a 0 0 0 0 2 f v 6", // cut
    ] {
        bad(node(5, 1, elements));
    }
    let whole = listpack(ELEMENTS);
    for len in 0..whole.len() {
        bad([text(&StreamId::new(5, 1).to_bytes()), text(&whole[..len])].concat());
    }
    let two = [sound(), node(6, 0, "1 0 1 a 0 2 0 0 v 4")].concat();
    refused(&[&[2], &two[1..], &rest], "Stream listpack integrity check");
    let key = [&text(b"short")[..], &text(&whole)].concat();
    refused(&[&[1], &key, &rest], "Stream node key entry is not the size of a stream ID");
}

#[test]
fn counters_that_contradict_each_other_are_refused() {
    let last = "Stream whose last ID is smaller than that of an entry";
    refused(&[&sound(), &numbers(&[3, 5, 9, 5, 1, 0, 0, 9, 0])], last);
    let counters = "Stream whose counters contradict each other";
    refused(&[&sound(), &numbers(&[3, 6, 0, 5, 1, 6, 1, 9, 0])], counters);
    refused(&[&sound(), &numbers(&[3, 6, 0, 5, 1, 0, 0, 2, 0])], counters);
    let uncountable = [&[0x81][..], &u64::MAX.to_be_bytes()].concat();
    refused(&[&sound(), &numbers(&[3, 6, 0, 5, 1, 0, 0]), &uncountable, &[0]], counters);
    let length = "Stream length inconsistent with rax entries";
    refused(&[&numbers(&[0, 1, 6, 0, 5, 1, 0, 0, 9, 0])], length);
    // A load corrects it, RESTORE does not take it.
    let bytes = [sound(), numbers(&[4, 6, 0, 5, 1, 0, 0, 9, 0])].concat();
    let read = |sanitize| value_of(kind::STREAM_LISTPACKS_2, &bytes, sanitize, describe);
    assert_eq!(read(Sanitize::Yes), Err(length.to_owned()));
    assert!(read(Sanitize::No).expect("loaded").starts_with("len 3 "));
}

#[test]
fn groups_whose_pending_entries_do_not_add_up_are_refused() {
    let with = |groups: &[&[u8]], expected: &str| {
        let counters = numbers(&[3, 6, 0, 5, 1, 5, 2, 9]);
        refused(&[&sound(), &counters, &groups.concat()], expected);
    };
    let head = [text(b"g"), numbers(&[6, 0, 9])].concat();
    let (one, other) = (pending(5, 1), pending(6, 1));
    // Two consumers share one.
    let (c, d) = (consumer("c", None, &[5]), consumer("d", None, &[5]));
    let shared = "Stream consumer PEL entry already has a consumer assigned";
    with(&[&[1], &head, &[1], &one, &[2], &c, &d], shared);
    with(&[&[1], &head, &[2], &one, &other, &[2], &c, &d], shared);
    // One has it twice; nobody knows of it; nobody has it.
    with(&[&[1], &head, &[1], &one, &[1], &consumer("c", None, &[5, 5])], shared);
    let missing = "Consumer entry not found in group global PEL";
    with(&[&[1], &head, &[1], &one, &[1], &consumer("c", None, &[6])], missing);
    with(&[&[1], &head, &[0, 1], &c], missing);
    with(&[&[1], &head, &[2], &one, &other, &[1], &c], "NACK entry without consumer");
    with(&[&[1], &head, &[1], &one, &[0]], "NACK entry without consumer");
    // Something is there twice.
    with(&[&[1], &head, &[2], &one, &one, &[1], &c], "Duplicated global PEL entry");
    with(&[&[1], &head, &[1], &one, &[2], &c, &c], "Duplicate stream consumer detected");
    with(&[&[2], &head, &[0, 0], &head, &[0, 0]], "Duplicated consumer group name");
}
