//! The sections of INFO.

use super::{Report, human, ratio};
use crate::base::num;
use crate::command::host::{AppendOnlyFile, ChildKind, ChildProgress, LogMode};
use crate::command::persist::{Conditions, Scheduled};
use crate::command::table::CommandTable;
use crate::pubsub::Kind;
use crate::store::AccessPolicy;
use std::fmt::Display;

pub(super) fn server(report: &mut Report<'_>) {
    let server = report.server;
    let facts = server.host.facts();
    let config = &server.config;
    let uptime_s = server.now.mono_ns.saturating_sub(server.started.mono_ns) / 1_000_000_000;
    let mut clock = AccessPolicy::Lru { clock: 0 };
    clock.set_now(server.now.unix_ms());
    report.fields(&[
        ("redis_version", &crate::config::REDIS_VERSION),
        ("redis_git_sha1", &"00000000"),
        ("redis_git_dirty", &0),
        ("redis_build_id", &concat!("carnelian-", env!("CARGO_PKG_VERSION"))),
        ("redis_mode", &"standalone"),
        ("server_name", &"carnelian"),
        ("carnelian_version", &env!("CARGO_PKG_VERSION")),
        ("os", &facts.os),
        ("arch_bits", &usize::BITS),
        ("monotonic_clock", &facts.clock),
        ("multiplexing_api", &facts.multiplexing),
        ("atomicvar_api", &"c11-builtin"),
        ("gcc_version", &"0.0.0"),
        ("process_id", &facts.pid),
        ("process_supervised", &facts.supervised),
        ("run_id", &facts.run_id),
        ("tcp_port", &(if config.port == 0 { config.tls_port } else { config.port })),
        ("server_time_usec", &server.now.unix_us),
        ("uptime_in_seconds", &uptime_s),
        ("uptime_in_days", &(uptime_s / 86_400)),
        ("hz", &server.hz),
        ("configured_hz", &config.hz),
        ("lru_clock", &clock.initial()),
        ("executable", &facts.executable),
        ("config_file", &facts.config_file),
        ("io_threads_active", &0),
    ]);
    if let Some(at_ms) = server.persistence.ends_at_ms {
        report.field("shutdown_in_milliseconds", at_ms.saturating_sub(server.now.mono_ms()));
    }
    listeners(report);
}

fn listeners(report: &mut Report<'_>) {
    let config = &report.server.config;
    let mut count = 0;
    for (name, port) in [("tcp", config.port), ("tls", config.tls_port)] {
        if port == 0 || config.bind.is_empty() {
            continue;
        }
        let binds: String = config
            .bind
            .iter()
            .map(|address| {
                let dash = match address.absence {
                    crate::config::Absence::Fatal => "",
                    crate::config::Absence::Tolerated => "-",
                };
                format!(",bind={dash}{}", address.host)
            })
            .collect();
        report.field(&format!("listener{count}"), format_args!("name={name}{binds},port={port}"));
        count += 1;
    }
    if !config.unixsocket.is_empty() {
        let name = format!("listener{count}");
        report.field(&name, format_args!("name=unix,bind={}", config.unixsocket));
    }
}

/// Valkey's section, and handshakes that failed.
pub(super) fn tls(report: &mut Report<'_>) {
    let facts = report.server.host.certificates();
    let now_s = report.server.now.unix_s();
    let named = [("server", facts.server), ("client", facts.client), ("ca", facts.authority)];
    for (name, fact) in named {
        let (serial, left_s) = match fact {
            Some(fact) => (fact.serial, (fact.expires_at_s - now_s).max(0)),
            None => ("none".to_owned(), 0),
        };
        report.field(&format!("tls_{name}_cert_serial"), serial);
        report.field(&format!("tls_{name}_cert_expires_in_seconds"), left_s);
    }
    report.field("tls_failed_handshakes", report.server.stats.failed_handshakes);
}

pub(super) fn clients(report: &mut Report<'_>) {
    let server = report.server;
    let clients = server.sessions.len().saturating_sub(server.replication.replicas.len());
    report.fields(&[
        ("connected_clients", &clients),
        ("cluster_connections", &0),
        ("maxclients", &server.config.maxclients),
        ("client_recent_max_input_buffer", &server.largest_input_bytes),
        ("client_recent_max_output_buffer", &server.largest_output_bytes),
        ("blocked_clients", &(server.waits.len() + server.paused.len())),
    ]);
    report.field("tracking_clients", server.tracking.len());
    report.field("pubsub_clients", server.hub.clients());
    let watched = server.keyspace.watched();
    report.field("watching_clients", watched.clients());
    report.field("clients_in_timeout_table", server.waits.timed_len());
    report.field("total_watched_keys", watched.keys());
    report.field("total_blocking_keys", server.keyspace.awaited.keys());
    // Of commands that a key's end wakes as well, which streams bring.
    report.zeros(&["total_blocking_keys_on_nokey"]);
}

pub(super) fn memory(report: &mut Report<'_>) {
    let server = report.server;
    let used = report.memory.used;
    let peak = server.stats.peak_memory_bytes.max(used);
    let startup = server.startup_memory_bytes;
    let overhead = report.overhead.total;
    let dataset = used.saturating_sub(overhead);
    let rss = report.memory.rss;
    let percent = |part: u64, whole: u64| format!("{:.2}%", num::ratio(part, whole) * 100.0);
    report.fields(&[
        ("used_memory", &used),
        ("used_memory_human", &human(used)),
        ("used_memory_rss", &rss),
        ("used_memory_rss_human", &human(rss)),
        ("used_memory_peak", &peak),
        ("used_memory_peak_human", &human(peak)),
        ("used_memory_peak_perc", &percent(used, peak)),
        ("used_memory_overhead", &overhead),
        ("used_memory_startup", &startup),
        ("used_memory_dataset", &dataset),
        ("used_memory_dataset_perc", &percent(dataset, used.saturating_sub(startup))),
    ]);
    allocator(report);
    scripts(report);
    let maxmemory = server.config.maxmemory;
    report.fields(&[
        ("maxmemory", &maxmemory),
        ("maxmemory_human", &human(maxmemory)),
        ("maxmemory_policy", &crate::config::Word::word(server.config.maxmemory_policy)),
    ]);
    fragmentation(report);
    let (clients, held_up) = (report.overhead.clients, report.overhead.stream.held_up);
    report.fields(&[
        ("mem_clients_slaves", &held_up),
        ("mem_clients_normal", &clients),
        ("mem_cluster_links", &0),
        ("mem_aof_buffer", &server.log_buffer_bytes()),
        ("mem_allocator", &server.host.facts().allocator),
        ("mem_overhead_db_hashtable_rehashing", &0),
        ("active_defrag_running", &server.defragmentation.percent()),
        ("lazyfree_pending_objects", &server.host.drops_pending()),
        ("lazyfreed_objects", &server.stats.lazy_freed),
    ]);
}

fn allocator(report: &mut Report<'_>) {
    let memory = report.memory;
    report.fields(&[
        ("allocator_allocated", &memory.allocated),
        ("allocator_active", &memory.active),
        ("allocator_resident", &memory.resident),
        ("allocator_muzzy", &memory.muzzy),
        ("total_system_memory", &memory.system),
        ("total_system_memory_human", &human(memory.system)),
    ]);
}

fn scripts(report: &mut Report<'_>) {
    let figures = report.server.scripting.figures();
    let interpreters = figures.interpreter_bytes + figures.functions_interpreter_bytes;
    let texts = figures.scripts_bytes + figures.functions_bytes;
    report.fields(&[
        ("used_memory_lua", &figures.interpreter_bytes),
        ("used_memory_vm_eval", &figures.interpreter_bytes),
        ("used_memory_lua_human", &human(figures.interpreter_bytes)),
        ("used_memory_scripts_eval", &figures.scripts_bytes),
        ("number_of_cached_scripts", &figures.scripts),
        ("number_of_functions", &figures.functions),
        ("number_of_libraries", &report.server.persistence.libraries.len()),
        ("used_memory_vm_functions", &figures.functions_interpreter_bytes),
        ("used_memory_vm_total", &interpreters),
        ("used_memory_vm_total_human", &human(interpreters)),
        ("used_memory_functions", &figures.functions_bytes),
        ("used_memory_scripts", &texts),
        ("used_memory_scripts_human", &human(texts)),
    ]);
}

fn fragmentation(report: &mut Report<'_>) {
    let memory = report.memory;
    let difference = |a: u64, b: u64| i128::from(a) - i128::from(b);
    report.fields(&[
        ("allocator_frag_ratio", &ratio(memory.active, memory.allocated)),
        ("allocator_frag_bytes", &difference(memory.active, memory.allocated)),
        ("allocator_rss_ratio", &ratio(memory.resident, memory.active)),
        ("allocator_rss_bytes", &difference(memory.resident, memory.active)),
        ("rss_overhead_ratio", &ratio(memory.rss, memory.resident)),
        ("rss_overhead_bytes", &difference(memory.rss, memory.resident)),
        ("mem_fragmentation_ratio", &ratio(memory.rss, memory.used)),
        ("mem_fragmentation_bytes", &difference(memory.rss, memory.used)),
    ]);
    report.field("mem_not_counted_for_evict", report.server.uncounted_bytes());
    let stream = report.overhead.stream;
    report.fields(&[
        ("mem_replication_backlog", &stream.kept()),
        ("mem_total_replication_buffers", &stream.total),
    ]);
}

pub(super) fn persistence(report: &mut Report<'_>) {
    let server = report.server;
    let state = &server.persistence;
    let now_s = server.now.unix_s();
    let child = server.host.child_progress();
    let (keys_total, measured) = match &state.child {
        Some(running) => (running.keys, child),
        None => (0, ChildProgress::default()),
    };
    let measured_ago_s = match measured.measured_at_s {
        0 => 0,
        at_s => now_s - at_s,
    };
    let percent = num::ratio(measured.keys, keys_total.max(1)) * 100.0;
    let running_s = |kind| state.child_of(kind).map_or(-1, |child| now_s - child.started.unix_s());
    let log = server.host.append_only_file().filter(|log| log.mode() != LogMode::Off);
    let is_async = server.conditions.contains(Conditions::ASYNC_LOADING);
    let is_running = |kind| u8::from(state.child_of(kind).is_some());
    report.fields(&[
        ("loading", &u8::from(state.loading.is_some() && !is_async)),
        ("async_loading", &u8::from(is_async)),
        ("current_cow_peak", &measured.cow_peak_bytes),
        ("current_cow_size", &measured.cow_bytes),
        ("current_cow_size_age", &measured_ago_s),
        ("current_fork_perc", &format_args!("{percent:.2}")),
        ("current_save_keys_processed", &measured.keys),
        ("current_save_keys_total", &keys_total),
        ("rdb_changes_since_last_save", &server.keyspace.dirty),
        ("rdb_bgsave_in_progress", &is_running(ChildKind::Snapshot)),
        ("rdb_last_save_time", &state.saved_at_s),
        ("rdb_last_bgsave_status", &state.last.name()),
        ("rdb_last_bgsave_time_sec", &state.last_took_s.unwrap_or(-1)),
        ("rdb_current_bgsave_time_sec", &running_s(ChildKind::Snapshot)),
        ("rdb_saves", &state.snapshots),
        ("rdb_last_cow_size", &state.snapshot_cow_bytes),
        ("rdb_last_load_keys_expired", &state.loaded_expired),
        ("rdb_last_load_keys_loaded", &state.loaded_keys),
        ("aof_enabled", &u8::from(log.is_some())),
        ("aof_rewrite_in_progress", &is_running(ChildKind::Rewrite)),
        ("aof_rewrite_scheduled", &u8::from(state.rewrite_scheduled == Scheduled::Yes)),
        ("aof_last_rewrite_time_sec", &state.rewrite_took_s.unwrap_or(-1)),
        ("aof_current_rewrite_time_sec", &running_s(ChildKind::Rewrite)),
        ("aof_last_bgrewrite_status", &state.last_rewrite.name()),
        ("aof_rewrites", &state.rewrites),
        ("aof_rewrites_consecutive_failures", &log.map_or(0, |log| log.growth().failures)),
        ("aof_last_write_status", &if state.log_error.is_some() { "err" } else { "ok" }),
        ("aof_last_cow_size", &state.rewrite_cow_bytes),
        ("module_fork_in_progress", &0),
        ("module_fork_last_cow_size", &0),
    ]);
    if let Some(log) = log {
        append_only_file(report, log);
    }
    if let Some(loading) = &state.loading {
        report.fields(&[
            ("loading_start_time", &loading.started.unix_s()),
            ("loading_total_bytes", &loading.total_bytes),
            ("loading_rdb_used_mem", &0),
            ("loading_loaded_bytes", &loading.bytes()),
            ("loading_loaded_perc", &format_args!("{:.2}", loading.percent())),
            ("loading_eta_seconds", &loading.left_s(server.now)),
        ]);
    }
}

fn append_only_file(report: &mut Report<'_>, log: &dyn AppendOnlyFile) {
    let (growth, figures) = (log.growth(), log.figures());
    report.fields(&[
        ("aof_current_size", &growth.current_bytes),
        ("aof_base_size", &growth.base_bytes),
        ("aof_pending_rewrite", &0),
        ("aof_buffer_length", &figures.pending_bytes),
        ("aof_pending_bio_fsync", &u8::from(figures.is_syncing)),
        ("aof_delayed_fsync", &figures.delayed_syncs),
    ]);
}

pub(super) fn stats(report: &mut Report<'_>) {
    traffic(report);
    keys(report);
    let hub = &report.server.hub;
    report.fields(&[
        ("pubsub_channels", &hub.len(Kind::Channel)),
        ("pubsub_patterns", &hub.len(Kind::Pattern)),
        ("pubsubshard_channels", &hub.len(Kind::Shard)),
    ]);
    report.field("latest_fork_usec", report.server.persistence.last_fork_us);
    report.field("total_forks", report.server.persistence.forks);
    defragmentation(report);
    report.zeros(&["migrate_cached_sockets"]);
    report.field("slave_expires_tracked_keys", report.server.own_keys_len());
    let tracking = &report.server.tracking;
    report.fields(&[
        ("tracking_total_keys", &tracking.keys()),
        ("tracking_total_items", &tracking.items()),
        ("tracking_total_prefixes", &tracking.prefixes()),
        ("unexpected_error_replies", &0),
    ]);
    let stats = &report.server.stats;
    report.fields(&[
        ("total_error_replies", &stats.errors),
        ("dump_payload_sanitizations", &0),
        ("total_reads_processed", &stats.reads),
        ("total_writes_processed", &stats.writes),
        ("io_threaded_reads_processed", &0),
        ("io_threaded_writes_processed", &0),
        ("client_query_buffer_limit_disconnections", &stats.query_buffer_limit_disconnections),
        ("client_output_buffer_limit_disconnections", &stats.output_buffer_limit_disconnections),
        ("reply_buffer_shrinks", &0),
        ("reply_buffer_expands", &0),
        ("eventloop_cycles", &stats.turns),
        ("eventloop_duration_sum", &stats.turn_us),
        ("eventloop_duration_cmd_sum", &command_us(&report.server.commands)),
        ("instantaneous_eventloop_cycles_per_sec", &stats.turn_rate.per_second()),
        ("instantaneous_eventloop_duration_usec", &(stats.turn_us / stats.turns.max(1))),
        ("acl_access_denied_auth", &stats.acl_denied_auth),
        ("acl_access_denied_cmd", &stats.acl_denied_commands),
        ("acl_access_denied_key", &stats.acl_denied_keys),
        ("acl_access_denied_channel", &stats.acl_denied_channels),
        ("acl_access_denied_db", &stats.acl_denied_databases),
        ("acl_access_denied_tls_cert", &stats.acl_denied_certificates),
    ]);
}

fn command_us(commands: &CommandTable) -> u64 {
    commands.iter().map(|(_, command)| command.stats.nanos).sum::<u64>() / 1000
}

fn defragmentation(report: &mut Report<'_>) {
    let state = &report.server.defragmentation;
    let (current_ns, total_ns) = state.worked_ns((report.server.ticks)());
    report.fields(&[
        ("active_defrag_hits", &state.hits),
        ("active_defrag_misses", &state.misses),
        ("active_defrag_key_hits", &state.key_hits),
        ("active_defrag_key_misses", &state.key_misses),
        ("total_active_defrag_time", &(total_ns / 1_000_000)),
        ("current_active_defrag_time", &(current_ns / 1_000_000)),
    ]);
}

fn traffic(report: &mut Report<'_>) {
    let stats = &report.server.stats;
    let kbps = |bytes: u64| format!("{:.2}", num::f64_of_u64(bytes) / 1024.0);
    report.fields(&[
        ("total_connections_received", &stats.connections),
        ("total_commands_processed", &stats.commands),
        ("instantaneous_ops_per_sec", &stats.command_rate.per_second()),
        ("total_net_input_bytes", &stats.input_bytes),
        ("total_net_output_bytes", &stats.output_bytes),
        ("total_net_repl_input_bytes", &0),
        ("total_net_repl_output_bytes", &report.server.replication.sent_bytes),
        ("instantaneous_input_kbps", &kbps(stats.input_rate.per_second())),
        ("instantaneous_output_kbps", &kbps(stats.output_rate.per_second())),
        ("instantaneous_input_repl_kbps", &"0.00"),
        ("instantaneous_output_repl_kbps", &"0.00"),
        ("rejected_connections", &stats.rejected_connections),
    ]);
    let replication = &report.server.replication;
    report.fields(&[
        ("sync_full", &replication.full_syncs),
        ("sync_partial_ok", &replication.partial_syncs),
        ("sync_partial_err", &replication.refused_syncs),
    ]);
}

fn keys(report: &mut Report<'_>) {
    let (keyspace, stats) = (&report.server.keyspace, &report.server.stats);
    report.fields(&[
        ("expired_subkeys", &keyspace.expired_fields),
        ("expired_keys", &keyspace.expired),
        ("expired_stale_perc", &format_args!("{:.2}", keyspace.expired_stale_percent)),
        ("expired_time_cap_reached_count", &stats.expired_time_cap_reached),
        ("expire_cycle_cpu_milliseconds", &(stats.expire_cycle_us / 1000)),
    ]);
    let (current_ns, total_ns) = report.server.eviction.above_ns((report.server.ticks)());
    report.field("evicted_keys", keyspace.evicted);
    report.field("evicted_clients", report.server.stats.evicted_clients);
    report.field("evicted_scripts", report.server.scripting.evicted);
    report.field("total_eviction_exceeded_time", total_ns / 1_000_000);
    report.field("current_eviction_exceeded_time", current_ns / 1_000_000);
    report.field("keyspace_hits", keyspace.hits);
    report.field("keyspace_misses", keyspace.misses);
}

pub(super) fn cpu(report: &mut Report<'_>) {
    let cpu = report.cpu;
    for (name, seconds) in [
        ("used_cpu_sys", cpu.sys),
        ("used_cpu_user", cpu.user),
        ("used_cpu_sys_children", cpu.sys_children),
        ("used_cpu_user_children", cpu.user_children),
        ("used_cpu_sys_main_thread", cpu.sys_main_thread),
        ("used_cpu_user_main_thread", cpu.user_main_thread),
    ] {
        report.field(name, format_args!("{seconds:.6}"));
    }
}

/// There are no modules; the section stands for those that look for it.
pub(super) fn modules(_report: &mut Report<'_>) {}

pub(super) fn commandstats(report: &mut Report<'_>) {
    let server = report.server;
    for (_, command) in server.commands.iter() {
        let stats = command.stats;
        if stats.calls + stats.rejected + stats.failed == 0 {
            continue;
        }
        let usec = stats.nanos / 1000;
        let mean = num::ratio(stats.nanos, stats.calls) / 1000.0;
        report.field(
            &format!("cmdstat_{}", command.full_name),
            format_args!(
                "calls={},usec={usec},usec_per_call={mean:.2},rejected_calls={},failed_calls={}",
                stats.calls, stats.rejected, stats.failed
            ),
        );
    }
}

pub(super) fn errorstats(report: &mut Report<'_>) {
    let server = report.server;
    for (code, count) in &server.stats.errors_by_code {
        report.field(&format!("errorstat_{}", code.escape_ascii()), format_args!("count={count}"));
    }
}

pub(super) fn latencystats(report: &mut Report<'_>) {
    let server = report.server;
    let percentiles = &server.config.latency_tracking_info_percentiles;
    for (_, command) in server.commands.iter() {
        let Some(durations) = &command.latency else { continue };
        let latency = durations.histogram();
        let values: Vec<String> = percentiles
            .iter()
            .map(|&percentile| {
                let nanos = latency.value_at_percentile(percentile);
                let mut shown = Vec::new();
                crate::base::float::format_f64(percentile, &mut shown);
                let micros = num::f64_of_u64(nanos) / 1000.0;
                format!("p{}={micros:.3}", shown.escape_ascii())
            })
            .collect();
        report.field(&format!("latency_percentiles_usec_{}", command.full_name), values.join(","));
    }
}

pub(super) fn cluster(report: &mut Report<'_>) {
    report.field("cluster_enabled", 0);
}

pub(super) fn keyspace(report: &mut Report<'_>) {
    let keyspace = &report.server.keyspace;
    for index in 0..keyspace.len() {
        let db = keyspace.db(index);
        if !db.is_empty() {
            let text: &dyn Display = &format_args!(
                "keys={},expires={},avg_ttl={},subexpiry={}",
                db.len(),
                db.volatile_len(),
                db.mean_ttl_ms(),
                db.field_volatile_len()
            );
            report.field(&format!("db{index}"), text);
        }
    }
}

pub(super) fn debug(report: &mut Report<'_>) {
    let stats = &report.server.stats;
    report.fields(&[
        ("eventloop_duration_aof_sum", &0),
        ("eventloop_duration_cron_sum", &stats.expire_cycle_us),
        ("eventloop_duration_max", &stats.longest_turn_us),
        ("eventloop_cmd_per_cycle_max", &stats.most_commands_per_turn),
    ]);
}
