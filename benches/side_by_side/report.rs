//! The tables as Markdown, and their place in `docs/benchmarks.md`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::append_only::Policy;
use crate::daemon::Failure;
use crate::options::{Options, Section};
use crate::servers::{Kind, Server};
use crate::stats::Samples;
use crate::{
    access, append_only, large, latency, memory, messages, open_loop, scripts, snapshot, tail,
    throughput, watching,
};

const NO_VALUE: &str = "–";
/// Below this a command on a large value is as quick as any.
const SHORT_MS: f64 = 0.2;

/// Renders the throughput table.
pub(crate) fn throughput(
    options: &Options,
    servers: &[Server],
    rows: &[throughput::Row],
) -> String {
    let mut columns = vec!["test".to_owned(), "depth".to_owned()];
    columns.extend(servers.iter().map(|server| format!("{} µs/op", server.title)));
    columns.extend(ratio_titles(servers));
    columns.extend(servers.iter().map(|server| format!("{} op/s", server.title)));
    let mut table = Table::new(&columns);
    for row in rows {
        let cpu: Vec<Samples> = row.cells.iter().map(|cell| cell.cpu_us.clone()).collect();
        let mut line = vec![row.name.to_uppercase(), row.depth.to_string()];
        line.extend(cpu.iter().map(|samples| shown(samples, 3)));
        line.extend(ratios(servers, &cpu));
        line.extend(row.cells.iter().map(|cell| match cell.per_second.median() {
            Some(rate) => format!("{:.0} k", rate / 1000.0),
            None => NO_VALUE.to_owned(),
        }));
        table.line(&line);
    }
    format!(
        "## CPU time per operation\n\n\
         Microseconds of server CPU (user and system, all threads) per command, each server pinned \
         to core {}, `redis-benchmark -c 50 -r {}` on core {}. Median of {} rounds, the servers in \
         turn within each; ± is half the distance of the extremes in percent of the median. \
         Operations per second are what one core of `redis-benchmark` gets out of the server: \
         where the server is fast they measure the client.\n\n{}",
        options.server_core, options.keys, options.client_core, options.repeats, table.text
    )
}

/// Renders the table of scripts.
pub(crate) fn scripts(options: &Options, servers: &[Server], rows: &[scripts::Row]) -> String {
    let mut columns = vec!["EVALSHA of".to_owned()];
    columns.extend(servers.iter().map(|server| format!("{} µs/call", server.title)));
    columns.extend(ratio_titles(servers));
    let mut table = Table::new(&columns);
    for row in rows {
        let cpu: Vec<Samples> = row.cells.iter().map(|cell| cell.cpu_us.clone()).collect();
        let mut line = vec![row.script.title.to_owned()];
        line.extend(cpu.iter().map(|samples| shown(samples, 3)));
        line.extend(ratios(servers, &cpu));
        table.line(&line);
    }
    format!(
        "## Scripts\n\n\
         Microseconds of server CPU for each call, at depth {} with 50 clients and {} random keys; else as \
         above. Median of {} rounds.\n\n{}",
        scripts::DEPTH,
        options.keys,
        options.repeats,
        table.text
    )
}

/// Renders the table of what access control costs.
pub(crate) fn access(options: &Options, servers: &[Server], rows: &[access::Row]) -> String {
    let mut columns = vec!["command".to_owned(), "depth".to_owned()];
    for Server { title, .. } in servers {
        columns.extend(["default", "20 rules"].map(|user| format!("{title}, {user}, µs/op")));
        columns.extend(["CPU", "op/s"].map(|what| format!("{what} in %")));
    }
    let mut table = Table::new(&columns);
    for row in rows {
        let mut line = vec![row.name.to_ascii_uppercase(), row.depth.to_string()];
        for [default, other] in &row.cells {
            line.extend([default, other].map(|cell| shown(&cell.cpu_us, 3)));
            line.push(percent(&other.cpu_us, &default.cpu_us));
            line.push(percent(&other.per_second, &default.per_second));
        }
        table.line(&line);
    }
    format!(
        "## Access control\n\n\
         The default user, and one of twenty rules, seven of them about keys of which the last matches; both \
         on the same server, in turn within each of {} rounds. Microseconds of server CPU for each operation, \
         and what the second user's CPU and throughput are of the first one's, by the medians.\n\n{}",
        options.repeats, table.text
    )
}

/// What one quantity is of another, in percent.
fn percent(one: &Samples, of: &Samples) -> String {
    match (one.median(), of.median()) {
        (Some(one), Some(of)) if of > 0.0 => format!("{:.1}", one / of * 100.0),
        _ => "–".to_owned(),
    }
}

/// Renders the memory table.
pub(crate) fn memory(options: &Options, servers: &[Server], rows: &[memory::Row]) -> String {
    let mut columns = vec!["16-byte key and …".to_owned()];
    columns.extend(servers.iter().map(|server| server.title.clone()));
    columns.extend(ratio_titles(servers));
    let mut table = Table::new(&columns);
    for row in rows {
        let mut line = vec![row.title.to_owned()];
        line.extend(row.cells.iter().map(|samples| shown(samples, 1)));
        line.extend(ratios(servers, &row.cells));
        table.line(&line);
    }
    format!(
        "## Memory per item\n\n\
         Resident bytes per item: the growth of the resident set while {} items are written, \
         divided by their number. Median of {} fresh servers each.\n\n{}",
        grouped(options.keys),
        options.memory_repeats,
        table.text
    )
}

/// Renders the table of insert latencies.
pub(crate) fn latency(options: &Options, servers: &[Server], cells: &[latency::Cell]) -> String {
    let columns =
        ["server", "p50 µs", "p99.99 µs", "longest µs", "most CPU µs", "in every round µs"];
    let mut table = Table::new(&columns.map(str::to_owned));
    for (server, cell) in servers.iter().zip(cells) {
        let samples = [&cell.median, &cell.one_in_ten_thousand, &cell.longest, &cell.most_cpu];
        let mut line = vec![server.title.clone()];
        line.extend(samples.map(|samples| shown(samples, 0)));
        line.push(format!("{:.0}", cell.repeated_cpu()));
        table.line(&line);
    }
    format!(
        "## Latency of inserting\n\n\
         Round trips of {} `SET`s of new keys, one at a time over one connection. The longest are \
         mostly those in which other work of the machine had the core, so the last columns give \
         the most CPU time that the server took within one round trip, interrupts included, and \
         the most that it took at the same key in every round: a rehash that stops the server \
         would show there. Median of {} fresh servers each.\n\n{}",
        grouped(options.keys),
        options.memory_repeats,
        table.text
    )
}

/// Renders the table of idle connections.
pub(crate) fn idle(options: &Options, servers: &[Server], cells: &[memory::Idle]) -> String {
    let columns = ["server", "resident in all, MiB", "bytes each"];
    let mut table = Table::new(&columns.map(str::to_owned));
    for (server, cell) in servers.iter().zip(cells) {
        let line = [server.title.clone(), shown(&cell.total_mib, 1), shown(&cell.bytes_each, 0)];
        table.line(&line);
    }
    format!(
        "## Idle connections\n\n\
         Resident memory with {} connections, each of which has said `PING` once. Median of {} \
         fresh servers each.\n\n{}",
        grouped(options.idle_clients),
        options.memory_repeats,
        table.text
    )
}

/// Renders the table of snapshots.
pub(crate) fn snapshot(options: &Options, servers: &[Server], report: &snapshot::Report) -> String {
    let mut columns = vec!["data".to_owned(), "what".to_owned()];
    columns.extend(servers.iter().map(|server| server.title.clone()));
    columns.extend(ratio_titles(servers));
    let mut table = Table::new(&columns);
    for row in &report.rows {
        let mut line = vec![row.data.to_owned(), row.what.to_owned()];
        line.extend(row.cells.iter().map(|samples| shown(samples, row.decimals)));
        line.extend(ratios(servers, &row.cells));
        table.line(&line);
    }
    format!(
        "## Snapshots\n\n\
         {} keys of 16 bytes. *Strings* have values of 16 to 64 bytes that do not compress; of ten \
         *mixed* keys four are strings (one with an expiry), one a number, two hashes of five fields, \
         one a list of eight elements, one a sorted set of six members and one a set of five; of \
         10,000 keys five are collections of 1,000 items. Loading is what the log of a server \
         says that starts on the file of its own kind; its CPU time is that of the start. The longest \
         ping is that of a client which sends one every 0.1 ms until the child has ended. Peak memory: \
         resident in the server and private in its child while 50 clients of `redis-benchmark` \
         overwrite values at depth 16. Servers may use both cores. Median of {} rounds, the servers \
         in turn within each.\n\n{}{}",
        grouped(options.snapshot_keys),
        options.snapshot_repeats,
        table.text,
        absences(&report.missing)
    )
}

/// Renders the tables of the append-only file.
pub(crate) fn append_only(
    options: &Options,
    servers: &[Server],
    report: &append_only::Report,
) -> String {
    let mut columns = vec!["appendfsync".to_owned(), "depth".to_owned()];
    columns.extend(servers.iter().map(|server| format!("{} op/s", server.title)));
    columns.extend(ratio_titles(servers));
    columns.extend(servers.iter().map(|server| format!("{} of off", server.title)));
    columns.extend(servers.iter().map(|server| format!("{} µs/op", server.title)));
    let mut table = Table::new(&columns);
    for row in &report.rows {
        let rates: Vec<Samples> = row.cells.iter().map(|cell| cell.per_second.clone()).collect();
        let without = report
            .rows
            .iter()
            .find(|other| other.policy == Policy::Off && other.depth == row.depth)
            .expect("every depth is measured without a file");
        let mut line = vec![row.policy.title().to_owned(), row.depth.to_string()];
        line.extend(rates.iter().map(|samples| shown(samples, 0)));
        line.extend(ratios(servers, &rates));
        let of_off = |(cell, off): (&throughput::Cell, &throughput::Cell)| {
            ratio(&cell.per_second, &off.per_second)
        };
        line.extend(row.cells.iter().zip(&without.cells).map(of_off));
        line.extend(row.cells.iter().map(|cell| shown(&cell.cpu_us, 3)));
        table.line(&line);
    }
    let columns = ["server", "rewrite, s", "rewrite, s of CPU", "files after it, MiB"];
    let mut rewrites = Table::new(&columns.map(str::to_owned));
    for (server, cell) in servers.iter().zip(&report.rewrites) {
        let figures =
            [shown(&cell.seconds, 2), shown(&cell.cpu_seconds, 2), shown(&cell.mebibytes, 1)];
        let mut line = vec![server.title.clone()];
        line.extend(figures);
        rewrites.line(&line);
    }
    format!(
        "## Append-only file\n\n\
         `SET` of a 32-byte value to one of {} random keys, 50 clients of `redis-benchmark` on core {}, \
         the servers on core {}; a server for each policy. Operations per second, their ratio to \
         those without a file, and server CPU (all threads) per operation. Median of {} rounds, the \
         servers in turn within each.\n\n{}\n\
         `BGREWRITEAOF` of {} strings, until it has ended, with the CPU time of server and child. \
         Median of {} rounds.\n\n{}{}",
        grouped(options.keys),
        options.client_core,
        options.server_core,
        options.repeats,
        table.text,
        grouped(options.snapshot_keys),
        options.snapshot_repeats,
        rewrites.text,
        absences(&report.missing)
    )
}

/// What Carnelian could not do, so that nobody takes a missing figure for an oversight.
fn absences(missing: &[String]) -> String {
    if missing.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = missing.iter().map(|line| format!("- {line}\n")).collect();
    format!("\nNot in Carnelian yet:\n\n{}", lines.concat())
}

/// Renders the table of messages, transactions and tracking.
pub(crate) fn messages(options: &Options, servers: &[Server], rows: &[messages::Row]) -> String {
    let mut columns = vec!["what".to_owned(), "depth".to_owned()];
    columns.extend(servers.iter().map(|server| format!("{} us", server.title)));
    columns.extend(ratio_titles(servers));
    let mut table = Table::new(&columns);
    for row in rows {
        let mut line = vec![row.name.to_owned(), row.depth.to_string()];
        line.extend(row.cells.iter().map(|samples| shown(samples, 2)));
        line.extend(ratios(servers, &row.cells));
        table.line(&line);
    }
    format!(
        "## Messages, transactions and client-side caching\n\n\
         Microseconds of the server's CPU time for each message delivered, each transaction and each \
         GET; depth is how many are sent together. Messages have 64 bytes. Median of {} rounds, the \
         servers in turn within each.\n\n{}",
        options.repeats, table.text
    )
}

/// Renders the table of commands on large values.
pub(crate) fn large(options: &Options, servers: &[Server], rows: &[large::Row]) -> String {
    let mut columns = vec!["command".to_owned()];
    columns.extend(servers.iter().map(|server| format!("{} ms", server.title)));
    columns.extend(ratio_titles(servers));
    let mut table = Table::new(&columns);
    for row in rows {
        let mut line = vec![row.name.to_owned()];
        line.extend(row.cells.iter().map(|samples| shown(samples, 2)));
        let is_short = |cell: &Samples| cell.median().is_none_or(|ms| ms < SHORT_MS);
        line.extend(match row.cells.iter().all(is_short) {
            true => vec![NO_VALUE.to_owned(); ratio_titles(servers).len()],
            false => ratios(servers, &row.cells),
        });
        table.line(&line);
    }
    format!(
        "## Commands on values of a million elements\n\n\
         Milliseconds of CPU time of the server's main thread, for which everybody else waits, in \
         one command, its reply included. Sets, hashes, lists, sorted sets and positions have {} \
         elements with names of 14 bytes, those named alike with a 2 have half of them in common; \
         `numbers` is a list of numbers; `bits` and `zeros` have 100 bytes for each element; `tmp` \
         is a copy or does not exist. Median of {} rounds, the servers in turn within each \
         command; no ratio is given where all take less than {SHORT_MS} ms, most of which is the \
         kernel's.\n\n{}",
        grouped(options.keys),
        options.repeats,
        table.text
    )
}

/// Renders the table of small GETs beside something large.
pub(crate) fn tail(options: &Options, servers: &[Server], rows: &[tail::Row]) -> String {
    format!(
        "## Small GETs beside large things\n\n\
         Microseconds from when a GET was due until its reply was there. {} clients send {} GETs of \
         3 bytes a second in all, each at a time fixed beforehand whether the last has its reply or \
         not. The servers have core {} with all their threads, the client core {}; it and the \
         servers' main threads go before other programs (`chrt -f`). Values that go \
         have {} elements; one goes in each load of half a second, 5,000 GETs. Median of {} rounds, \
         the servers in turn within each load.\n\n{}",
        open_loop::CLIENTS,
        grouped(tail::RATE),
        options.server_core,
        options.client_core,
        grouped(options.keys),
        options.repeats,
        tail_table(servers, rows)
    )
}

/// Renders the table of small GETs while values are moved.
pub(crate) fn defragmentation(options: &Options, servers: &[Server], rows: &[tail::Row]) -> String {
    format!(
        "## Small GETs during active defragmentation\n\n\
         The same GETs, for three seconds from when `activedefrag` is turned on; before that three \
         quarters of {} keys with values of 10 to 300 bytes were deleted at random. A server without \
         a figure cannot do it as it is built here. Median of {} rounds.\n\n{}",
        grouped(options.keys),
        options.repeats,
        tail_table(servers, rows)
    )
}

fn tail_table(servers: &[Server], rows: &[tail::Row]) -> String {
    let mut columns = vec!["beside".to_owned(), "what".to_owned()];
    columns.extend(servers.iter().map(|server| format!("{} µs", server.title)));
    columns.extend(ratio_titles(servers));
    let mut table = Table::new(&columns);
    for row in rows {
        let mut line = vec![row.beside.clone(), row.figure.to_owned()];
        line.extend(row.cells.iter().map(|samples| shown(samples, 0)));
        line.extend(ratios(servers, &row.cells));
        table.line(&line);
    }
    table.text
}

/// Renders the table of what it costs to be watched.
pub(crate) fn watching(options: &Options, servers: &[Server], rows: &[watching::Row]) -> String {
    let mut columns = vec!["depth".to_owned()];
    for server in servers {
        let title = &server.title;
        columns.extend([format!("{title} off"), format!("{title} on"), "on to off".to_owned()]);
    }
    let mut table = Table::new(&columns);
    for row in rows {
        let mut line = vec![row.depth.to_string()];
        for pair in &row.pairs {
            line.extend([shown(&pair.off.cpu_us, 3), shown(&pair.on.cpu_us, 3)]);
            line.push(format!("**{}**", shown(&pair.ratio, 2)));
        }
        table.line(&line);
    }
    format!(
        "## Watched and not\n\n\
         Microseconds of server CPU for each GET, as in the table of CPU time per operation, with \
         `latency-tracking no` and `latency-monitor-threshold 0`, and with `yes` and `100`; counters \
         of commands are always on. Median of {} rounds; the ratio is the median of theirs.\n\n{}",
        options.repeats, table.text
    )
}

/// Machine, kernel, commit and date, to stand under each table.
pub(crate) fn provenance() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            line.split_once(':').map(|(_, name)| name.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown processor".to_owned());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = output_of("git", &["describe", "--always", "--dirty", "--exclude=*"]);
    let date = output_of("date", &["-u", "+%Y-%m-%d"]);
    format!("*{processor}, {cores} cores; Linux {}; commit {commit}; {date}.*", kernel.trim())
}

/// Replaces the section in `docs/benchmarks.md`, or appends it, and leaves the rest as it is.
pub(crate) fn write_section(section: Section, text: &str) -> Result<(), Failure> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md");
    let mut document = fs::read_to_string(&path).unwrap_or_else(|_| {
        "# Benchmarks\n\nWritten by `cargo bench --bench side_by_side -- --write`.\n".to_owned()
    });
    let begin = format!("<!-- begin {} -->\n", section.key());
    let end = format!("<!-- end {} -->\n", section.key());
    let block = format!("{begin}{text}{end}");
    match (document.find(&begin), document.find(&end)) {
        (Some(start), Some(stop)) if start < stop => {
            document.replace_range(start..stop + end.len(), &block);
        }
        _ => {
            document.push('\n');
            document.push_str(&block);
        }
    }
    fs::write(&path, document).map_err(Failure::io(format!("writing {}", path.display())))
}

fn output_of(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

/// `1000000` as `1,000,000`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn shown(samples: &Samples, decimals: usize) -> String {
    match samples.median() {
        Some(median) => format!("{median:.decimals$} ±{:.0} %", samples.spread_percent()),
        None => NO_VALUE.to_owned(),
    }
}

/// The contenders that Carnelian is measured against, by column.
fn rivals(servers: &[Server]) -> Option<(usize, Vec<usize>)> {
    let ours = servers.iter().position(|server| server.kind == Kind::Carnelian)?;
    Some((ours, (0..servers.len()).filter(|&column| column != ours).collect()))
}

fn ratio_titles(servers: &[Server]) -> Vec<String> {
    let Some((_, others)) = rivals(servers) else { return Vec::new() };
    others.iter().map(|&column| format!("of {}", servers[column].title)).collect()
}

fn ratios(servers: &[Server], cells: &[Samples]) -> Vec<String> {
    let Some((ours, others)) = rivals(servers) else { return Vec::new() };
    let bold = |other: usize| match ratio(&cells[ours], &cells[other]) {
        ratio if ratio == NO_VALUE => ratio,
        ratio => format!("**{ratio}**"),
    };
    others.into_iter().map(bold).collect()
}

/// One median as a multiple of another.
fn ratio(part: &Samples, whole: &Samples) -> String {
    match (part.median(), whole.median()) {
        (Some(part), Some(whole)) => format!("{:.2}", part / whole),
        (Some(_) | None, Some(_) | None) => NO_VALUE.to_owned(),
    }
}

/// A Markdown table under construction.
struct Table {
    text: String,
}

impl Table {
    fn new(columns: &[String]) -> Table {
        let mut table = Table { text: String::new() };
        table.line(columns);
        table.line(&vec!["---".to_owned(); columns.len()]);
        table
    }

    fn line(&mut self, cells: &[String]) {
        self.text.push_str("| ");
        self.text.push_str(&cells.join(" | "));
        self.text.push_str(" |\n");
    }
}
