//! A consumer group at work: twenty clients read a stream as its consumers, acknowledge what they got and
//! are cut off at random; what they leave behind is claimed by the others with XAUTOCLAIM.
//!
//! What a group promises: each entry is given to one consumer as new, once; it is pending until it is
//! acknowledged, once; and nobody is given it after that.
//!
//! `CONSUMERS_ENTRIES` is how many entries there are, `CONSUMERS_SEED` what the clients do with them.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;
#[path = "differential/rng.rs"]
#[expect(dead_code, reason = "it serves another program as well")]
mod rng;

use common::Server;
use redis::{Client, Cmd, Connection, Value, cmd};
use rng::Rng;
use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Entries of a run, unless the environment says otherwise.
const ENTRIES: u64 = 3000;
const CLIENTS: u64 = 20;
/// Added at once.
const BATCH: u64 = 50;
/// Entries are claimed that nobody has acknowledged for so long.
const IDLE_MS: &str = "20";
/// Far more than any run takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// What became of one entry, as its clients saw it.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// How often it was delivered as new.
    new: u32,
    /// How often it was claimed.
    claimed: u32,
    /// How often an acknowledgement was answered with 1, and when first.
    acked: u32,
    acked_at: Option<Instant>,
    /// Acknowledgements sent by clients that did not wait for an answer.
    unknown: u32,
}

/// What all clients saw.
#[derive(Debug, Default)]
struct Record {
    fates: HashMap<String, Fate>,
    cut: u32,
    /// Requests for new entries whose answer nobody read.
    unread: u32,
}

/// How a client ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    GoesOn,
    IsCutOff,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Nil => Vec::new(),
        other => panic!("no array: {other:?}"),
    }
}

fn text(value: Value) -> String {
    let Value::BulkString(bytes) = value else { panic!("no string: {value:?}") };
    String::from_utf8(bytes).unwrap()
}

/// The IDs of a list of entries, each of which has its number as a field.
fn ids(entries: Value) -> Vec<String> {
    let id = |entry: Value| {
        let [id, fields] = <[Value; 2]>::try_from(array(entry)).unwrap();
        let id = text(id);
        let fields: Vec<String> = array(fields).into_iter().map(text).collect();
        assert_eq!(fields, ["n", id.split('-').next().unwrap()], "an entry is whole");
        id
    };
    array(entries).into_iter().map(id).collect()
}

/// One client, in one life after the other.
struct Worker<'a> {
    number: u64,
    lives: u64,
    client: Client,
    record: &'a Mutex<Record>,
    rng: Rng,
}

impl Worker<'_> {
    /// Works until everything is acknowledged.
    fn work(&mut self, entries: u64) {
        let start = Instant::now();
        loop {
            let mut con = self.client.get_connection().unwrap();
            self.lives += 1;
            while self.work_once(&mut con) == Life::GoesOn {
                if is_done(&mut con, entries) {
                    return;
                }
                assert!(start.elapsed() < PATIENCE, "entries are left: {:?}", pending(&mut con));
            }
            // The connection goes as it is, with whatever it has not read.
            self.record.lock().unwrap().cut += 1;
        }
    }

    fn name(&self) -> String {
        format!("consumer-{}-{}", self.number, self.lives)
    }

    fn work_once(&mut self, con: &mut Connection) -> Life {
        let got = if self.rng.chance(30) { self.claim(con) } else { self.read(con) };
        let Some(got) = got else { return Life::IsCutOff };
        for id in got {
            if self.rng.chance(4) {
                return Life::IsCutOff;
            }
            let ack = cmd("XACK").arg("s").arg("g").arg(&id).to_owned();
            if self.rng.chance(2) {
                con.send_packed_command(&ack.get_packed_command()).unwrap();
                self.record.lock().unwrap().fates.entry(id).or_default().unknown += 1;
                return Life::IsCutOff;
            }
            let acked: u32 = ack.query(con).unwrap();
            let mut record = self.record.lock().unwrap();
            let fate = record.fates.entry(id).or_default();
            fate.acked += acked;
            fate.acked_at = fate.acked_at.or((acked > 0).then(Instant::now));
        }
        Life::GoesOn
    }

    /// Reads new entries, waiting for some; `None` if the client is cut off before it has them.
    fn read(&mut self, con: &mut Connection) -> Option<Vec<String>> {
        let count = self.rng.between(1, 10);
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg("g").arg(self.name()).arg("COUNT").arg(count);
        read.arg("BLOCK").arg(10).arg("STREAMS").arg("s").arg(">");
        if self.rng.chance(2) {
            return self.send_and_go(con, &read);
        }
        let streams = array(read.query(con).unwrap());
        let Some(stream) = streams.into_iter().next() else { return Some(Vec::new()) };
        let got = ids(array(stream).remove(1));
        let mut record = self.record.lock().unwrap();
        for id in &got {
            record.fates.entry(id.clone()).or_default().new += 1;
        }
        Some(got)
    }

    /// Claims what others left behind. Nothing may be among it that was acknowledged before.
    fn claim(&mut self, con: &mut Connection) -> Option<Vec<String>> {
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg("s").arg("g").arg(self.name()).arg(IDLE_MS).arg("0").arg("COUNT").arg(10);
        let sent_at = Instant::now();
        let [_, got, gone] = <[Value; 3]>::try_from(array(claim.query(con).unwrap())).unwrap();
        assert!(array(gone).is_empty(), "no entry is deleted");
        let got = ids(got);
        let mut record = self.record.lock().unwrap();
        for id in &got {
            let fate = record.fates.entry(id.clone()).or_default();
            fate.claimed += 1;
            let is_late = fate.acked_at.is_some_and(|acked_at| acked_at < sent_at);
            assert!(!is_late, "{id} was claimed after it was acknowledged: {fate:?}");
        }
        Some(got)
    }

    fn send_and_go(&mut self, con: &mut Connection, command: &Cmd) -> Option<Vec<String>> {
        con.send_packed_command(&command.get_packed_command()).unwrap();
        self.record.lock().unwrap().unread += 1;
        None
    }
}

/// How many entries are pending.
fn pending(con: &mut Connection) -> i64 {
    let summary = array(cmd("XPENDING").arg("s").arg("g").query(con).unwrap());
    let Some(Value::Int(count)) = summary.first() else { panic!("no count: {summary:?}") };
    *count
}

/// The group's fields by name.
fn group(con: &mut Connection) -> HashMap<String, Value> {
    let groups = array(cmd("XINFO").arg("GROUPS").arg("s").query(con).unwrap());
    let mut fields = array(groups.into_iter().next().unwrap()).into_iter();
    let mut group = HashMap::new();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        group.insert(text(name), value);
    }
    group
}

fn is_done(con: &mut Connection, entries: u64) -> bool {
    let last = format!("{entries}-0").into_bytes();
    let group = group(con);
    group["last-delivered-id"] == Value::BulkString(last) && group["pending"] == Value::Int(0)
}

fn produce(con: &mut Connection, entries: u64) {
    let mut next = 1;
    while next <= entries {
        let end = (next + BATCH).min(entries + 1);
        let mut batch = redis::pipe();
        for n in next..end {
            batch.cmd("XADD").arg("s").arg(n).arg("n").arg(n).ignore();
        }
        batch.query::<()>(con).unwrap();
        next = end;
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_entry_is_acknowledged_as_often_as_the_protocol_promises() {
    let (entries, seed) = (setting("CONSUMERS_ENTRIES", ENTRIES), setting("CONSUMERS_SEED", 1));
    let server = Server::start();
    let client = Client::open(format!("redis://127.0.0.1:{}/", server.port())).unwrap();
    let mut con = client.get_connection().unwrap();
    let create = ["CREATE", "s", "g", "$", "MKSTREAM"];
    cmd("XGROUP").arg(&create).query::<()>(&mut con).unwrap();
    let record = Mutex::new(Record::default());
    let lives: u64 = thread::scope(|scope| {
        let worker = |number| {
            let rng = Rng::new(seed, number);
            let mut worker =
                Worker { number, lives: 0, client: client.clone(), record: &record, rng };
            scope.spawn(move || {
                worker.work(entries);
                worker.lives
            })
        };
        let workers: Vec<_> = (0..CLIENTS).map(worker).collect();
        produce(&mut con, entries);
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let Record { fates, cut, unread } = record.into_inner().unwrap();
    let count = |of: fn(&Fate) -> u32| fates.values().map(of).sum::<u32>();
    let (new, claimed) = (count(|fate| fate.new), count(|fate| fate.claimed));
    let (acked, unknown) = (count(|fate| fate.acked), count(|fate| fate.unknown));
    println!(
        "{entries} entries with seed {seed}: {lives} lives of {CLIENTS} clients, {cut} cut off; {new} new, \
         {claimed} claimed, {acked} acknowledged, {unknown} perhaps"
    );
    assert_eq!(fates.len(), usize::try_from(entries).unwrap(), "every entry was seen");
    for (id, fate) in &fates {
        assert!(fate.new <= 1, "{id} was new twice: {fate:?}");
        assert!(fate.new == 1 || unread > 0, "{id} was never new: {fate:?}");
        assert!(fate.acked <= 1, "{id} was acknowledged twice: {fate:?}");
        assert!(fate.acked == 1 || fate.unknown > 0, "{id} was not acknowledged: {fate:?}");
    }
    let group = group(&mut con);
    let number = |name: &str| group[name].clone();
    let entries = i64::try_from(entries).unwrap();
    assert_eq!((number("pending"), number("lag")), (Value::Int(0), Value::Int(0)));
    assert_eq!(number("entries-read"), Value::Int(entries));
    assert_eq!(cmd("XLEN").arg("s").query::<i64>(&mut con).unwrap(), entries);
}
