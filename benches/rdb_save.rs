//! Snapshots: writing 2,000,000 keys.
//!
//! `cargo bench --bench rdb_save` prints the bytes of the files first; a filter leaves that out. What takes
//! the bytes throws them away, so this is the time besides that of the kernel. Allocations are made by
//! jemalloc as in the server, and keys stand in memory in another order than in the table. Results:
//! `docs/design/rdb_save.md`.

use carnelian::base::hash::HashKey;
use carnelian::base::rng::Rng;
use carnelian::ds::lzf::Encoder;
use carnelian::persist::rdb::{Compression, SaveOptions, save};
use carnelian::store::Keyspace;
use carnelian::value::hash::{self, FieldTtl, Rules};
use carnelian::value::{Hash, Heap, NewValue, string};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use std::hint::black_box;
use std::io;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const KEYS: u64 = 2_000_000;
const HASH_KEY: HashKey = HashKey::new(1, 2);

/// What the keys hold.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// 16 bytes.
    Short,
    /// Integers.
    Integers,
    /// 100 bytes that compress to about a third.
    Text,
    /// 100 bytes that do not compress.
    Noise,
    /// Hashes of three short fields.
    Hashes,
}

const VALUES: [Values; 5] =
    [Values::Short, Values::Integers, Values::Text, Values::Noise, Values::Hashes];

fn main() {
    // Not when a filter asks for something else.
    if std::env::args().skip(1).all(|argument| argument.starts_with("--")) {
        for values in VALUES {
            let bytes = save_all(&keyspace(values), Compression::Lzf);
            println!("{KEYS} keys, {values:?}: {bytes} bytes");
        }
    }
    divan::main();
}

fn text(n: u64) -> Vec<u8> {
    let mut text = format!("{{\"id\":{n},\"name\":\"somebody {n}\",").into_bytes();
    text.extend_from_slice(b"\"visits\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}");
    text.resize(100, b'}');
    text
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let mut noise = vec![0; 100];
    rng.fill(&mut noise);
    noise
}

fn small_hash(n: u64) -> Hash {
    let rules = Rules { entries_max: 128, value_bytes_max: 64, hash_key: HASH_KEY, now_ms: 0 };
    let mut hash = Hash::new();
    for (name, value) in [("name", "somebody"), ("city", "somewhere"), ("n", &*n.to_string())] {
        let value = hash::NewValue::Copied(value.as_bytes());
        hash.set(name.as_bytes(), value, FieldTtl::Clear, &rules);
    }
    hash
}

fn keyspace(values: Values) -> Keyspace {
    let mut keyspace = Keyspace::new(1, HASH_KEY, Rng::seeded(1));
    let mut rng = Rng::seeded(2);
    for n in 0..KEYS {
        let name = format!("key:{n:012}");
        let key = keyspace.key(name.as_bytes());
        let bytes = match values {
            Values::Short => format!("value:{n:010}").into_bytes(),
            Values::Integers => n.to_string().into_bytes(),
            Values::Text => text(n),
            Values::Noise => noise(&mut rng),
            Values::Hashes => {
                keyspace.insert(0, key, NewValue::Payload(Heap::Hash(small_hash(n))), None);
                continue;
            }
        };
        keyspace.insert(0, key, string::new_value(&bytes), None);
    }
    keyspace
}

struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += u64::try_from(black_box(bytes).len()).expect("64 bits");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn save_all(keyspace: &Keyspace, compression: Compression) -> u64 {
    let mut count = Count(0);
    let options = SaveOptions { compression, ..SaveOptions::default() };
    save(keyspace, &options, &mut count).expect("nothing can fail");
    count.0
}

#[divan::bench(args = VALUES, sample_count = 5)]
fn saving(bencher: Bencher, values: Values) {
    let keyspace = keyspace(values);
    bencher
        .counter(ItemsCount::new(KEYS))
        .bench_local(|| black_box(save_all(&keyspace, Compression::Lzf)));
}

#[divan::bench(args = VALUES, sample_count = 5)]
fn saving_uncompressed(bencher: Bencher, values: Values) {
    let keyspace = keyspace(values);
    bencher
        .counter(ItemsCount::new(KEYS))
        .bench_local(|| black_box(save_all(&keyspace, Compression::None)));
}

fn compressing(bencher: Bencher, input: &[u8]) {
    let mut encoder = Encoder::new();
    bencher.counter(BytesCount::of_slice(input)).bench_local(|| {
        black_box(encoder.compress(black_box(input), input.len() - 4).map(<[u8]>::len))
    });
}

#[divan::bench(args = [25, 100, 1000, 10_000, 100_000])]
fn compressing_text(bencher: Bencher, len: usize) {
    let input: Vec<u8> = (0..).flat_map(text).take(len).collect();
    compressing(bencher, &input);
}

#[divan::bench(args = [25, 100, 1000, 10_000, 100_000])]
fn compressing_noise(bencher: Bencher, len: usize) {
    let mut input = vec![0; len];
    Rng::seeded(3).fill(&mut input);
    compressing(bencher, &input);
}
