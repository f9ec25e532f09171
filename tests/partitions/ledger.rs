//! Clients that write, and what they were told about what they wrote.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::fleet::address;
use crate::rng::Rng;
use crate::wire::{Connection, Reply, encode};

/// Writes sent together.
const BATCH_MAX: usize = 6;
/// How long a client waits for copies, milliseconds.
const WAIT_MS: &str = "150";

/// One write, and how many copies of it its client was told of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Write {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Who acknowledged it.
    pub(crate) server: usize,
    /// WAIT: replicas that have it.
    pub(crate) replicas: u64,
    /// WAITAOF: whether it is on that server's disk.
    pub(crate) here: u64,
    /// WAITAOF: replicas that have it on their disks.
    pub(crate) on_disk: u64,
}

impl Write {
    /// Whether a replica is said to have it.
    pub(crate) const fn is_copied(&self) -> bool {
        self.replicas > 0 || self.on_disk > 0
    }
}

/// What the clients of a round share.
pub(crate) struct Ledger {
    /// The server to write to.
    pub(crate) primary: AtomicUsize,
    pub(crate) is_over: AtomicBool,
    pub(crate) writes: Mutex<Vec<Write>>,
}

impl Ledger {
    pub(crate) fn new(primary: usize) -> Ledger {
        Ledger {
            primary: AtomicUsize::new(primary),
            is_over: AtomicBool::new(false),
            writes: Mutex::new(Vec::new()),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Writes until the round is over. `name` makes its keys its own.
    pub(crate) fn work(&self, name: &str, mut rng: Rng) {
        let mut count = 0;
        while !self.is_over() {
            let server = self.primary.load(Ordering::Relaxed);
            // A connection that fails, or a server that is none to write to: there may be another one.
            if let Ok(mut connection) = Connection::open(address(server)) {
                drop(self.talk(&mut connection, server, name, &mut count, &mut rng));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Writes as long as the server takes it.
    fn talk(
        &self,
        connection: &mut Connection,
        server: usize,
        name: &str,
        count: &mut usize,
        rng: &mut Rng,
    ) -> io::Result<()> {
        while !self.is_over() && self.primary.load(Ordering::Relaxed) == server {
            let mut request = Vec::new();
            let batch: Vec<Write> = (0..rng.between(1, BATCH_MAX))
                .map(|_| {
                    *count += 1;
                    let key = format!("{name}:{count}");
                    let length =
                        if rng.chance(3) { rng.between(1, 40_000) } else { rng.between(1, 200) };
                    let value = format!("{count}:{}", "v".repeat(length));
                    encode(&["SET", &key, &value], &mut request);
                    Write { key, value, server, ..Write::default() }
                })
                .collect();
            let wait = copies_wanted(rng);
            encode(&wait, &mut request);
            connection.send(&request)?;
            let mut taken = Vec::new();
            for write in batch {
                if connection.reply()? == Reply::Status("OK".to_owned()) {
                    taken.push(write);
                }
            }
            let told = connection.reply();
            let is_refused = taken.is_empty();
            if let Ok(reply) = &told {
                note(&mut taken, reply);
            }
            self.writes.lock().expect("no writer panics").append(&mut taken);
            told?;
            if is_refused {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(u64::try_from(rng.below(8)).unwrap_or(0)));
        }
        Ok(())
    }
}

/// What a client asks after its writes.
fn copies_wanted(rng: &mut Rng) -> Vec<&'static str> {
    let all: [&[&str]; 7] = [
        &["PING"],
        &["WAIT", "1", WAIT_MS],
        &["WAIT", "2", WAIT_MS],
        &["WAITAOF", "1", "0", WAIT_MS],
        &["WAITAOF", "0", "1", WAIT_MS],
        &["WAITAOF", "1", "1", WAIT_MS],
        &["WAITAOF", "1", "2", "1500"],
    ];
    rng.pick(&all).to_vec()
}

fn note(writes: &mut [Write], reply: &Reply) {
    match reply {
        Reply::Integer(replicas) => {
            let replicas = u64::try_from(*replicas).unwrap_or(0);
            writes.iter_mut().for_each(|write| write.replicas = replicas);
        }
        Reply::Array(numbers) => {
            if let [Reply::Integer(here), Reply::Integer(there)] = numbers[..] {
                for write in writes {
                    write.here = u64::try_from(here).unwrap_or(0);
                    write.on_disk = u64::try_from(there).unwrap_or(0);
                }
            }
        }
        Reply::Status(_) | Reply::Error(_) | Reply::Bulk(_) | Reply::Null => {}
    }
}

/// Which of the writes a server does not have.
pub(crate) fn missing<'a>(
    server: usize,
    writes: impl Iterator<Item = &'a Write>,
) -> io::Result<Vec<&'a Write>> {
    let mut connection = Connection::open(address(server))?;
    let writes: Vec<&Write> = writes.collect();
    let mut lost = Vec::new();
    for chunk in writes.chunks(200) {
        let mut request = Vec::new();
        chunk.iter().for_each(|write| encode(&["GET", &write.key], &mut request));
        connection.send(&request)?;
        for write in chunk {
            if connection.reply()? != Reply::Bulk(write.value.clone().into_bytes()) {
                lost.push(*write);
            }
        }
    }
    Ok(lost)
}
