//! What happens by itself: expiry, statistics, idle clients, the end of a pause.

use super::Node;
use crate::base::num;
use crate::command::server::{ActiveExpire, Now, PeriodicWork, Server};
use crate::config::OutputLimit;
use crate::resp::parse::Trust;
use crate::session::{Closing, Session, SessionFlags};

/// Statistics are sampled this often, milliseconds.
const SAMPLE_MS: u64 = 100;
/// Least and most times a second the periodic work runs.
const HZ_MAX: u32 = 500;
/// Clients per run of the periodic work above which `dynamic-hz` raises the frequency.
const CLIENTS_PER_RUN_MAX: usize = 200;
/// Clients looked at in one run, at least.
const CLIENTS_PER_RUN_MIN: usize = 5;
/// Most of the time between two runs that active expiry may take, percent, at effort 1.
const EXPIRE_TIME_PERCENT: u64 = 25;
/// How long nothing happens by itself while the periodic work is paused, milliseconds.
const PAUSED_WAIT_MS: u64 = 100;
/// Unsent replies of a client that has not authenticated, bytes.
const UNAUTHENTICATED_OUTPUT_BYTES_MAX: u64 = 1024;

/// When what is due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    next_run_ms: u64,
    next_sample_ms: u64,
    next_client: usize,
}

impl Node {
    /// Does what is due and returns after how many milliseconds there is more.
    pub fn tick(&mut self, now: Now) -> u64 {
        self.server.set_now(now);
        let now_ms = now.mono_ms();
        let is_paused = self.server.periodic_work == PeriodicWork::Paused;
        if self.server.persistence.asked_to_end.is_some() && !is_paused {
            self.timers.next_run_ms = now_ms;
        }
        if now_ms >= self.timers.next_run_ms && !is_paused {
            self.run_periodic(now);
            let period_ms = 1000 / u64::from(self.server.hz.clamp(1, HZ_MAX));
            self.timers.next_run_ms = now_ms + period_ms.max(1);
        }
        if self.server.persistence.loading.is_some() {
            self.server.look_after_loading();
        }
        if now_ms >= self.server.replication.judged_until_ms {
            self.server.judge_replicas();
        }
        if self.server.persistence.rewrite_is_near {
            self.server.rewrite_if_ready();
        }
        let relay_ms = self.server.relay();
        if self.server.replication.is_spilling() {
            self.server.look_after_spill();
        }
        if !self.server.replication.role.is_primary() {
            self.tick_replica();
        }
        if self.server.shutdown.is_some() {
            return 0;
        }
        if self.server.eviction.is_running {
            self.server.evict_between_commands();
        }
        self.end_pause(now);
        self.end_waits(now);
        self.resume_served(now);
        let mut wait_ms = match self.server.periodic_work {
            PeriodicWork::Runs => self.timers.next_run_ms - now_ms,
            PeriodicWork::Paused => PAUSED_WAIT_MS,
        };
        if self.server.eviction.is_running {
            return 0;
        }
        wait_ms = wait_ms.min(relay_ms);
        wait_ms = wait_ms.min(self.server.replication.judged_until_ms.saturating_sub(now_ms));
        if self.server.config.activedefrag {
            wait_ms = wait_ms.min(self.server.defragment());
        }
        if self.server.effects.wanted()
            && let Some(log_ms) = self.server.log_wait_ms()
        {
            wait_ms = wait_ms.min(log_ms);
        }
        if let Some(pause) = self.server.pause {
            let left_ms = pause.until_ms.saturating_sub(now.unix_ms());
            wait_ms = wait_ms.min(u64::try_from(left_ms).unwrap_or(0).max(1));
        }
        if let Some(until_ns) = self.server.waits.next_deadline_ns() {
            let left_ms = until_ns.saturating_sub(now.mono_ns).div_ceil(1_000_000);
            wait_ms = wait_ms.min(left_ms.max(1));
        }
        wait_ms
    }

    fn run_periodic(&mut self, now: Now) {
        let server = &mut self.server;
        server.adjust_hz();
        if now.mono_ms() >= self.timers.next_sample_ms {
            self.timers.next_sample_ms = now.mono_ms() + SAMPLE_MS;
            server.sample(now);
        }
        server.buffers.trim(now.mono_ms());
        server.look_after_files();
        server.look_after_replicas();
        server.end_if_asked();
        server.expire_cycle();
        server.forget_tracked_keys();
        if !server.replication.role.is_primary() {
            server.look_after_link();
        }
        if server.config.activerehashing {
            server.keyspace.maintain();
        }
        self.check_clients(now);
    }

    /// Looks at some clients in turn: idle ones, and those over their soft limit, are closed.
    fn check_clients(&mut self, now: Now) {
        let server = &mut self.server;
        let places = server.sessions.places();
        if places == 0 {
            return;
        }
        let hz = usize::try_from(server.hz).unwrap_or(1).max(1);
        let count = (places / hz).max(CLIENTS_PER_RUN_MIN).min(places);
        for _ in 0..count {
            self.timers.next_client = (self.timers.next_client + 1) % places;
            let Some(mut session) = server.sessions.take(self.timers.next_client) else { continue };
            server.check_idle(&mut session, now);
            server.check_output_limit(&mut session);
            server.sessions.put(session);
        }
    }

    fn end_pause(&mut self, now: Now) {
        let over = self.server.pause.is_none_or(|pause| now.unix_ms() >= pause.until_ms);
        if over {
            self.server.set_pause(None);
        }
        if over && !self.server.paused.is_empty() {
            for index in std::mem::take(&mut self.server.paused) {
                self.desk().resume(now, index);
            }
        }
    }
}

impl Server {
    fn adjust_hz(&mut self) {
        self.hz = self.config.hz;
        if self.config.dynamic_hz {
            while self.sessions.len() / usize::try_from(self.hz).unwrap_or(1) > CLIENTS_PER_RUN_MAX
                && self.hz < HZ_MAX
            {
                self.hz = (self.hz * 2).min(HZ_MAX);
            }
        }
    }

    fn sample(&mut self, now: Now) {
        let at_ms = now.mono_ms();
        self.stats.command_rate.sample(self.stats.commands, at_ms);
        self.stats.input_rate.sample(self.stats.input_bytes, at_ms);
        self.stats.output_rate.sample(self.stats.output_bytes, at_ms);
        self.stats.turn_rate.sample(self.stats.turns, at_ms);
        self.host.look_after_certificates(&self.config, now);
        let allocated = self.host.allocated();
        self.stats.peak_memory_bytes = self.stats.peak_memory_bytes.max(allocated);
    }

    /// Expires keys, and fields of hashes, whose time has come, for a bounded time.
    fn expire_cycle(&mut self) {
        // Expiry is a write, which even the mildest pause holds back.
        let is_held = self.active_expire == ActiveExpire::Off || self.keyspace.keeps_expired;
        if self.own_keys_len() > 0 && self.pause.is_none() {
            self.expire_own_for_a_while();
        }
        let (keys, hashes) = (self.keyspace.volatile_len(), self.keyspace.field_volatile_len());
        if is_held || keys + hashes == 0 {
            return;
        }
        let effort = u64::from(self.config.active_expire_effort.clamp(1, 10));
        let percent = EXPIRE_TIME_PERCENT + 2 * (effort - 1);
        let period_ns = 1_000_000_000 / u64::from(self.hz.max(1));
        let budget_ns = period_ns * percent / 100;
        let started = (self.ticks)();
        let ticks = self.ticks;
        // What is left of the time goes to fields, and some in any case.
        let for_keys_ns = if hashes == 0 { budget_ns } else { budget_ns / 4 * 3 };
        let out_of_time = self.keyspace.expire_some(|| ticks() - started > for_keys_ns)
            | self.keyspace.expire_some_fields(|| ticks() - started > budget_ns);
        let spent = (self.ticks)() - started;
        self.stats.expire_cycle_us += spent / 1000;
        self.note_event("expire-cycle", spent);
        self.stats.expired_time_cap_reached += u64::from(out_of_time);
        self.record_removals();
        if self.keyspace.awaited.has_ready() {
            self.serve_waiting();
        }
        self.drop_garbage();
    }

    /// Expires keys that only this replica knows of.
    #[cold]
    fn expire_own_for_a_while(&mut self) {
        let budget_ns = 1_000_000_000 / u64::from(self.hz.max(1)) * EXPIRE_TIME_PERCENT / 100;
        let (started, ticks) = ((self.ticks)(), self.ticks);
        self.expire_own_keys(|| ticks() - started > budget_ns);
    }

    fn check_idle(&mut self, session: &mut Session, now: Now) {
        let limit_s = i64::from(self.config.timeout);
        let others = SessionFlags::REPLICA | SessionFlags::PRIMARY;
        let is_exempt = limit_s == 0 || session.is_held_back() || session.flags.intersects(others);
        if !is_exempt && now.unix_s() - session.active_at_s > limit_s {
            tracing::debug!(client = session.id.0, "Closing idle client");
            self.close(session);
        }
        let patience_s = i64::from(self.config.unauthenticated_timeout);
        if patience_s > 0
            && self.trust_of(session) == Trust::Unauthenticated
            && now.unix_s() - session.stranger_since_s > patience_s
        {
            tracing::debug!(client = session.id.0, "Closing a client that has not authenticated");
            self.close(session);
        }
    }

    /// Closes a client whose unsent replies exceed `client-output-buffer-limit`, or what is kept for
    /// one that has not authenticated.
    pub fn check_output_limit(&mut self, session: &mut Session) {
        let limits = &self.config.client_output_buffer_limit;
        let mut bytes = num::u64_of(session.output.pending_bytes());
        let limit = if session.flags.contains(SessionFlags::REPLICA) {
            bytes += self.replication.held_up_by(session.index);
            OutputLimit { hard_bytes: self.replica_limit_bytes(), ..limits.replica }
        } else if session.flags.contains(SessionFlags::SUBSCRIBED) {
            limits.pubsub
        } else {
            limits.normal
        };
        self.largest_output_bytes = self.largest_output_bytes.max(bytes);
        let is_stranger = self.trust_of(session) == Trust::Unauthenticated;
        let over_hard = limit.hard_bytes > 0 && bytes >= limit.hard_bytes
            || is_stranger && bytes > UNAUTHENTICATED_OUTPUT_BYTES_MAX;
        let over_soft = limit.soft_bytes > 0 && bytes >= limit.soft_bytes;
        let now_s = self.now.unix_s();
        if !over_soft {
            session.soft_limit_since_s = None;
        }
        let soft_too_long = over_soft && {
            let since = *session.soft_limit_since_s.get_or_insert(now_s);
            now_s - since > i64::from(limit.soft_seconds)
        };
        if (over_hard || soft_too_long) && session.closing != Closing::Now {
            tracing::warn!(
                client = session.id.0,
                bytes,
                "Client scheduled to be closed ASAP for overcoming of output buffer limits."
            );
            self.stats.output_buffer_limit_disconnections += 1;
            self.close(session);
        }
    }
}
