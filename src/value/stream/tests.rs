//! Streams against vectors, and against bytes of Redis.

use super::oracle::Oracle;
use super::*;
use crate::base::num;
use crate::base::rng::Rng;
use crate::ds::listpack::Listpack;

const LIMITS: Limits = Limits::new(4096, 3);

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

fn add(
    log: &mut Log,
    id: StreamId,
    fields: &[&[u8]],
    limits: Limits,
) -> Result<StreamId, AppendError> {
    log.append(NewId::Explicit(id), 0, fields.iter().copied(), limits)
}

#[test]
fn ids_are_chosen_and_refused() {
    let mut log = Log::default();
    let one = [&b"f"[..], b"v"];
    let append = |log: &mut Log, text: &[u8], now_ms| {
        let wanted = NewId::parse(text).expect("an ID");
        log.append(wanted, now_ms, one.into_iter(), LIMITS)
    };
    assert_eq!(append(&mut log, b"0-0", 5), Err(AppendError::ZeroId));
    assert_eq!(append(&mut log, b"0-*", 5), Ok(id(0, 1)));
    assert_eq!(append(&mut log, b"*", 5), Ok(id(5, 0)));
    assert_eq!(append(&mut log, b"*", 5), Ok(id(5, 1)));
    assert_eq!(append(&mut log, b"*", 4), Ok(id(5, 2)));
    assert_eq!(append(&mut log, b"4-*", 5), Err(AppendError::SmallId));
    assert_eq!(append(&mut log, b"5-2", 5), Err(AppendError::SmallId));
    assert_eq!(append(&mut log, b"5-*", 5), Ok(id(5, 3)));
    assert_eq!(append(&mut log, b"6-18446744073709551615", 5), Ok(id(6, u64::MAX)));
    assert_eq!(append(&mut log, b"6-*", 5), Err(AppendError::SmallId));
    assert_eq!(append(&mut log, b"*", 5), Ok(id(7, 0)));
    log.set_last_id(StreamId::MAX);
    assert_eq!(append(&mut log, b"*", 5), Err(AppendError::Exhausted));
    log.check_invariants();
}

/// The entries that Redis was given for the bytes below.
fn sample(limits: Limits) -> Log {
    let mut log = Log::default();
    let long = [b'x'; 70];
    let max = u64::MAX;
    let entries: [(StreamId, &[&[u8]]); 7] = [
        (id(5, 9), &[b"a", b"1", b"b", b"hello"]),
        (id(6, 1), &[b"a", b"-5", b"b", &long]),
        (id(6, 200), &[b"a", b"300", b"c", b"70000"]),
        (id(300_000, 1), &[b"z", b"9999999999"]),
        (id(max, 1), &[b"a", b"", b"b", b"007"]),
        (id(max, 2), &[b"a", b"", b"b", b"007"]),
        (id(max, 3), &[b"a", b"", b"b", b"007"]),
    ];
    for (id, fields) in entries {
        add(&mut log, id, fields, limits).expect("a larger ID");
    }
    assert!(log.delete(id(6, 200)) && log.delete(id(max, 2)));
    log
}

/// Read off DUMP of Redis 7.0.15, `stream-node-max-entries` 5.
#[test]
fn nodes_are_redis_s_bytes() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let log = sample(Limits::new(4096, 5));
    let nodes: Vec<_> = log.raw_nodes().map(|node| (node.base(), hex(node.bytes()))).collect();
    let first = format!(
        "c00000002800040101010201816102816202000102010001000101018568656c6c6f06050102010101dff802dffb02\
         e046{}48050101010101c0bf020201816102c12c02816302f27011010408010001f2db930404dff8020101817a02\
         f4ffe30b54020000000906010201dffa02dff802800183303037040501ff",
        "78".repeat(70)
    );
    let second = "33000000120001010101020181610281620200010301000100018001833030370405010201000101\
                  01800183303037040501ff";
    assert_eq!(nodes.len(), 2);
    assert_eq!(nodes[0], (id(5, 9), first));
    assert_eq!(nodes[1], (id(u64::MAX, 2), second.into()));
}

/// Read off DUMP of Redis 7.0.15, `stream-node-max-entries` 300.
#[test]
fn counts_that_grow_and_shrink_are_redis_s_bytes() {
    let mut log = Log::default();
    for n in 1..260 {
        let text = n.to_string();
        add(&mut log, id(1, n), &[b"f", text.as_bytes()], Limits::new(4096, 300)).expect("larger");
    }
    log.check_invariants();
    (1..140).for_each(|n| assert!(log.delete(id(1, n))));
    let begins = |log: &Log, bytes: &[u8], total: usize| {
        let node = log.raw_nodes().next().expect("one node");
        assert_eq!((node.bytes().len(), &node.bytes()[4..16]), (total, bytes));
        log.check_invariants();
    };
    begins(&log, b"\x14\x05\x78\x01\xc0\x8b\x02\x01\x01\x81\x66\x02", 2872);
    assert_eq!(log.trim(Keep::Last(5), Precision::Exact), 115);
    begins(&log, b"\x14\x05\x05\x01\xc0\xfe\x02\x01\x01\x81\x66\x02", 2872);
    assert_eq!(log.first_id(), id(1, 255));
}

fn random_texts(rng: &mut Rng) -> Vec<Vec<u8>> {
    let pairs = if rng.below(4) == 0 { 1 + rng.below_usize(4) } else { 2 };
    let text = |rng: &mut Rng| match rng.below(8) {
        0 => rng.next_u64().to_string().into_bytes(),
        1 => rng.below(300).to_string().into_bytes(),
        2 => vec![b'x'; rng.below_usize(200)],
        _ => vec![b'a' + num::low_u8(rng.below(26)); 1 + rng.below_usize(8)],
    };
    let name = |rng: &mut Rng, n: usize| match rng.below(20) {
        0 => text(rng),
        _ => format!("field{n}").into_bytes(),
    };
    (0..pairs).flat_map(|n| [name(rng, n), text(rng)]).collect()
}

fn random_id(rng: &mut Rng, last: StreamId) -> StreamId {
    match rng.below(100) {
        0 => id(rng.below(last.ms.saturating_add(2)), rng.next_u64()),
        1 => id(last.ms.saturating_add(rng.below(1 << 40)), rng.next_u64()),
        2..50 => id(last.ms, last.seq.saturating_add(rng.below(3))),
        _ => id(last.ms.saturating_add(rng.below(300)), rng.below(1000)),
    }
}

fn some_id(rng: &mut Rng, oracle: &Oracle) -> StreamId {
    let ids = oracle.ids();
    match ids.len() {
        0 => StreamId::MIN,
        len => {
            let id = ids[rng.below_usize(len)];
            [Some(id), Some(id), id.next(), id.prev()][rng.below_usize(4)].unwrap_or(id)
        }
    }
}

/// One random change to both.
fn step(log: &mut Log, oracle: &mut Oracle, rng: &mut Rng, limits: (usize, usize)) {
    match rng.below(40) {
        0..=29 => {
            let id = random_id(rng, log.last_id());
            oracle.append_to_both(log, id, &random_texts(rng), limits);
        }
        30..=36 => {
            let id = some_id(rng, oracle);
            assert_eq!(log.delete(id), oracle.delete(id));
        }
        37 => {
            let (from, to) = (some_id(rng, oracle), some_id(rng, oracle));
            oracle.check_range(log, from, to);
        }
        kind => {
            let keep = if kind == 38 {
                Keep::Last(log.len().saturating_sub(rng.below(30)))
            } else {
                let first = log.range(StreamId::MIN, StreamId::MAX).nth(rng.below_usize(20));
                Keep::From(first.map_or(some_id(rng, oracle), |(id, _)| id))
            };
            let precision = match rng.below(3) {
                0 => Precision::Exact,
                1 => Precision::Nodes { limit: None },
                _ => Precision::Nodes { limit: Some(rng.below(40)) },
            };
            assert_eq!(log.trim(keep, precision), oracle.trim(keep, precision));
        }
    }
}

#[test]
fn random_changes_agree_with_vectors() {
    for seed in 0..60 {
        let mut rng = Rng::seeded(seed);
        let (mut log, mut oracle) = (Log::default(), Oracle::default());
        let limits = (1 << (6 + rng.below(8)), 1 + rng.below_usize(200));
        for round in 0..rng.below(1200) {
            step(&mut log, &mut oracle, &mut rng, limits);
            if round % 64 == 0 {
                log.check_invariants();
                oracle.check(&log);
            }
        }
        log.check_invariants();
        oracle.check(&log);
        oracle.check_range(&log, StreamId::MIN, StreamId::MAX);
        oracle.check(&log.clone());
        let mut copy = Log::default();
        for node in log.raw_nodes() {
            copy.push_node(node.base(), node.bytes()).expect("nodes of a log");
        }
        copy.check_invariants();
        assert_eq!((copy.len(), copy.first_id()), (log.len(), log.first_id()));
    }
}

#[test]
fn memory_follows_what_is_there() {
    let mut log = Log::default();
    let limits = Limits::new(4096, 100);
    for n in 0..100_000 {
        add(&mut log, id(1, n + 1), &[b"field", b"fourteen bytes"], limits).expect("larger");
    }
    let full = log.memory_bytes();
    assert!((2_300_000..2_500_000).contains(&full), "{full}");
    log.trim(Keep::Last(50_000), Precision::Exact);
    let half = log.memory_bytes();
    assert!(half < full * 6 / 10, "{half} of {full}");
    log.trim(Keep::Last(0), Precision::Exact);
    assert!(log.memory_bytes() < 20_000, "{}", log.memory_bytes());
    log.check_invariants();
    // A stream that is kept short does not keep what was trimmed.
    for n in 100_000..200_000 {
        add(&mut log, id(1, n + 1), &[b"field", b"fourteen bytes"], limits).expect("larger");
        log.trim(Keep::Last(1000), Precision::Nodes { limit: None });
    }
    assert!(log.memory_bytes() < 40_000, "{}", log.memory_bytes());
    log.check_invariants();
}

#[test]
fn pending_entries_change_hands() {
    let mut group = Group::new(StreamId::MIN, Some(0));
    let a = group.create_consumer(b"a", 5).expect("new");
    let b = group.create_consumer(b"b", 5).expect("new");
    assert_eq!(group.create_consumer(b"a", 6), None);
    for n in 1..5 {
        group.deliver(id(n, 0), a, 7);
    }
    group.deliver(id(2, 0), b, 8);
    group.check_invariants();
    assert_eq!((group.consumer(a).pending_len(), group.consumer(b).pending_len()), (3, 1));
    assert!(group.ack(id(1, 0)).is_some() && group.ack(id(1, 0)).is_none());
    let of_a: Vec<_> = group.pending_of(a, id(3, 0)..=id(9, 0)).map(|(id, _)| id.ms).collect();
    assert_eq!(of_a, [3, 4]);
    group.check_invariants();
    assert_eq!(group.delete_consumer(a), 2);
    let left: Vec<_> = group.pending_range(StreamId::MIN..=StreamId::MAX).collect();
    let nack = Nack { delivered_ms: 8, deliveries: 1, consumer: Some(b) };
    assert_eq!(left, [(id(2, 0), &nack)]);
    assert_eq!(group.create_consumer(b"c", 9), Some(a), "a free place is taken");
    assert!(group.is_assigned());
    group.put(id(7, 7), Nack { consumer: None, ..nack });
    assert!(!group.is_assigned() && !group.assign(id(2, 0), b) && !group.assign(id(1, 0), b));
    assert!(group.assign(id(7, 7), b) && group.is_assigned());
    group.check_invariants();
    group.clone().check_invariants();
}

/// Read off Redis 7.4's rules; see `docs/design/stream.md`.
#[test]
fn a_group_knows_how_far_it_has_read() {
    let mut log = Log::default();
    let mut group = Group::new(StreamId::MIN, Some(0));
    assert_eq!(group.lag(&log), Some(0));
    for n in 1..=6 {
        add(&mut log, id(n, 0), &[b"f", b"v"], LIMITS).expect("larger");
    }
    assert_eq!(group.lag(&log), Some(6));
    assert!(group.advance(&log, id(1, 0)) && !group.advance(&log, id(1, 0)));
    assert_eq!((group.entries_read(), group.lag(&log)), (Some(1), Some(5)));
    log.delete(id(3, 0));
    assert_eq!((group.entries_read(), group.lag(&log)), (Some(1), None));
    group.advance(&log, id(2, 0));
    assert_eq!((group.entries_read(), group.lag(&log)), (None, None));
    group.advance(&log, id(6, 0));
    assert_eq!((group.entries_read(), group.lag(&log)), (Some(6), Some(0)));
    group.set_last_id(id(1, 0), None);
    log.trim(Keep::Last(2), Precision::Exact);
    assert_eq!((group.lag(&log), log.entries_up_to(id(5, 0))), (Some(2), Some(5)));
    log.trim(Keep::Last(0), Precision::Exact);
    assert_eq!(group.lag(&log), Some(0));
    let unknown = Group::new(id(5, 0), None);
    assert_eq!(unknown.lag(&log), Some(0));
}

/// A node of these elements; a text that is a number becomes one.
fn node_of(elements: &str) -> Vec<u8> {
    let mut list = Listpack::new();
    elements.split(' ').for_each(|element| list.push_back(element.as_bytes()));
    list.as_bytes().to_vec()
}

#[test]
fn foreign_nodes_are_checked() {
    let base = id(10, 5);
    let check = |elements: &str| check(base, &node_of(elements));
    assert_eq!(check("1 0 1 f 0 2 0 0 v 4"), Ok(()));
    assert_eq!(check("1 1 1 f 0 2 0 0 v 4 1 3 -5 1 g w 6"), Ok(()));
    assert_eq!(check("0 1 1 f 0 3 0 0 v 4"), Ok(()), "trimming leaves such nodes");
    for elements in ["x 0 1 f 0", "1 0", "1 0 2 f 0", "1 0 -1 0", "1 0 1 f 1 2 0 0 v 4"] {
        assert_eq!(check(elements), Err(BadNode::BadMaster), "{elements}");
    }
    assert_eq!(check("0 0 1 f 0"), Err(BadNode::Empty));
    for entry in [
        "2 0 0 v 5",
        "2 0 0 v 3",
        "2 0 0 v",
        "2 0 0",
        "2",
        "0 0 0 2 a b 6",
        "4 0 0 1 a b 6",
        "0 0 0 -1 3",
        "0 0 0 9223372036854775807 a b 6",
        "2 x 0 v 4",
        "x 0 0 v 4",
        "2 0 0 v x",
    ] {
        let node = format!("1 0 1 f 0 {entry}");
        assert_eq!(check(&node), Err(BadNode::BadEntry { index: 0 }), "{entry}");
    }
    assert_eq!(check("2 0 1 f 0 2 0 0 v 4 2 0 0 w 4"), Err(BadNode::BadId { index: 1 }));
    assert_eq!(check("2 0 1 f 0 2 1 0 v 4 2 0 9 w 4"), Err(BadNode::BadId { index: 1 }));
    assert_eq!(check("1 0 1 f 0 2 0 -1 v 4"), Err(BadNode::BadId { index: 0 }));
    assert_eq!(check("1 0 1 f 0 2 -1 0 v 4"), Err(BadNode::BadId { index: 0 }));
    for counts in ["2 0", "0 1", "1 1", "-1 0"] {
        let node = format!("{counts} 1 f 0 2 0 0 v 4");
        assert_eq!(check(&node), Err(BadNode::WrongCount), "{counts}");
    }
    let mut log = Log::default();
    let node = node_of("1 0 1 f 0 2 0 0 v 4");
    assert_eq!(log.push_node(base, &node), Ok(()));
    assert_eq!(log.push_node(base, &node), Err(BadNode::BadId { index: 0 }));
    assert!(matches!(log.push_node(id(99, 0), &node[1..]), Err(BadNode::Malformed(_))));
}

/// What passes by the check, which nothing does, must not do worse than end a walk.
#[test]
fn walks_end_where_an_entry_is_malformed() {
    for elements in
        ["1 0 1 f 0 2 0 0 v 3", "1 0 1 f 0 2 0 0", "1 0 1", "9 9 9 f", "1 0 1 f 0 x 4 4"]
    {
        let bytes = node_of(elements);
        let node = Node::new(id(1, 1), &bytes);
        assert_eq!(node.entries().count(), 0, "{elements}");
        let _ = node.entries().rev().count();
    }
}
