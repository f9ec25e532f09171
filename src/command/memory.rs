//! MEMORY: what takes how much.

use super::replication::StreamBytes;
use super::spec::{Arg, ArgType, Flags, Group, KeyFlags, KeySpec};
use super::{Command, Context, Error, Outcome, Server, Spec};
use crate::base::num;
use crate::command::host::MemoryUse;
use crate::resp::Output;
use crate::session::SessionFlags;
use crate::value;
use std::fmt::Write;

/// MEMORY subcommand
pub static MEMORY: Command = Command {
    spec: MEMORY_SPEC,
    handler: None,
    subcommands: &[
        &Command { spec: DOCTOR_SPEC, handler: Some(doctor), subcommands: &[] },
        &Command { spec: HELP_SPEC, handler: Some(help), subcommands: &[] },
        &Command { spec: MALLOC_STATS_SPEC, handler: Some(malloc_stats), subcommands: &[] },
        &Command { spec: PURGE_SPEC, handler: Some(purge), subcommands: &[] },
        &Command { spec: STATS_SPEC, handler: Some(stats), subcommands: &[] },
        &Command { spec: USAGE_SPEC, handler: Some(usage), subcommands: &[] },
    ],
};

const MEMORY_SPEC: Spec = Spec {
    name: "memory",
    summary: "Looks at the use of memory.",
    complexity: "That of the subcommand.",
    since: "4.0.0",
    group: Group::Server,
    arity: -2,
    ..Spec::EMPTY
};

const DOCTOR_SPEC: Spec = Spec {
    name: "doctor",
    summary: "Reports problems with memory.",
    complexity: "O(1)",
    since: "4.0.0",
    group: Group::Server,
    arity: 2,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Spec::EMPTY
};

const HELP_SPEC: Spec = Spec {
    name: "help",
    summary: "Lists the subcommands of MEMORY.",
    complexity: "O(1)",
    since: "4.0.0",
    group: Group::Server,
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    ..Spec::EMPTY
};

const MALLOC_STATS_SPEC: Spec = Spec {
    name: "malloc-stats",
    summary: "Returns the statistics of the allocator.",
    complexity: "Depends on the memory allocated; may be slow.",
    since: "4.0.0",
    group: Group::Server,
    arity: 2,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Spec::EMPTY
};

const PURGE_SPEC: Spec = Spec {
    name: "purge",
    summary: "Asks the allocator to give memory back.",
    complexity: "Depends on the memory allocated; may be slow.",
    since: "4.0.0",
    group: Group::Server,
    arity: 2,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..Spec::EMPTY
};

const STATS_SPEC: Spec = Spec {
    name: "stats",
    summary: "Returns where memory goes.",
    complexity: "O(1)",
    since: "4.0.0",
    group: Group::Server,
    arity: 2,
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Spec::EMPTY
};

const USAGE_SPEC: Spec = Spec {
    name: "usage",
    summary: "Estimates the bytes a key takes.",
    complexity: "O(N), N being the number of elements sampled.",
    since: "4.0.0",
    group: Group::Server,
    arity: -3,
    flags: Flags::READONLY,
    keys: &[KeySpec::range(2, 0, 1, KeyFlags::RO)],
    args: &[Arg::key("key", 0), Arg::new("count", ArgType::Integer).token("SAMPLES").optional()],
    ..Spec::EMPTY
};

/// Elements of a value that MEMORY USAGE measures unless told otherwise.
const SAMPLES_DEFAULT: usize = 5;

/// Below this the doctor has nothing to examine, bytes.
const EXAMINED_BYTES_MIN: u64 = 5 * 1024 * 1024;

/// Differences below this are no finding, bytes.
const FINDING_BYTES_MIN: u64 = 10 * 1024 * 1024;
/// Clients that take more than this on average are a finding, bytes.
const BYTES_PER_CLIENT_MAX: u64 = 200 * 1024;

fn help(ctx: &mut Context<'_>) -> Outcome {
    ctx.help(&[
        "DOCTOR",
        "    Report problems with memory.",
        "MALLOC-STATS",
        "    Print the allocator's own report.",
        "PURGE",
        "    Give free pages back to the system.",
        "STATS",
        "    Describe what memory is used for.",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes that <key> and its value take; of a nested value <count> elements are",
        "    measured (5 unless given, 0 for all).",
    ])
}

fn usage(ctx: &mut Context<'_>) -> Outcome {
    let samples = match ctx.args.len() {
        3 => SAMPLES_DEFAULT,
        5 if ctx.is_word(3, "samples") => match usize::try_from(ctx.integer(4)?) {
            Ok(0) => usize::MAX,
            Ok(samples) => samples,
            Err(_) => return Err(Error::SYNTAX),
        },
        _ => return Err(Error::SYNTAX),
    };
    let (db, key) = (ctx.session.db, ctx.key(2));
    match ctx.server.keyspace.peek(db, key) {
        Some(entry) => {
            // The slot in the table belongs to the key as well.
            let bytes = value::memory_bytes(&entry, samples) + size_of::<u64>();
            ctx.session.output.count(bytes);
        }
        None => ctx.session.output.null(),
    }
    Ok(())
}

fn purge(ctx: &mut Context<'_>) -> Outcome {
    match ctx.server.host.purge_memory() {
        Ok(()) => ctx.ok(),
        Err(_) => Err(Error::fixed("ERR Error purging dirty pages")),
    }
}

fn malloc_stats(ctx: &mut Context<'_>) -> Outcome {
    let report = ctx.server.host.allocator_report();
    ctx.session.output.verbatim("txt", report.as_bytes());
    Ok(())
}

/// Bytes that are not keys and values.
#[derive(Debug)]
pub(super) struct Overhead {
    /// What clients take that are no replicas.
    pub(super) clients: usize,
    /// The stream of changes.
    pub(super) stream: StreamBytes,
    /// The table of each database that has keys.
    tables: Vec<(usize, usize)>,
    /// Everything, with what the server started with.
    pub(super) total: u64,
}

impl Overhead {
    /// Measures it; the client that is being served is in no table of clients and takes `own_bytes`.
    pub(super) fn measure(server: &Server, own_bytes: usize) -> Self {
        let (mut clients, mut replicas) = (own_bytes, 0);
        for session in server.sessions.iter() {
            let is_replica = session.flags.contains(SessionFlags::REPLICA);
            *(if is_replica { &mut replicas } else { &mut clients }) += session.memory_bytes();
        }
        let stream = server.replication.stream_bytes();
        let tables: Vec<(usize, usize)> = (0..server.keyspace.len())
            .filter(|&db| !server.keyspace.db(db).is_empty())
            .map(|db| (db, server.keyspace.db(db).table_bytes()))
            .collect();
        let of_tables: usize = tables.iter().map(|(_, bytes)| bytes).sum();
        let figures = server.scripting.figures();
        let total = server.startup_memory_bytes
            + num::u64_of(clients + replicas + of_tables)
            + stream.total
            + server.log_buffer_bytes()
            + figures.scripts_bytes
            + figures.functions_bytes;
        Self { clients, stream, tables, total }
    }

    fn of(ctx: &Context<'_>) -> Self {
        Self::measure(ctx.server, ctx.session.memory_bytes())
    }
}

fn stats(ctx: &mut Context<'_>) -> Outcome {
    let memory = ctx.server.host.memory();
    let overhead = Overhead::of(ctx);
    let figures = ctx.server.scripting.figures();
    let interpreters = figures.interpreter_bytes + figures.functions_interpreter_bytes;
    let keyspace = &ctx.server.keyspace;
    let keys: usize = (0..keyspace.len()).map(|db| keyspace.db(db).len()).sum();
    let startup = ctx.server.startup_memory_bytes;
    let used = memory.used;
    let peak = ctx.server.stats.peak_memory_bytes.max(used);
    let dataset = used.saturating_sub(overhead.total);
    let net = used.saturating_sub(startup);
    let percent = |part: u64, whole: u64| num::ratio(part, whole) * 100.0;
    let aof_buffer = ctx.server.log_buffer_bytes();
    let out = &mut ctx.session.output;
    out.map(32 + overhead.tables.len());
    integers(
        out,
        &[
            ("peak.allocated", peak),
            ("total.allocated", used),
            ("startup.allocated", startup),
            ("replication.backlog", overhead.stream.kept()),
            ("clients.slaves", overhead.stream.held_up),
            ("clients.normal", num::u64_of(overhead.clients)),
            ("cluster.links", 0),
            ("aof.buffer", aof_buffer),
            ("lua.caches", figures.scripts_bytes),
            ("functions.caches", figures.functions_bytes),
            ("script.VMs", interpreters),
        ],
    );
    tables(out, &overhead.tables);
    integers(
        out,
        &[
            ("overhead.total", overhead.total),
            ("keys.count", num::u64_of(keys)),
            ("keys.bytes-per-key", net.checked_div(num::u64_of(keys)).unwrap_or(0)),
            ("dataset.bytes", dataset),
        ],
    );
    out.text("dataset.percentage");
    out.double(percent(dataset, net));
    out.text("peak.percentage");
    out.double(percent(used, peak));
    allocator(out, memory);
    Ok(())
}

fn integers(out: &mut Output, fields: &[(&str, u64)]) {
    for (name, value) in fields {
        out.text(name);
        out.integer(num::i64_clamped(*value));
    }
}

fn tables(out: &mut Output, tables: &[(usize, usize)]) {
    for (db, bytes) in tables {
        out.text(&format!("db.{db}"));
        out.map(2);
        // Expiries are marks in the same table.
        integers(
            out,
            &[("overhead.hashtable.main", num::u64_of(*bytes)), ("overhead.hashtable.expires", 0)],
        );
    }
    let total: usize = tables.iter().map(|(_, bytes)| bytes).sum();
    integers(
        out,
        &[
            ("overhead.db.hashtable.lut", num::u64_of(total)),
            ("overhead.db.hashtable.rehashing", 0),
            ("db.dict.rehashing.count", 0),
        ],
    );
}

fn allocator(out: &mut Output, memory: MemoryUse) {
    integers(
        out,
        &[
            ("allocator.allocated", memory.allocated),
            ("allocator.active", memory.active),
            ("allocator.resident", memory.resident),
            ("allocator.muzzy", memory.muzzy),
        ],
    );
    for (ratio, bytes, part, whole) in [
        (
            "allocator-fragmentation.ratio",
            "allocator-fragmentation.bytes",
            memory.active,
            memory.allocated,
        ),
        ("allocator-rss.ratio", "allocator-rss.bytes", memory.resident, memory.active),
        ("rss-overhead.ratio", "rss-overhead.bytes", memory.rss, memory.resident),
        ("fragmentation", "fragmentation.bytes", memory.rss, memory.used),
    ] {
        out.text(ratio);
        out.double(num::ratio(part, whole));
        out.text(bytes);
        out.integer(num::i64_clamped(part).saturating_sub(num::i64_clamped(whole)));
    }
}

fn doctor(ctx: &mut Context<'_>) -> Outcome {
    let memory = ctx.server.host.memory();
    let peak = ctx.server.stats.peak_memory_bytes.max(memory.used);
    let overhead = Overhead::of(ctx);
    let server = &ctx.server;
    let clients = server.sessions.len().saturating_sub(server.replication.replicas.len());
    let per_client = num::u64_of(overhead.clients / clients.max(1));
    let mut text = String::new();
    if memory.used < EXAMINED_BYTES_MIN {
        text.push_str("Hi Sam, less than 5 MB are in use: too little to find fault with.\n");
    } else {
        let findings = findings(memory, peak, per_client, overhead.stream.held_up);
        text.push_str(match findings.len() {
            0 => "Hi Sam, nothing is wrong with memory here.\n",
            _ => "Sam, this is what I found:\n\n",
        });
        for finding in findings {
            let _ = writeln!(text, " * {finding}"); // cannot fail
        }
    }
    ctx.session.output.verbatim("txt", text.as_bytes());
    Ok(())
}

fn findings(
    memory: MemoryUse,
    peak: u64,
    bytes_per_client: u64,
    held_up_bytes: u64,
) -> Vec<&'static str> {
    let exceeds = |a: u64, b: u64| num::ratio(a, b) > 1.1 && a - b > FINDING_BYTES_MIN;
    let checks = [
        (
            num::ratio(peak, memory.used) > 1.5,
            "Peak: at some time much more memory was in use than now. The allocator may keep what \
             was freed; MEMORY PURGE gives it back.",
        ),
        (
            exceeds(memory.active, memory.allocated),
            "Fragmentation: pages are kept by few live values each, as happens when values of one \
             size replace those of another. A restart cures it.",
        ),
        (
            exceeds(memory.resident, memory.active),
            "Free pages: the allocator holds many that the system could have. MEMORY PURGE gives \
             them back.",
        ),
        (
            exceeds(memory.rss, memory.resident),
            "Process: it takes much more memory than its allocator does.",
        ),
        (
            bytes_per_client > BYTES_PER_CLIENT_MAX,
            "Clients: they take more than 200 KB each, in replies not read yet or in large \
             commands.",
        ),
        (
            held_up_bytes > FINDING_BYTES_MIN,
            "Replicas: more than 10 MB are kept for one that is slow to take them. Is it alive, and \
             is the network fast enough?",
        ),
    ];
    checks.into_iter().filter_map(|(found, text)| found.then_some(text)).collect()
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Bench, check};

    #[test]
    fn usage_counts_the_entry_and_its_slot() {
        check(
            "SET kkkkkkkkkkkkkkkk vvvvvvvvvvvvvvvv; MEMORY USAGE kkkkkkkkkkkkkkkk; MEMORY USAGE nope",
            "+OK :56 $_",
        );
        check(
            "MEMORY USAGE k SAMPLES; MEMORY USAGE k SAMPLES -1; MEMORY USAGE k SAMPLES x",
            "-ERR syntax error -ERR syntax error -ERR value is not an integer or out of range",
        );
    }

    #[test]
    fn stats_has_as_many_pairs_as_it_says() {
        let mut bench = Bench::new();
        bench.check("SET k v", "+OK");
        let text = bench.raw(&["MEMORY", "STATS"]);
        // Rendering panics if the count is wrong.
        bench.check("MEMORY USAGE k", ":24");
        assert!(text.starts_with(b"*66\r\n"), "{}", text[..6].escape_ascii());
    }

    #[test]
    fn there_is_no_such_subcommand() {
        check("MEMORY NOPE", "-ERR unknown subcommand 'NOPE'. Try MEMORY HELP.");
    }
}
