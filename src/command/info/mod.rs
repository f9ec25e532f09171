//! INFO: what the server knows of itself, in Redis's sections and fields, which exporters read.
//!
//! A field of something this server does not do yet has the value it has in a Redis that does not use
//! it.

mod keysizes;
mod sections;

use crate::base::num;
use crate::command::host::{CpuUse, MemoryUse};
use crate::command::memory::Overhead;
use crate::command::spec::{Arg, ArgType, Categories, Flags, Group};
use crate::command::{Command, Context, Outcome, Server, Spec};
use std::fmt::{Display, Write};

/// INFO [section ...]
pub static INFO: Command = Command { spec: INFO_SPEC, handler: Some(info), subcommands: &[] };

const INFO_SPEC: Spec = Spec {
    name: "info",
    summary: "Reports on the server in sections.",
    complexity: "O(1)",
    group: Group::Server,
    arity: -1,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::SENTINEL),
    categories: Categories::DANGEROUS,
    args: &[Arg::new("section", ArgType::String).optional().multiple()],
    history: &[("7.0.0", "Several sections may be given.")],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    ..Spec::EMPTY
};

/// When a section is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// With the defaults.
    Default,
    /// With `all`.
    All,
    /// Only when it is named.
    Named,
}

type Print = fn(&mut Report<'_>);

const KEYSIZES: &str = "keysizes";

/// The sections in their order: name, title, when, and what prints it.
const SECTIONS: &[(&str, &str, Shown, Print)] = &[
    ("server", "Server", Shown::Default, sections::server),
    ("clients", "Clients", Shown::Default, sections::clients),
    ("memory", "Memory", Shown::Default, sections::memory),
    ("persistence", "Persistence", Shown::Default, sections::persistence),
    ("stats", "Stats", Shown::Default, sections::stats),
    ("replication", "Replication", Shown::Default, super::replication::section),
    ("tls", "TLS", Shown::Default, sections::tls),
    ("cpu", "CPU", Shown::Default, sections::cpu),
    ("modules", "Modules", Shown::Default, sections::modules),
    ("commandstats", "Commandstats", Shown::All, sections::commandstats),
    ("errorstats", "Errorstats", Shown::Default, sections::errorstats),
    ("latencystats", "Latencystats", Shown::All, sections::latencystats),
    ("cluster", "Cluster", Shown::Default, sections::cluster),
    ("keyspace", "Keyspace", Shown::Default, sections::keyspace),
    (KEYSIZES, "Keysizes", Shown::Named, keysizes::print),
    ("debug", "Debug", Shown::Named, sections::debug),
];

/// A report in the making.
#[derive(Debug)]
pub(super) struct Report<'a> {
    text: String,
    pub(super) server: &'a Server,
    memory: MemoryUse,
    cpu: CpuUse,
    overhead: Overhead,
    /// The sizes of keys, if they are wanted.
    sizes: Vec<keysizes::Sizes>,
}

impl Report<'_> {
    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{name}:{value}\r\n");
    }

    pub(super) fn fields(&mut self, fields: &[(&str, &dyn Display)]) {
        for (name, value) in fields {
            self.field(name, value);
        }
    }

    /// Fields that are zero here.
    fn zeros(&mut self, names: &[&str]) {
        for name in names {
            self.field(name, 0);
        }
    }
}

fn info(ctx: &mut Context<'_>) -> Outcome {
    let names: Vec<&[u8]> = ctx.args.from(1).collect();
    let client_bytes = ctx.session.memory_bytes();
    let text = report(ctx.server, &names, client_bytes);
    ctx.session.output.verbatim("txt", text.as_bytes());
    Ok(())
}

/// The text of the sections that `names` ask for; none means the defaults.
pub fn report(server: &mut Server, names: &[&[u8]], own_client_bytes: usize) -> String {
    let memory = server.host.memory();
    let cpu = server.host.cpu();
    let overhead = Overhead::measure(server, own_client_bytes);
    let is_sized = is_wanted(names, KEYSIZES, Shown::Named);
    let sizes = if is_sized { keysizes::survey(server) } else { Vec::new() };
    let mut report = Report { text: String::new(), server, memory, cpu, overhead, sizes };
    for &(name, title, shown, print) in SECTIONS {
        if is_wanted(names, name, shown) {
            if !report.text.is_empty() {
                report.text.push_str("\r\n");
            }
            let _ = write!(report.text, "# {title}\r\n"); // cannot fail
            print(&mut report);
        }
    }
    report.text
}

fn is_wanted(names: &[&[u8]], section: &str, shown: Shown) -> bool {
    if names.is_empty() {
        return shown == Shown::Default;
    }
    names.iter().any(|name| {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        is(section)
            || (is("default") && shown == Shown::Default)
            || ((is("all") || is("everything")) && shown != Shown::Named)
    })
}

/// A count of bytes as people read it.
fn human(bytes: u64) -> String {
    crate::base::units::human_size(bytes)
}

/// `part` of `whole` with two decimals.
fn ratio(part: u64, whole: u64) -> String {
    format!("{:.2}", num::ratio(part, whole))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Bench;

    fn info(script: &[&str]) -> String {
        let mut bench = Bench::new();
        bench.raw(&["SET", "k", "v"]);
        bench.raw(&["SET", "k"]);
        String::from_utf8(bench.raw(script)).expect("text")
    }

    #[test]
    fn defaults_leave_out_the_long_sections() {
        let text = info(&["INFO"]);
        assert!(text.contains("redis_version:7.4.0\r\n") && text.contains("used_cpu_user:"));
        assert!(text.contains("db0:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n"));
        assert!(!text.contains("rejected_calls") && !text.contains("sentinel_tilt"));
    }

    #[test]
    fn sections_are_named_in_any_case_and_printed_once() {
        let text = info(&["INFO", "CommandStats", "commandstats", "nonsense"]);
        assert_eq!(text.matches("# Commandstats").count(), 1);
        assert!(text.contains("cmdstat_set:calls=1,usec=0,usec_per_call=0.00,rejected_calls=1"));
        assert_eq!(info(&["INFO", "sentinel"]), "$0\r\n\r\n");
    }

    #[test]
    fn sizes_of_keys_are_told_when_they_are_asked_for() {
        assert!(!info(&["INFO", "everything"]).contains("Keysizes"));
        assert!(
            info(&["INFO", "keysizes"]).contains("# Keysizes\r\ndb0_distrib_strings_sizes:1=1\r\n")
        );
    }

    #[test]
    fn everything_has_every_section() {
        let text = info(&["INFO", "everything"]);
        for section in ["Server", "Latencystats", "Errorstats", "Keyspace"] {
            assert!(text.contains(&format!("# {section}\r\n")), "{section}");
        }
        assert!(text.contains("errorstat_ERR:count=1\r\n"));
    }
}
