//! Values made by hand: what a program did not write itself is believed in nothing.

use crate::common::{Client, Reply, Server, scratch};
use carnelian::base::crc64::crc64;
use std::fs;
use std::rc::Rc;

/// A payload with the footer that it should have.
fn signed(body: &[u8], version: [u8; 2]) -> Vec<u8> {
    let mut bytes = [body, &version].concat();
    bytes.extend(crc64(&bytes).to_le_bytes());
    bytes
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    match client.command(&["DUMP", key]) {
        Reply::Bulk(bytes) => bytes,
        other => panic!("{key}: {other}"),
    }
}

fn restore(client: &mut Client, payload: &[u8]) -> String {
    client.command(&[&b"RESTORE"[..], b"copy", b"0", payload, b"REPLACE"]).to_string()
}

/// Reads all of a value, in ways that follow whatever it points to.
fn read_all(client: &mut Client) {
    for line in [
        "DEBUG DIGEST-VALUE copy",
        "DUMP copy",
        "COPY copy copy2 REPLACE",
        "MEMORY USAGE copy SAMPLES 0",
        "OBJECT ENCODING copy",
        "LRANGE copy 0 -1",
        "SMEMBERS copy",
        "HGETALL copy",
        "ZRANGE copy 0 -1 WITHSCORES",
        "XRANGE copy - +",
        "XINFO STREAM copy FULL COUNT 0",
        "XAUTOCLAIM copy g z 0 0",
        "PFCOUNT copy",
        "SORT copy ALPHA",
        "UNLINK copy copy2",
    ] {
        client.command(&line.split(' ').collect::<Vec<_>>());
    }
}

/// Values of every type and encoding.
const MAKE: &[&str] = &[
    "SET int 12345",
    "SET text abcabcabcabcabcabcabcabcabcabcabcabcabcabcabc",
    "PFADD hll a b c",
    "RPUSH list a 1 -5 4294967296 bbbbbbbb",
    "SADD ints 1 2 70000",
    "SADD set a 1 b",
    "HSET hash f 1 g xxxxxxxx",
    "HSET table f 1 gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg x",
    "ZADD zset 1 a 2.5 b -inf c",
    "ZADD skiplist 1 a 2 gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg",
    "XADD stream 1-1 f 1 g x",
    "XADD stream 1-2 f 2",
    "XGROUP CREATE stream g 0",
    "XREADGROUP GROUP g a COUNT 1 STREAMS stream >",
    "XREADGROUP GROUP g b COUNT 1 STREAMS stream >",
];
const KEYS: &[&str] =
    &["int", "text", "hll", "list", "ints", "set", "hash", "table", "zset", "skiplist", "stream"];

/// Each byte of each payload changed, and each payload cut, with a footer that is right: RESTORE wrote and
/// read elsewhere.
#[test]
fn cve_2026_25243_payloads_that_were_changed_are_refused_or_read() {
    let server = Server::start();
    let mut client = server.connect();
    for line in MAKE {
        client.command(&line.split(' ').collect::<Vec<_>>());
    }
    let (mut taken, mut refused) = (0, 0);
    for key in KEYS {
        let payload = dump(&mut client, key);
        let (body, footer) = payload.split_at(payload.len() - 10);
        let version = [footer[0], footer[1]];
        let mut bodies: Vec<Vec<u8>> = (0..body.len()).map(|end| body[..end].to_vec()).collect();
        for at in 0..body.len() {
            for change in [0xff, 0x80, 0x01, 0x40] {
                let mut changed = body.to_vec();
                changed[at] ^= change;
                bodies.push(changed);
            }
        }
        for body in bodies {
            let reply = restore(&mut client, &signed(&body, version));
            if reply == "+OK" {
                taken += 1;
                read_all(&mut client);
            } else {
                refused += 1;
                assert_eq!(reply, "-ERR Bad data format", "{key}: {}", body.escape_ascii());
            }
        }
        assert_eq!(restore(&mut client, &payload), "+OK");
    }
    assert!(taken > 100 && refused > 100, "{taken} {refused}");
    client.check("PING", "+PONG");
}

/// An entry that two consumers of a group hold: who acknowledged it freed what the other still had.
#[test]
fn cve_2026_63639_an_entry_is_pending_for_one_consumer() {
    let server = Server::start();
    let mut client = server.connect();
    for line in &MAKE[10..] {
        client.command(&line.split(' ').collect::<Vec<_>>());
    }
    let payload = dump(&mut client, "stream");
    let (body, footer) = payload.split_at(payload.len() - 10);
    let version = [footer[0], footer[1]];
    let id = |seq: u8| [&1u64.to_be_bytes()[..], &u64::from(seq).to_be_bytes()].concat();
    let place = |id: &[u8]| {
        (0..=body.len() - 16).rev().find(|&at| body[at..at + 16] == *id).expect("it is pending")
    };
    // The last place of each ID is in the list of its consumer.
    let mut shared = body.to_vec();
    let at = place(&id(2));
    shared[at..at + 16].copy_from_slice(&id(1));
    assert_eq!(restore(&mut client, &signed(&shared, version)), "-ERR Bad data format");
    let mut unknown = body.to_vec();
    unknown[at..at + 16].copy_from_slice(&id(9));
    assert_eq!(restore(&mut client, &signed(&unknown, version)), "-ERR Bad data format");
    assert_eq!(restore(&mut client, &signed(body, version)), "+OK");
    client.check("XACK copy g 1-1 1-2; XPENDING copy g", ":2 [:0 $_ $_ *_]");
}

fn hll(encoding: u8, registers: &[u8]) -> Vec<u8> {
    [b"HYLL", &[encoding, 0, 0, 0][..], &[0, 0, 0, 0, 0, 0, 0, 0x80], registers].concat()
}

/// Runs of a sparse HyperLogLog that lead beyond its registers, or end before.
#[test]
fn cve_2019_10192_cve_2019_10193_cve_2025_32023_broken_hyperloglogs_are_refused() {
    let server = Server::start();
    let mut client = server.connect();
    // 0x7f 0xff are 16,384 registers that are zero; 0xff four of the largest value.
    for registers in [
        &[0x7f, 0xff, 0x7f, 0xff][..],
        &[0xff, 0x7f, 0xff],
        &[0x7f, 0xff, 0xff],
        &[0xff; 5000],
        &[0x7f, 0xff].repeat(100_000),
        &[0x7f],
        &[0x40],
        &[],
        &[0x3f; 255],
    ] {
        for line in ["PFCOUNT h", "PFMERGE d h", "PFMERGE h x", "PFDEBUG GETREG h", "PFCOUNT h x"] {
            let value = hll(1, registers);
            client.command(&[b"SET", &b"h"[..], &value]);
            client.command(&["PFADD", "x", "a"]);
            client.command(&["DEL", "d"]);
            let reply = client.command(&line.split(' ').collect::<Vec<_>>()).to_string();
            assert!(reply.starts_with("-INVALIDOBJ"), "{line} {registers:?}: {reply}");
            assert_eq!(
                client.command(&["STRLEN", "h"]).integer(),
                i64::try_from(value.len()).unwrap()
            );
        }
        for element in ["a", "b", "c", "d", "e", "f"] {
            client.command(&[b"SET", &b"h"[..], &hll(1, registers)]);
            client.command(&["PFADD", "h", element]);
            client.command(&["PFCOUNT", "h"]);
        }
    }
    for value in [hll(0, b"short"), hll(0, &[0xff; 12_289]), hll(2, &[0; 12_288]), b"HYLL".to_vec()]
    {
        client.command(&[b"SET", &b"h"[..], &value]);
        let error = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
        client.check("PFCOUNT h; PFADD h a; PFMERGE d h", &[error; 3].join(" "));
    }
    client.check("PING", "+PONG");
}

/// A slot that no cluster has, in the hint for slots of a snapshot.
#[test]
fn redis_8_8_2_slots_out_of_range_in_a_snapshot_do_no_harm() {
    const SLOT_INFO: u8 = 244;
    // 32 bits, big endian, behind 0x80.
    let number = |number: u32| [&[0x80][..], &number.to_be_bytes()].concat();
    for slot in [16_384, 99_999, u32::MAX] {
        let hint = [&[SLOT_INFO][..], &number(slot), &number(u32::MAX), &number(u32::MAX)].concat();
        let items = [&b"REDIS0012\xfe\x00"[..], &hint, b"\x00\x01k\x01v\xff"].concat();
        let file = [&items[..], &crc64(&items).to_le_bytes()].concat();
        let dir = Rc::new(scratch());
        fs::write(dir.path().join("dump.rdb"), file).unwrap();
        let server = Server::in_directory(&dir, &[]);
        server.check("GET k; DBSIZE", "$v :1");
    }
}
