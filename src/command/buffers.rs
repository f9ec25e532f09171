//! Reply buffers, lent to clients for as long as they have something to be sent.
//!
//! The pool holds as many as were lent at once; those that nobody needed for a while are freed.

/// Capacity of a buffer when it is first lent, bytes.
const BUFFER_BYTES: usize = 16 * 1024;
/// Buffers that grew beyond this are not kept, nor are smaller ones than those lent, bytes.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Buffers kept at most.
const BUFFERS_MAX: usize = 256;

/// The pool.
#[derive(Debug)]
pub struct ReplyBuffers {
    free: Vec<Vec<u8>>,
    /// Bytes of those.
    free_bytes: usize,
    /// Fewest free at any time since the last trim: so many were not needed.
    idle: usize,
    /// How long idle buffers are kept, milliseconds; `None`: for ever.
    keep_ms: Option<u64>,
    trim_at_ms: u64,
}

impl Default for ReplyBuffers {
    fn default() -> Self {
        Self {
            free: Vec::new(),
            free_bytes: 0,
            idle: 0,
            keep_ms: Some(Self::KEEP_MS),
            trim_at_ms: 0,
        }
    }
}

impl ReplyBuffers {
    /// How long idle buffers are kept unless DEBUG REPLYBUFFER says otherwise, milliseconds.
    pub const KEEP_MS: u64 = 5000;

    /// A buffer to write replies to.
    #[inline]
    pub fn take(&mut self) -> Vec<u8> {
        let Some(buffer) = self.free.pop() else { return Vec::with_capacity(BUFFER_BYTES) };
        self.free_bytes -= buffer.capacity();
        self.idle = self.idle.min(self.free.len());
        buffer
    }

    /// Takes a buffer back that is empty again.
    #[inline]
    pub fn give_back(&mut self, buffer: Vec<u8>) {
        let is_whole = (BUFFER_BYTES..=BUFFER_BYTES_MAX).contains(&buffer.capacity());
        if is_whole && self.free.len() < BUFFERS_MAX {
            self.free_bytes += buffer.capacity();
            self.free.push(buffer);
        }
    }

    /// Sets how long idle buffers are kept, milliseconds; `None`: for ever.
    pub const fn keep_for(&mut self, keep_ms: Option<u64>) {
        self.keep_ms = keep_ms;
        self.trim_at_ms = 0;
    }

    /// Frees the buffers that were idle for as long as they are kept; to be called regularly with the
    /// milliseconds of a clock that only rises.
    pub fn trim(&mut self, now_ms: u64) {
        let Some(keep_ms) = self.keep_ms else { return };
        if now_ms < self.trim_at_ms {
            return;
        }
        self.trim_at_ms = now_ms + keep_ms;
        let kept = self.free.len() - self.idle.min(self.free.len());
        let dropped = self.free.drain(kept..);
        self.free_bytes -= dropped.map(|buffer| buffer.capacity()).sum::<usize>();
        self.idle = self.free.len();
    }

    /// Bytes of the buffers that nobody has at present.
    pub const fn free_bytes(&self) -> usize {
        self.free_bytes
    }

    /// Buffers that nobody has at present.
    pub const fn free(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_nobody_needed_are_freed() {
        let mut pool = ReplyBuffers::default();
        let lent: Vec<_> = (0..10).map(|_| pool.take()).collect();
        lent.into_iter().for_each(|buffer| pool.give_back(buffer));
        pool.trim(0);
        assert_eq!(pool.free(), 10, "all were needed since the last trim");
        let one = pool.take();
        pool.give_back(one);
        pool.trim(1);
        assert_eq!(pool.free(), 10, "too early");
        assert_eq!(pool.free_bytes(), 10 * BUFFER_BYTES);
        pool.trim(ReplyBuffers::KEEP_MS);
        assert_eq!((pool.free(), pool.free_bytes()), (1, BUFFER_BYTES));
        pool.take();
        assert_eq!(pool.free_bytes(), 0);
    }

    #[test]
    fn large_buffers_are_not_kept() {
        let mut pool = ReplyBuffers::default();
        pool.give_back(Vec::with_capacity(BUFFER_BYTES_MAX + 1));
        assert_eq!(pool.free(), 0);
    }
}
