//! What the server tells Prometheus: the figures of INFO under the names of the common Redis exporter
//! (oliver006/redis_exporter), so that dashboards made for that work.
//!
//! Fields are taken from INFO itself ([`table::ROWS`]), so that both always agree; what INFO has several
//! values of on a line is written from where INFO has it.

mod table;

use super::info;
use super::observe::Kind as LogKind;
use super::server::Server;
use crate::base::num;
use std::fmt::{Display, Write};
use table::{Kind, ROWS, Unit};

/// The type of the text, as HTTP says it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The sections of INFO that the table takes fields from.
const SECTIONS: &[&[u8]] = &[
    b"server",
    b"clients",
    b"memory",
    b"persistence",
    b"stats",
    b"replication",
    b"cpu",
    b"cluster",
];

/// A text in the making.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Announces a metric.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP redis_{name} {help}\n# TYPE redis_{name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "redis_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// A metric with one value.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.value(name, &[], value);
    }
}

/// The value of a label as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> f64 {
    num::f64_of_u64(micros) / 1e6
}

/// The metrics of this moment.
pub fn report(server: &mut Server) -> String {
    let fields = info::report(server, SECTIONS, 0);
    let mut text = Text::default();
    text.single("up", "gauge", "Information about the Redis instance", 1);
    instance(&mut text, &fields);
    for line in fields.lines() {
        if let Some((field, value)) = line.split_once(':') {
            write_field(&mut text, field, value);
        }
    }
    let started_s = server.started.unix_s();
    text.single("start_time_seconds", "gauge", "Start time in seconds since the epoch", started_s);
    settings(&mut text, server);
    databases(&mut text, server);
    commands(&mut text, server);
    latencies(&mut text, server);
    errors(&mut text, server);
    slow_log(&mut text, server);
    spikes(&mut text, server);
    text.0
}

/// Facts that are no numbers, as labels.
fn instance(text: &mut Text, fields: &str) {
    const NAMES: [&str; 9] = [
        "role",
        "redis_version",
        "redis_build_id",
        "redis_mode",
        "os",
        "maxmemory_policy",
        "tcp_port",
        "run_id",
        "process_id",
    ];
    let labels: Vec<(&str, &str)> = (NAMES.into_iter())
        .filter_map(|name| {
            let mut lines = fields.lines().filter_map(|line| line.split_once(':'));
            lines.find(|&(field, _)| field == name)
        })
        .collect();
    text.head("instance_info", "gauge", "Information about the Redis instance");
    text.value("instance_info", &labels, 1);
}

fn write_field(text: &mut Text, field: &str, value: &str) {
    let Some(&(_, name, kind, unit)) = ROWS.iter().find(|row| row.0 == field) else { return };
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
    };
    let help = format!("{field} of INFO");
    match unit {
        Unit::Same => text.single(name, kind, &help, value),
        Unit::Micros => text.single(name, kind, &help, seconds(value.parse().unwrap_or(0))),
        Unit::Ok => text.single(name, kind, &help, u8::from(value == "ok")),
    }
}

fn settings(text: &mut Text, server: &Server) {
    let config = &server.config;
    let help = |name: &str| format!("{name} of the configuration");
    text.single("config_io_threads", "gauge", &help("io-threads"), config.io_threads);
    text.single("config_maxclients", "gauge", &help("maxclients"), config.maxclients);
    text.single("config_maxmemory", "gauge", &help("maxmemory"), config.maxmemory);
}

fn databases(text: &mut Text, server: &Server) {
    let keyspace = &server.keyspace;
    let names: Vec<String> = (0..keyspace.len()).map(|db| format!("db{db}")).collect();
    text.head("db_keys", "gauge", "Keys in each database");
    for (db, name) in names.iter().enumerate() {
        text.value("db_keys", &[("db", name)], keyspace.db(db).len());
    }
    text.head("db_keys_expiring", "gauge", "Keys with a time to live in each database");
    for (db, name) in names.iter().enumerate() {
        text.value("db_keys_expiring", &[("db", name)], keyspace.db(db).volatile_len());
    }
    text.head("db_keys_cached", "gauge", "Keys of each database that are elsewhere: none ever is");
    for (_, name) in names.iter().enumerate().filter(|&(db, _)| !keyspace.db(db).is_empty()) {
        text.value("db_keys_cached", &[("db", name)], 0);
    }
    text.head("db_avg_ttl_seconds", "gauge", "Mean time to live in each database");
    for (db, name) in names.iter().enumerate().filter(|&(db, _)| !keyspace.db(db).is_empty()) {
        let millis = keyspace.db(db).mean_ttl_ms();
        text.value("db_avg_ttl_seconds", &[("db", name)], format_args!("{}", millis_to_s(millis)));
    }
}

fn millis_to_s(millis: impl Display) -> f64 {
    millis.to_string().parse::<f64>().unwrap_or(0.0) / 1000.0
}

fn commands(text: &mut Text, server: &Server) {
    let used = || {
        let all = server.commands.iter().map(|(_, command)| (command.full_name, command.stats));
        all.filter(|(_, stats)| stats.calls + stats.rejected + stats.failed > 0)
    };
    text.head("commands_total", "counter", "Executions of each command");
    for (name, stats) in used() {
        text.value("commands_total", &[("cmd", name)], stats.calls);
    }
    text.head("commands_duration_seconds_total", "counter", "Time spent in each command");
    for (name, stats) in used() {
        let micros = stats.nanos / 1000;
        text.value("commands_duration_seconds_total", &[("cmd", name)], seconds(micros));
    }
    text.head("commands_rejected_calls_total", "counter", "Commands refused before execution");
    for (name, stats) in used() {
        text.value("commands_rejected_calls_total", &[("cmd", name)], stats.rejected);
    }
    text.head("commands_failed_calls_total", "counter", "Commands that failed");
    for (name, stats) in used() {
        text.value("commands_failed_calls_total", &[("cmd", name)], stats.failed);
    }
}

fn latencies(text: &mut Text, server: &Server) {
    const NAME: &str = "latency_percentiles_usec";
    text.head(NAME, "summary", "How long executions of each command took");
    for (_, command) in server.commands.iter() {
        let (name, Some(durations)) = (command.full_name, &command.latency) else { continue };
        let latency = durations.histogram();
        for &percentile in &server.config.latency_tracking_info_percentiles {
            let micros = num::f64_of_u64(latency.value_at_percentile(percentile)) / 1000.0;
            let quantile = percentile.to_string();
            let labels = [("cmd", name), ("quantile", &quantile)];
            text.value(NAME, &labels, format_args!("{micros:.3}"));
        }
        text.value(&format!("{NAME}_sum"), &[("cmd", name)], command.stats.nanos / 1000);
        text.value(&format!("{NAME}_count"), &[("cmd", name)], command.stats.calls);
    }
}

fn errors(text: &mut Text, server: &Server) {
    text.head("errors_total", "counter", "Error replies by their code");
    for (code, count) in &server.stats.errors_by_code {
        text.value("errors_total", &[("err", &code.escape_ascii().to_string())], count);
    }
}

fn slow_log(text: &mut Text, server: &Server) {
    let log = server.command_logs.of(LogKind::Slow);
    let last_id = log.last_id().filter(|_| !log.is_empty()).unwrap_or(0);
    text.single("slowlog_length", "gauge", "Entries of the slow log", log.len());
    text.single("slowlog_last_id", "gauge", "Number of the last entry of the slow log", last_id);
    let took = seconds(log.last_value().unwrap_or(0));
    let help = "Duration of the last entry of the slow log";
    text.single("last_slow_execution_duration_seconds", "gauge", help, took);
}

fn spikes(text: &mut Text, server: &Server) {
    text.head("latency_spike_last", "gauge", "When the last latency spike of an event was");
    for (name, at_s, _) in server.latency.latest() {
        text.value("latency_spike_last", &[("event_name", name)], at_s);
    }
    let name = "latency_spike_duration_seconds";
    text.head(name, "gauge", "How long the last latency spike of an event was");
    for (event, _, took_ms) in server.latency.latest() {
        text.value(name, &[("event_name", event)], num::f64_of_u64(took_ms) / 1000.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;
    use std::collections::BTreeSet;

    #[test]
    fn figures_have_the_names_of_the_exporter() {
        let mut bench = Bench::new();
        bench.run("SET k v; SET j v EX 100; GET k; GET x; AUTH x; SLOWLOG LEN");
        bench.server.latency.note("fork", 999_990, 1500);
        let text = report(&mut bench.server);
        for line in [
            "redis_up 1",
            "redis_connected_clients 0",
            "redis_keyspace_hits_total 1",
            "redis_commands_total{cmd=\"set\"} 2",
            "redis_commands_failed_calls_total{cmd=\"auth\"} 1",
            "redis_commands_total{cmd=\"slowlog|len\"} 1",
            "redis_db_keys{db=\"db0\"} 2",
            "redis_db_keys{db=\"db15\"} 0",
            "redis_db_keys_expiring{db=\"db0\"} 1",
            "redis_errors_total{err=\"ERR\"} 1",
            "redis_latency_percentiles_usec{cmd=\"get\",quantile=\"99.9\"} 0.001",
            "redis_latency_percentiles_usec_count{cmd=\"get\"} 2",
            "redis_rdb_last_bgsave_status 1",
            "redis_slowlog_last_id 0",
            "redis_config_maxclients 10000",
            "redis_latency_spike_duration_seconds{event_name=\"fork\"} 1.5",
            "# TYPE redis_commands_total counter",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.contains("redis_version=\"7.4.0\""));
    }

    #[test]
    fn every_metric_is_announced_once_and_every_row_has_its_field() {
        let mut bench = Bench::new();
        bench.run("SET k v");
        let text = report(&mut bench.server);
        let mut announced = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let name = rest.split(' ').next().expect("a name");
                assert!(announced.insert(name), "{name}");
            }
        }
        let fields = info::report(&mut bench.server, SECTIONS, 0);
        for (field, metric, ..) in ROWS {
            // What concerns the log is there while there is one.
            let is_there = fields.contains(&format!("\r\n{field}:"));
            assert_eq!(
                announced.contains(format!("redis_{metric}").as_str()),
                is_there,
                "{metric}"
            );
            assert!(is_there || field.starts_with("aof_"), "{field}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::default();
        text.value("x", &[("a", "q\"b\\s\nn"), ("b", "")], 1.5);
        assert_eq!(text.0, "redis_x{a=\"q\\\"b\\\\s\\nn\",b=\"\"} 1.5\n");
    }
}
