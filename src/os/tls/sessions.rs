//! Sessions that clients may resume: so many of the youngest, each for so long.
//!
//! Invariant: `ages` names every session of `values` once or, if it was taken since, not any more there;
//! its times rise.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::server::StoresServerSessions;

/// The store.
pub(super) struct Sessions {
    /// How many are kept; 0 is no limit.
    len_max: usize,
    timeout: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    values: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    ages: VecDeque<(Instant, Vec<u8>)>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("len_max", &self.len_max).finish_non_exhaustive()
    }
}

impl Sessions {
    pub(super) fn new(len_max: usize, timeout: Duration) -> Self {
        Self { len_max, timeout, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_at(&self, key: Vec<u8>, value: Vec<u8>, now: Instant) {
        let mut kept = self.kept();
        kept.values.insert(key.clone(), (now, value));
        kept.ages.push_back((now, key));
        while let Some((at, _)) = kept.ages.front() {
            let is_old = now.duration_since(*at) >= self.timeout;
            if !is_old && (self.len_max == 0 || kept.ages.len() <= self.len_max) {
                break;
            }
            kept.forget_oldest();
        }
    }

    fn take_at(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let (at, value) = self.kept().values.remove(key)?;
        (now.duration_since(at) < self.timeout).then_some(value)
    }

    fn get_at(&self, key: &[u8], now: Instant) -> Option<Vec<u8>> {
        let kept = self.kept();
        let (at, value) = kept.values.get(key)?;
        (now.duration_since(*at) < self.timeout).then(|| value.clone())
    }
}

impl Kept {
    fn forget_oldest(&mut self) {
        let Some((at, key)) = self.ages.pop_front() else { return };
        // One that was put again is younger than this line of it.
        if self.values.get(&key).is_some_and(|(put_at, _)| *put_at == at) {
            self.values.remove(&key);
        }
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(key, value, Instant::now());
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get_at(key, Instant::now())
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.take_at(key, Instant::now())
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(sessions: &Sessions, key: u8, at: Instant) {
        sessions.put_at(vec![key], vec![key, key], at);
    }

    #[test]
    fn the_oldest_session_makes_room() {
        let (sessions, now) = (Sessions::new(2, Duration::from_secs(9)), Instant::now());
        (1..=3).for_each(|key| put(&sessions, key, now));
        assert_eq!(sessions.get_at(&[1], now), None);
        assert_eq!(sessions.get_at(&[2], now), Some(vec![2, 2]));
        assert_eq!(sessions.take_at(&[3], now), Some(vec![3, 3]));
        assert_eq!(sessions.take_at(&[3], now), None);
        let unbounded = Sessions::new(0, Duration::from_secs(9));
        (0..=255).for_each(|key| put(&unbounded, key, now));
        assert_eq!(unbounded.get_at(&[0], now), Some(vec![0, 0]));
    }

    #[test]
    fn sessions_are_forgotten_after_their_time() {
        let (sessions, now) = (Sessions::new(9, Duration::from_secs(5)), Instant::now());
        put(&sessions, 1, now);
        put(&sessions, 1, now + Duration::from_secs(1));
        let later = now + Duration::from_millis(5500);
        put(&sessions, 2, later);
        assert!(sessions.get_at(&[1], later).is_some(), "it was put again");
        assert_eq!(sessions.get_at(&[1], now + Duration::from_secs(6)), None);
        put(&sessions, 3, now + Duration::from_secs(6));
        assert_eq!(sessions.kept().values.len(), 2);
        assert_eq!(sessions.kept().ages.len(), 2);
    }
}
