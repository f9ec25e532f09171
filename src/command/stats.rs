//! What the server counts for INFO.

use std::collections::BTreeMap;

/// Samples that a rate is averaged over.
const SAMPLES: usize = 16;
/// Most error codes counted by name; scripts and modules could make up any number.
const ERROR_CODES_MAX: usize = 128;

/// Under which the others are counted.
const OTHER_CODES: &[u8] = b"ERRORSTATS_OVERFLOW";

/// A rate per second, averaged over the last [`SAMPLES`] samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    samples: [u64; SAMPLES],
    next: usize,
    last_value: u64,
    last_ms: u64,
}

impl Rate {
    /// Notes the value of a counter at a time (milliseconds of any clock that only rises).
    pub fn sample(&mut self, value: u64, at_ms: u64) {
        let elapsed_ms = at_ms.saturating_sub(self.last_ms);
        if elapsed_ms > 0 && self.last_ms > 0 {
            self.samples[self.next] = value.saturating_sub(self.last_value) * 1000 / elapsed_ms;
            self.next = (self.next + 1) % SAMPLES;
        }
        self.last_value = value;
        self.last_ms = at_ms;
    }

    /// The mean of the samples.
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / 16
    }
}

const _: () = assert!(SAMPLES == 16);

/// Counters since the start or the last CONFIG RESETSTAT.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused because of `maxclients`.
    pub rejected_connections: u64,
    /// Commands executed.
    pub commands: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes sent to clients.
    pub output_bytes: u64,
    /// Active expire cycles that ran out of time.
    pub expired_time_cap_reached: u64,
    /// Microseconds spent in active expire cycles.
    pub expire_cycle_us: u64,
    /// Error replies.
    pub errors: u64,
    /// Error replies by code.
    pub errors_by_code: BTreeMap<Box<[u8]>, u64>,
    /// Reads and writes handled by the reactor.
    pub reads: u64,
    /// See `reads`.
    pub writes: u64,
    /// Clients cut off because of their query buffer.
    pub query_buffer_limit_disconnections: u64,
    /// Clients cut off because of their output buffer.
    pub output_buffer_limit_disconnections: u64,
    /// Clients cut off because all together took too much memory.
    pub evicted_clients: u64,
    /// Logins refused.
    pub acl_denied_auth: u64,
    /// Commands that a user might not run.
    pub acl_denied_commands: u64,
    /// Commands refused for a key.
    pub acl_denied_keys: u64,
    /// Commands refused for a channel.
    pub acl_denied_channels: u64,
    /// Commands refused for a database.
    pub acl_denied_databases: u64,
    /// Certificates that named no user.
    pub acl_denied_certificates: u64,
    /// TLS connections that did not come to be.
    pub failed_handshakes: u64,
    /// Turns of the reactor, and microseconds spent in them.
    pub turns: u64,
    /// See `turns`.
    pub turn_us: u64,
    /// The longest of them, microseconds.
    pub longest_turn_us: u64,
    /// Most commands executed in one of them.
    pub most_commands_per_turn: u64,
    /// Most memory used at any time, by samples.
    pub peak_memory_bytes: u64,
    /// Objects handed to the helper thread to be freed, ever.
    pub lazy_freed: u64,
    /// Commands per second.
    pub command_rate: Rate,
    /// Bytes per second in.
    pub input_rate: Rate,
    /// Bytes per second out.
    pub output_rate: Rate,
    /// Turns per second.
    pub turn_rate: Rate,
}

impl Stats {
    /// Counts an error reply by its code.
    pub fn count_error(&mut self, code: &[u8]) {
        self.errors += 1;
        if let Some(count) = self.errors_by_code.get_mut(code) {
            *count += 1;
        } else if self.errors_by_code.len() < ERROR_CODES_MAX {
            self.errors_by_code.insert(code.into(), 1);
        } else {
            *self.errors_by_code.entry(OTHER_CODES.into()).or_default() += 1;
        }
    }

    /// Sets everything to zero but what a server has been through since its start.
    pub fn reset(&mut self) {
        *self = Self { peak_memory_bytes: self.peak_memory_bytes, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_mean_of_its_samples() {
        let mut rate = Rate::default();
        for step in 0..=16 {
            rate.sample(step * 50, 1 + step * 100);
        }
        assert_eq!(rate.per_second(), 500);
    }

    #[test]
    fn error_codes_are_bounded() {
        let mut stats = Stats::default();
        for n in 0..1000 {
            stats.count_error(format!("E{n}").as_bytes());
        }
        assert_eq!((stats.errors, stats.errors_by_code.len()), (1000, ERROR_CODES_MAX + 1));
        assert_eq!(stats.errors_by_code[OTHER_CODES], 1000 - 128);
    }
}
