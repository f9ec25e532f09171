//! How long small GETs take while something large goes on in the same server.
//!
//! The servers have one core and the client the other; the GETs are so few that both are idle most of the
//! time. See [`crate::open_loop`] for how latencies are taken.

use std::time::Duration;

use crate::daemon::{Daemon, Failure};
use crate::open_loop::{self, Disturbance, Load};
use crate::options::Options;
use crate::servers::{Kind, Server};
use crate::stats::{Samples, micros, percentile};
use crate::wire::{Client, put_command, put_inline};
use crate::workloads::{key, member, shuffled, value};

/// GETs in a second.
pub(crate) const RATE: u32 = 10_000;
/// Bytes of the long value.
const LONG_LEN: usize = 10_000_000;
/// Fetched ten times a second.
const LONG_INTERVAL: Duration = Duration::from_millis(100);
/// How long a load goes on that nothing or the long value disturbs, milliseconds.
const STEADY_MS: u64 = 3000;
/// How long a load goes on in which a large value goes, milliseconds.
const REMOVAL_MS: u64 = 500;
/// When it is told to go.
const REMOVAL_AT: Duration = Duration::from_millis(100);
/// How long values are moved while they are read, milliseconds.
const DEFRAGMENTING_MS: u64 = 3000;

/// A part of the latencies of one load.
#[derive(Clone, Copy)]
struct Figure {
    title: &'static str,
    /// All but one in so many are within it.
    one_in: usize,
}

const P50: Figure = Figure { title: "p50", one_in: 2 };
const P99: Figure = Figure { title: "p99", one_in: 100 };
const P999: Figure = Figure { title: "p99.9", one_in: 1000 };
const LONGEST: Figure = Figure { title: "longest", one_in: usize::MAX };

/// One row: a figure of the GETs beside something, in microseconds, with a cell for each server.
pub(crate) struct Row {
    pub(crate) beside: String,
    pub(crate) figure: &'static str,
    pub(crate) cells: Vec<Samples>,
    one_in: usize,
}

/// What goes on beside the GETs.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    LongReplies,
    Removal(Removal, &'static Value),
}

/// How a large value goes.
#[derive(Clone, Copy)]
enum Removal {
    Deleted,
    Expired,
    Evicted,
}

/// A value of many elements.
struct Value {
    name: &'static str,
    title: &'static str,
    /// Appends the command that adds the i-th element.
    put: fn(&mut Vec<u8>, u32),
}

const VALUES: &[Value] = &[
    Value {
        name: "list",
        title: "a list",
        put: |out, i| put_command(out, &[b"RPUSH", b"list", member(i).as_bytes()]),
    },
    Value {
        name: "hash",
        title: "a hash",
        put: |out, i| put_command(out, &[b"HSET", b"hash", member(i).as_bytes(), &value::<14>(i)]),
    },
    Value {
        name: "set",
        title: "a set",
        put: |out, i| put_command(out, &[b"SADD", b"set", member(i).as_bytes()]),
    },
    Value {
        name: "zset",
        title: "a sorted set",
        put: |out, i| {
            let score = shuffled(i.wrapping_mul(7)).to_string();
            put_command(out, &[b"ZADD", b"zset", score.as_bytes(), member(i).as_bytes()]);
        },
    },
    Value {
        name: "stream",
        title: "a stream",
        put: |out, i| put_command(out, &[b"XADD", b"stream", b"*", b"field", member(i).as_bytes()]),
    },
];

impl Beside {
    fn all() -> Vec<Beside> {
        let mut all = vec![Beside::Nothing, Beside::LongReplies];
        for removal in [Removal::Deleted, Removal::Expired, Removal::Evicted] {
            all.extend(VALUES.iter().map(|value| Beside::Removal(removal, value)));
        }
        all
    }

    fn title(self) -> String {
        match self {
            Beside::Nothing => "nothing".to_owned(),
            Beside::LongReplies => "a GET of 10 MB, 10 times a second".to_owned(),
            Beside::Removal(Removal::Deleted, value) => format!("DEL of {}", value.title),
            Beside::Removal(Removal::Expired, value) => format!("expiry of {}", value.title),
            Beside::Removal(Removal::Evicted, value) => format!("eviction of {}", value.title),
        }
    }

    fn figures(self) -> &'static [Figure] {
        match self {
            Beside::Nothing | Beside::LongReplies => &[P50, P99, P999, LONGEST],
            Beside::Removal(..) => &[P999, LONGEST],
        }
    }

    /// What is done first, not measured.
    fn before(self) -> Vec<String> {
        match self {
            Beside::Nothing | Beside::LongReplies => Vec::new(),
            Beside::Removal(_, value) => vec![
                "CONFIG SET maxmemory 0".to_owned(),
                format!("COPY {} tmp REPLACE", value.name),
            ],
        }
    }

    fn load(self) -> Load {
        let inline = |at: Duration, lines: &[&str], reply_len: usize| {
            let mut bytes = Vec::new();
            lines.iter().for_each(|line| put_inline(&mut bytes, line));
            Disturbance { at, bytes, reply_len }
        };
        let (length_ms, disturbances) = match self {
            Beside::Nothing => (STEADY_MS, Vec::new()),
            Beside::LongReplies => {
                let reply_len = format!("${LONG_LEN}").len() + 2 + LONG_LEN + 2;
                let times = u32::try_from(STEADY_MS).expect("some seconds") / 100;
                let get = |nth| inline(LONG_INTERVAL * nth, &["GET long"], reply_len);
                (STEADY_MS, (0..times).map(get).collect())
            }
            Beside::Removal(Removal::Deleted, _) => {
                (REMOVAL_MS, vec![inline(REMOVAL_AT, &["DEL tmp"], 4)])
            }
            Beside::Removal(Removal::Expired, _) => {
                (REMOVAL_MS, vec![inline(Duration::ZERO, &["PEXPIRE tmp 100"], 4)])
            }
            // It alone may go, and must.
            Beside::Removal(Removal::Evicted, _) => {
                let lines = ["EXPIRE tmp 100000", "CONFIG SET maxmemory 1"];
                (REMOVAL_MS, vec![inline(REMOVAL_AT, &lines, 9)])
            }
        };
        Load { rate: RATE, length: Duration::from_millis(length_ms), disturbances }
    }
}

/// Measures; the servers' order is that of the cells.
pub(crate) fn measure(options: &Options, servers: &[Server]) -> Result<Vec<Row>, Failure> {
    let chosen = |beside: &Beside| options.takes_case(&beside.title());
    let all: Vec<Beside> = Beside::all().into_iter().filter(chosen).collect();
    let mut daemons = Vec::new();
    for server in servers {
        eprintln!("filling {}", server.title);
        daemons.push(prepare(options, server)?);
    }
    open_loop::go_first(std::process::id());
    let mut rows = Vec::new();
    for beside in &all {
        rows.extend(rows_of(&beside.title(), beside.figures(), servers.len()));
    }
    for round in 1..=options.repeats {
        for beside in &all {
            eprintln!("{} round {round}/{}", beside.title(), options.repeats);
            for (index, daemon) in daemons.iter().enumerate() {
                let mut client = Client::connect(daemon.address())?;
                for line in beside.before() {
                    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
                    client.run(&words)?;
                }
                let latencies = open_loop::run(daemon.address(), &beside.load())?;
                note(&mut rows, &beside.title(), index, latencies);
                if let Beside::Removal(..) = beside {
                    expect_gone(&mut client)?;
                }
            }
        }
    }
    for daemon in daemons {
        daemon.stop()?;
    }
    open_loop::go_with_the_others(std::process::id());
    Ok(rows)
}

fn rows_of(beside: &str, figures: &[Figure], servers: usize) -> Vec<Row> {
    let row = |figure: &Figure| Row {
        beside: beside.to_owned(),
        figure: figure.title,
        cells: vec![Samples::default(); servers],
        one_in: figure.one_in,
    };
    figures.iter().map(row).collect()
}

/// Adds a sample to the rows of one load.
fn note(rows: &mut [Row], beside: &str, server: usize, mut latencies: Vec<u64>) {
    for row in rows.iter_mut().filter(|row| row.beside == beside) {
        row.cells[server].push(micros(percentile(&mut latencies, row.one_in)));
    }
}

fn expect_gone(client: &mut Client) -> Result<(), Failure> {
    match client.text(&[b"EXISTS", b"tmp"])?.as_str() {
        "0" => Ok(()),
        _ => Err(Failure::Other("the large value is still there".to_owned())),
    }
}

fn prepare(options: &Options, server: &Server) -> Result<Daemon, Failure> {
    let mut launch = server.launch(options.server_core, 10_000);
    launch.args.extend(["--maxmemory-policy", "volatile-lru"].map(str::to_owned));
    let daemon = Daemon::start(&launch)?;
    let mut client = Client::connect(daemon.address())?;
    open_loop::fill(&mut client)?;
    client.run(&[b"SET", b"long", &vec![b'x'; LONG_LEN]])?;
    for value in VALUES {
        client.fill(options.keys, value.put)?;
    }
    open_loop::go_first(daemon.pid());
    Ok(daemon)
}

/// Measures GETs while values are moved together in memory, of which three quarters have gone.
pub(crate) fn measure_defragmentation(
    options: &Options,
    servers: &[Server],
) -> Result<Vec<Row>, Failure> {
    const BESIDE: &str = "active defragmentation";
    let mut rows = rows_of(BESIDE, &[P50, P99, P999, LONGEST], servers.len());
    open_loop::go_first(std::process::id());
    for round in 1..=options.repeats {
        for (index, server) in servers.iter().enumerate() {
            eprintln!("defragmentation round {round}/{} {}", options.repeats, server.title);
            let daemon = Daemon::start(&server.launch(options.server_core, 10_000))?;
            let mut client = Client::connect(daemon.address())?;
            client.fill(options.keys, put_any_length)?;
            client.fill(options.keys, delete_three_of_four)?;
            open_loop::fill(&mut client)?;
            client.run(&[b"CONFIG", b"SET", b"active-defrag-ignore-bytes", b"1mb"])?;
            match client.run(&[b"CONFIG", b"SET", b"activedefrag", b"yes"]) {
                Ok(()) => {}
                // Built with an allocator that cannot be asked.
                Err(failure) if server.kind != Kind::Carnelian => {
                    eprintln!("{}: {failure}", server.title);
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            open_loop::go_first(daemon.pid());
            let length = Duration::from_millis(DEFRAGMENTING_MS);
            let load = Load { rate: RATE, length, disturbances: Vec::new() };
            let latencies = open_loop::run(daemon.address(), &load)?;
            if client.info_number("stats", "active_defrag_hits")? == 0 {
                return Err(Failure::Other(format!("{} moved nothing", server.title)));
            }
            note(&mut rows, BESIDE, index, latencies);
            daemon.stop()?;
        }
    }
    open_loop::go_with_the_others(std::process::id());
    Ok(rows)
}

/// `SET` to 10 to 300 bytes.
fn put_any_length(out: &mut Vec<u8>, index: u32) {
    let length = 10 + usize::try_from(shuffled(index) % 291).expect("below 291");
    put_command(out, &[b"SET", other_key(index).as_bytes(), &value::<300>(index)[300 - length..]]);
}

fn delete_three_of_four(out: &mut Vec<u8>, index: u32) {
    match shuffled(index.wrapping_mul(31)) % 1000 < 750 {
        true => put_command(out, &[b"DEL", other_key(index).as_bytes()]),
        false => put_command(out, &[b"PING"]),
    }
}

/// Not one of those that are read.
fn other_key(index: u32) -> String {
    key(index + open_loop::KEYS)
}
