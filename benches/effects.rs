//! Effects: what recording costs each command, and a command that is not recorded.
//!
//! `cargo bench --bench effects`. Each sample is a pipeline of [`PIPELINE`] commands.

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::command::effects::Listener;
use carnelian::command::quiet_host::QuietHost;
use carnelian::command::server::{Now, Server};
use carnelian::config::Config;
use carnelian::node::Node;
use carnelian::session::Endpoint;
use carnelian::store::Keyspace;
use divan::Bencher;
use divan::counter::ItemsCount;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Commands in a pipeline.
const PIPELINE: usize = 64;
/// Keys they name in turn.
const KEYS: usize = 1024;

fn main() {
    divan::main();
}

/// Whether somebody listens.
#[derive(Clone, Copy, Debug)]
enum Recorded {
    No,
    Yes,
}

const ALL: [Recorded; 2] = [Recorded::No, Recorded::Yes];

/// Sends pipelines of commands of these words; `{}` stands for the number of a key.
fn run(bencher: Bencher<'_, '_>, recorded: Recorded, words: &[&str]) {
    let now = Now { unix_us: 1_700_000_000_000_000, mono_ns: 1 };
    let keyspace = Keyspace::new(16, HashKey::new(1, 2), Rng::seeded(3));
    let host = Box::new(QuietHost::default());
    let server = Server::new(Config::default(), keyspace, host, || 0, Rng::seeded(4), now);
    let mut node = Node::new(server);
    if let Recorded::Yes = recorded {
        node.server.listen(Listener::AppendOnlyFile);
    }
    let end = Endpoint::Unix("/socket".into());
    let client = node.connected(end.clone(), end, 9);
    let pipelines: Vec<Vec<u8>> = (0..KEYS / PIPELINE)
        .map(|nth| (0..PIPELINE).flat_map(|at| command(words, nth * PIPELINE + at)).collect())
        .collect();
    let mut next = 0;
    bencher.counter(ItemsCount::new(PIPELINE)).bench_local(|| {
        next = (next + 1) % pipelines.len();
        node.input(now, client, &pipelines[next]);
        let session = node.server.sessions.get_mut(client).expect("it is connected");
        let len = session.output.pieces().map(<[u8]>::len).sum();
        session.output.advance(len);
        session.is_queued_for_write = false;
        node.server.writable.clear();
        node.server.effects.clear();
    });
}

fn command(words: &[&str], key: usize) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.replace("{}", &format!("{key:012}"));
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

#[divan::bench(args = ALL)]
fn get(bencher: Bencher<'_, '_>, recorded: Recorded) {
    run(bencher, recorded, &["GET", "key:{}"]);
}

#[divan::bench(args = ALL)]
fn set(bencher: Bencher<'_, '_>, recorded: Recorded) {
    run(bencher, recorded, &["SET", "key:{}", "sixteen bytes -v"]);
}

#[divan::bench(args = ALL)]
fn set_with_expiry(bencher: Bencher<'_, '_>, recorded: Recorded) {
    run(bencher, recorded, &["SET", "key:{}", "sixteen bytes -v", "EX", "1000"]);
}

#[divan::bench(args = ALL)]
fn incr(bencher: Bencher<'_, '_>, recorded: Recorded) {
    run(bencher, recorded, &["INCR", "key:{}"]);
}
