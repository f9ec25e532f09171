//! What an access writes into an entry: 24 bits, read by eviction, OBJECT IDLETIME and OBJECT FREQ.
//!
//! LRU: the time of the last access in seconds, modulo 2^24. LFU: 16 bits of the time of the last
//! decrement in minutes, then an 8-bit logarithmic counter that accesses raise with falling
//! probability and time lowers.

use crate::base::num;
use crate::base::rng::Rng;

const CLOCK_MASK: u32 = 0x00ff_ffff;
/// Counter of a new key, so that it is not evicted before it had a chance.
const LFU_INITIAL: u32 = 5;

/// How accesses are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessPolicy {
    /// Time of the last access.
    Lru {
        /// Now, seconds modulo 2^24.
        clock: u32,
    },
    /// Frequency.
    Lfu {
        /// Now, minutes modulo 2^16.
        minutes: u16,
        /// `lfu-log-factor`
        log_factor: u32,
        /// `lfu-decay-time`, minutes
        decay_minutes: u32,
    },
}

impl AccessPolicy {
    /// Sets the time, Unix milliseconds.
    pub fn set_now(&mut self, now_ms: i64) {
        let seconds = u64::try_from(now_ms / 1000).unwrap_or(0);
        match self {
            Self::Lru { clock } => *clock = num::low_u32(seconds) & CLOCK_MASK,
            Self::Lfu { minutes, .. } => *minutes = num::low_u16(seconds / 60),
        }
    }

    /// Randomness for one access, drawn only if the policy needs it.
    #[inline]
    pub(super) fn draw(self, rng: &mut Rng) -> u64 {
        match self {
            Self::Lru { .. } => 0,
            Self::Lfu { .. } => rng.next_u64(),
        }
    }

    /// What a new entry starts with.
    #[inline]
    pub fn initial(self) -> u32 {
        match self {
            Self::Lru { clock } => clock,
            Self::Lfu { minutes, .. } => lfu_initial(minutes),
        }
    }

    /// What an entry starts with of which it was said how long ago it was used last, or how often it is:
    /// what the policy has no use for is ignored.
    pub fn restored(self, idle_s: Option<u64>, frequency: Option<u8>) -> u32 {
        match (self, idle_s, frequency) {
            (Self::Lru { clock }, Some(idle_s), _) => {
                let idle = num::low_u32(idle_s.min(u64::from(CLOCK_MASK)));
                clock.wrapping_sub(idle) & CLOCK_MASK
            }
            (Self::Lfu { minutes, .. }, _, Some(frequency)) => {
                (u32::from(minutes) << 8) | u32::from(frequency)
            }
            (Self::Lru { .. }, None, _) | (Self::Lfu { .. }, _, None) => self.initial(),
        }
    }

    /// What an entry has after an access.
    #[inline]
    pub fn touched(self, access: u32, random: u64) -> u32 {
        match self {
            Self::Lru { clock } => clock,
            Self::Lfu { minutes, log_factor, decay_minutes } => {
                lfu_touched(access, minutes, log_factor, decay_minutes, random)
            }
        }
    }

    /// Seconds since the last access; `None` under LFU.
    pub const fn idle_s(self, access: u32) -> Option<u32> {
        match self {
            Self::Lru { clock } => Some(clock.wrapping_sub(access) & CLOCK_MASK),
            Self::Lfu { .. } => None,
        }
    }

    /// The frequency counter, decayed to now; `None` under LRU.
    pub fn frequency(self, access: u32) -> Option<u32> {
        match self {
            Self::Lru { .. } => None,
            Self::Lfu { minutes, decay_minutes, .. } => {
                Some(lfu_decayed(access, minutes, decay_minutes))
            }
        }
    }

    /// An order of keys by how seldom they are used, the least used one first; among equals, the one
    /// that was not used for longest. `None` under LRU.
    pub(super) fn rarity(self, access: u32) -> Option<u32> {
        match self {
            Self::Lru { .. } => None,
            Self::Lfu { minutes, decay_minutes, .. } => {
                let then = num::low_u16(u64::from(access >> 8));
                let recency = u16::MAX - minutes.wrapping_sub(then);
                Some(lfu_decayed(access, minutes, decay_minutes) << 16 | u32::from(recency))
            }
        }
    }
}

/// The LFU field of a new key.
pub fn lfu_initial(minutes: u16) -> u32 {
    (u32::from(minutes) << 8) | LFU_INITIAL
}

/// The counter after the time since its last decrement has lowered it.
pub fn lfu_decayed(access: u32, minutes: u16, decay_minutes: u32) -> u32 {
    let then = num::low_u16(u64::from(access >> 8));
    let elapsed = u32::from(minutes.wrapping_sub(then));
    let periods = elapsed.checked_div(decay_minutes).unwrap_or(0);
    (access & 0xff).saturating_sub(periods)
}

/// The LFU field after an access.
pub fn lfu_touched(
    access: u32,
    minutes: u16,
    log_factor: u32,
    decay_minutes: u32,
    random: u64,
) -> u32 {
    let counter = lfu_decayed(access, minutes, decay_minutes);
    let above = u64::from(counter.saturating_sub(LFU_INITIAL));
    let odds = above * u64::from(log_factor) + 1;
    let raised = counter < 255 && random < u64::MAX / odds;
    (u32::from(minutes) << 8) | (counter + u32::from(raised))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lru_clock_wraps() {
        let mut policy = AccessPolicy::Lru { clock: 0 };
        policy.set_now(((1 << 24) + 5) * 1000);
        assert_eq!(policy.initial(), 5);
        assert_eq!(policy.idle_s(0x00ff_ffff), Some(6));
    }

    #[test]
    fn what_was_said_of_an_entry_counts_under_its_policy() {
        let lru = AccessPolicy::Lru { clock: 5 };
        assert_eq!(lru.idle_s(lru.restored(Some(100), Some(7))), Some(100));
        assert_eq!(lru.idle_s(lru.restored(Some(u64::MAX), None)), Some(CLOCK_MASK));
        assert_eq!(lru.idle_s(lru.restored(None, Some(7))), Some(0));
        let lfu = AccessPolicy::Lfu { minutes: 9, log_factor: 10, decay_minutes: 1 };
        assert_eq!(lfu.frequency(lfu.restored(Some(100), Some(7))), Some(7));
        assert_eq!(lfu.frequency(lfu.restored(Some(100), None)), Some(LFU_INITIAL));
    }

    #[test]
    fn lfu_counts_accesses_and_forgets_them() {
        let mut rng = Rng::seeded(1);
        let mut access = lfu_initial(0);
        for _ in 0..1_000_000 {
            access = lfu_touched(access, 0, 10, 1, rng.next_u64());
        }
        assert!((200..=255).contains(&(access & 0xff)), "{}", access & 0xff);
        assert_eq!(lfu_decayed(access, 10, 1), (access & 0xff) - 10);
        assert_eq!(lfu_decayed(access, 1000, 1), 0);
        assert_eq!(lfu_decayed(access, 1000, 0), access & 0xff);
    }
}
