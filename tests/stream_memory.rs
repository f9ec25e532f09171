//! What MEMORY USAGE says of streams, beside how much memory the server takes more for them.

mod common;

use common::{Client, Reply, Server};

/// A stream to be measured.
struct Shape {
    /// So many alike.
    keys: u64,
    entries: u64,
    groups: u64,
    consumers: u64,
    /// Entries that each group is given.
    delivered: u64,
}

fn used(client: &mut Client) -> f64 {
    let Reply::Bulk(info) = client.command(&["INFO", "memory"]) else { panic!("a text") };
    let info = String::from_utf8(info).expect("text");
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("it is told");
    used.trim().parse().expect("a number")
}

fn send(client: &mut Client, line: &str) {
    let reply = client.command(&line.split(' ').collect::<Vec<_>>());
    assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply}");
}

impl Shape {
    fn fill(&self, client: &mut Client, key: u64) {
        for n in 1..=self.entries {
            let ms = 1_700_000_000_000 + n / 5;
            send(client, &format!("XADD k{key} {ms}-{} field fourteen_bytes", n % 5));
        }
        for group in 0..self.groups {
            send(client, &format!("XGROUP CREATE k{key} group{group} 0"));
            for n in 0..self.consumers {
                send(client, &format!("XGROUP CREATECONSUMER k{key} group{group} consumer-{n}"));
            }
            for n in 0..self.delivered.div_ceil(100) {
                let consumer = n % self.consumers;
                send(
                    client,
                    &format!(
                        "XREADGROUP GROUP group{group} consumer-{consumer} COUNT 100 STREAMS k{key} >"
                    ),
                );
            }
        }
    }

    /// What is told, by what is taken.
    fn ratio(&self) -> f64 {
        // Each command would take memory for its latencies when it comes for the first time.
        let server = Server::with(&["--latency-tracking", "no"]);
        let client = &mut server.connect();
        // The table of keys is as large before as after.
        let keys: Vec<String> = (0..self.keys).map(|key| format!("k{key}")).collect();
        keys.iter().for_each(|key| send(client, &format!("SET {key} v")));
        let told = |client: &mut Client| -> i64 {
            keys.iter().map(|key| client.command(&["MEMORY", "USAGE", key]).integer()).sum()
        };
        let (used_before, told_before) = (used(client), told(client));
        for key in 0..self.keys {
            send(client, &format!("DEL k{key}"));
            self.fill(client, key);
        }
        let told = told(client) - told_before;
        told as f64 / (used(client) - used_before)
    }
}

#[test]
fn memory_usage_of_streams_is_what_they_take() {
    for shape in [
        Shape { keys: 2000, entries: 1, groups: 0, consumers: 0, delivered: 0 },
        Shape { keys: 20, entries: 1000, groups: 0, consumers: 0, delivered: 0 },
        Shape { keys: 1, entries: 100_000, groups: 0, consumers: 0, delivered: 0 },
        Shape { keys: 20, entries: 1000, groups: 2, consumers: 3, delivered: 1000 },
        Shape { keys: 1, entries: 50_000, groups: 1, consumers: 10, delivered: 50_000 },
        Shape { keys: 20, entries: 1, groups: 1, consumers: 1000, delivered: 0 },
        Shape { keys: 20, entries: 10, groups: 100, consumers: 10, delivered: 10 },
    ] {
        let Shape { keys, entries, groups, consumers, .. } = shape;
        let ratio = shape.ratio();
        println!(
            "{keys} streams of {entries} entries, {groups} groups of {consumers} consumers: {ratio:.3}"
        );
        assert!((0.9..1.1).contains(&ratio), "{ratio} for {entries} entries, {groups} groups");
    }
}
