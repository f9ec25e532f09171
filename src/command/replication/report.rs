//! INFO replication.

use super::role::{Following, LinkState};
use super::state::Replication;
use crate::base::num;
use crate::command::info::Report;
use crate::command::server::Server;
use crate::repl::Replica;
use crate::session::{Endpoint, Session};

const NO_ID: &str = "0000000000000000000000000000000000000000";

impl Replication {
    /// The id before, as INFO shows it.
    pub(super) fn second_id(&self) -> String {
        self.history.second().map_or_else(|| NO_ID.to_owned(), |second| second.id.to_string())
    }
}

/// The address at which a replica is to be found.
pub(super) fn address(session: &Session, announced: &[u8]) -> String {
    if !announced.is_empty() {
        return announced.escape_ascii().to_string();
    }
    match &session.peer {
        Endpoint::Tcp(address) => address.ip().to_canonical().to_string(),
        Endpoint::Unix(path) => path.to_string(),
    }
}

impl Server {
    /// How the log names a replica: by its address and the port where it listens.
    pub(super) fn name_of(&self, session: &Session, announced: &[u8], port: u16) -> String {
        match port {
            0 => format!("client id #{}", session.id.0),
            _ => format!("{}:{port}", address(session, announced)),
        }
    }

    /// As [`Server::name_of`], of one that follows and is in the table of clients.
    pub(super) fn name_of_replica(&self, replica: &Replica) -> String {
        let session = self.sessions.get(replica.place);
        session.map_or_else(String::new, |session| {
            self.name_of(session, &replica.announced.address, replica.announced.port)
        })
    }

    pub(super) fn log_online(&self, session: &Session) {
        if let Some(replica) = self.replication.replicas.get(session.index) {
            let announced = &replica.announced;
            let name = self.name_of(session, &announced.address, announced.port);
            tracing::info!("Synchronization with replica {name} succeeded");
        }
    }
}

/// Writes the section.
pub(in crate::command) fn section(report: &mut Report<'_>) {
    let server = report.server;
    let replication = &server.replication;
    let offset = replication.history.offset();
    report.field("role", if replication.role.is_primary() { "master" } else { "slave" });
    if let Some(following) = replication.role.following() {
        primary(report, following);
    }
    report.field("connected_slaves", replication.replicas.len());
    if server.config.min_replicas_to_write > 0 && server.config.min_replicas_max_lag > 0 {
        report.field("min_slaves_good_slaves", server.good_replicas());
    }
    for (nth, replica) in replication.replicas.iter().enumerate() {
        let Some(session) = server.sessions.get(replica.place) else { continue };
        let address = address(session, &replica.announced.address);
        let is_online = replica.is_online();
        let lag_s = if is_online { replica.lag_s(server.now.mono_ms()) } else { 0 };
        report.field(
            &format!("slave{nth}"),
            format_args!(
                "ip={address},port={},state={},offset={},lag={lag_s}",
                replica.announced.port,
                replica.stage.name(),
                replica.acknowledged
            ),
        );
    }
    let backlog = replication.backlog.as_ref();
    let second = replication.history.second();
    report.fields(&[
        ("master_failover_state", &replication.failover.name()),
        ("master_replid", replication.history.id()),
        ("master_replid2", &replication.second_id()),
        ("master_repl_offset", &offset),
        ("second_repl_offset", &second.map_or(-1, |second| num::i64_clamped(second.until))),
        ("repl_backlog_active", &u8::from(backlog.is_some())),
        ("repl_backlog_size", &server.config.repl_backlog_size),
        ("repl_backlog_first_byte_offset", &backlog.map_or(0, |backlog| backlog.first())),
        ("repl_backlog_histlen", &backlog.map_or(0, |backlog| backlog.len())),
        ("repl_backlog_spilled_bytes", &backlog.map_or(0, |backlog| backlog.spilled_len())),
    ]);
}

/// What a replica says of its primary.
fn primary(report: &mut Report<'_>, following: &Following) {
    let server = report.server;
    let now_s = server.now.unix_s();
    let is_up = following.link == LinkState::Connected;
    let is_syncing = following.link == LinkState::Sync;
    let heard_ago_s = match following.heard_at_s {
        Some(at_s) if is_up => now_s - at_s,
        Some(_) | None => -1,
    };
    let offset = server.replication.history.offset();
    report.fields(&[
        ("master_host", &following.host),
        ("master_port", &following.port),
        ("master_link_status", &if is_up { "up" } else { "down" }),
        ("master_last_io_seconds_ago", &heard_ago_s),
        ("master_sync_in_progress", &u8::from(is_syncing)),
        ("slave_read_repl_offset", &server.read_offset()),
        ("slave_repl_offset", &offset),
    ]);
    if is_syncing {
        let total = following.sync_bytes_total;
        let left = total.map(|total| total.saturating_sub(following.sync_bytes));
        let percent =
            total.map_or(0.0, |total| num::ratio(following.sync_bytes, total.max(1)) * 100.0);
        let known = |count: Option<u64>| count.map_or(-1, num::i64_clamped);
        report.fields(&[
            ("master_sync_total_bytes", &known(total)),
            ("master_sync_read_bytes", &following.sync_bytes),
            ("master_sync_left_bytes", &known(left)),
            ("master_sync_perc", &format_args!("{percent:.2}")),
            ("master_sync_last_io_seconds_ago", &(now_s - following.sync_heard_at_s)),
        ]);
    }
    if !is_up {
        let down_s = following.down_since_s.map_or(-1, |since_s| now_s - since_s);
        report.field("master_link_down_since_seconds", down_s);
    }
    report.fields(&[
        ("slave_priority", &server.config.replica_priority),
        ("slave_read_only", &u8::from(server.config.replica_read_only)),
        ("replica_announced", &u8::from(server.config.replica_announced)),
    ]);
}
