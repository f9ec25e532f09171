//! Streams against vectors.

use super::*;

const LIMITS: Limits = Limits::new(4096, 3);

fn add(log: &mut Log, id: (u64, u64), fields: &[&[u8]]) -> Result<StreamId, AppendError> {
    let id = NewId::Explicit(StreamId::new(id.0, id.1));
    log.append(id, 0, fields.iter().copied(), LIMITS)
}

fn texts(log: &Log) -> Vec<String> {
    let one = |(id, fields): (StreamId, Fields<'_>)| {
        let mut text = id.to_string();
        for (name, value) in fields {
            let pair = [name.to_vec(), b"=".to_vec(), value.to_vec()].concat();
            text.push(' ');
            text.push_str(&String::from_utf8_lossy(&pair));
        }
        text
    };
    let all: Vec<String> = log.range(StreamId::MIN, StreamId::MAX).map(one).collect();
    let mut back: Vec<String> = log.range(StreamId::MIN, StreamId::MAX).rev().map(one).collect();
    back.reverse();
    assert_eq!(all, back);
    all
}

#[test]
fn entries_are_added_read_deleted_and_trimmed() {
    let mut log = Log::default();
    for n in 1..=8 {
        let name = if n == 5 { &b"other"[..] } else { b"n" };
        add(&mut log, (n, 1), &[name, n.to_string().as_bytes(), b"x", b"y"]).expect("larger");
    }
    assert_eq!(add(&mut log, (8, 1), &[b"n", b"1"]), Err(AppendError::SmallId));
    assert_eq!(add(&mut log, (0, 0), &[b"n", b"1"]), Err(AppendError::ZeroId));
    assert_eq!((log.len(), log.node_count()), (8, 3));
    assert_eq!(texts(&log)[4], "5-1 other=5 x=y");
    assert_eq!(log.trim(Keep::Last(6), Precision::Nodes { limit: None }), 0);
    assert_eq!(log.trim(Keep::Last(6), Precision::Exact), 2);
    assert_eq!(log.trim(Keep::Last(5), Precision::Nodes { limit: None }), 1);
    assert!(log.delete(StreamId::new(4, 1)) && !log.delete(StreamId::new(4, 1)));
    assert_eq!((log.first_id(), log.max_deleted_id()), (StreamId::new(5, 1), StreamId::new(4, 1)));
    assert_eq!(texts(&log), ["5-1 other=5 x=y", "6-1 n=6 x=y", "7-1 n=7 x=y", "8-1 n=8 x=y"]);
    assert_eq!(log.trim(Keep::From(StreamId::new(7, 0)), Precision::Exact), 2);
    assert_eq!(texts(&log), ["7-1 n=7 x=y", "8-1 n=8 x=y"]);
    let nodes: Vec<_> = log
        .raw_nodes()
        .map(|(base, node)| (base, Node::from_bytes(base, node.listpack().as_bytes())))
        .collect();
    assert!(nodes.iter().all(|(_, node)| node.is_ok()), "{nodes:?}");
}

#[test]
fn pending_entries_change_hands() {
    let mut group = Group::new(StreamId::MIN, Some(0));
    let a = group.create_consumer(b"a", 5).expect("new");
    let b = group.create_consumer(b"b", 5).expect("new");
    assert_eq!(group.create_consumer(b"a", 6), None);
    for n in 1..5 {
        group.deliver(StreamId::new(n, 0), a, 7);
    }
    group.deliver(StreamId::new(2, 0), b, 8);
    assert_eq!((group.consumer(a).pending_len(), group.consumer(b).pending_len()), (3, 1));
    assert!(group.ack(StreamId::new(1, 0)).is_some() && group.ack(StreamId::new(1, 0)).is_none());
    assert_eq!(group.delete_consumer(a), 2);
    let left: Vec<_> = group.pending_range(StreamId::MIN..=StreamId::MAX).collect();
    let nack = Nack { delivered_ms: 8, deliveries: 1, consumer: Some(b) };
    assert_eq!(left, [(StreamId::new(2, 0), &nack)]);
    assert!(group.is_assigned());
}
