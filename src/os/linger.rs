//! Sockets whose client was sent its last reply: what it still sends is thrown away for a moment.
//!
//! Closing a socket that holds unread bytes resets the connection, and a reset may overtake the reply
//! that says what was wrong. So the server ends its half, lets the client read and end its own, and
//! closes then; or after a while, or after so much input, whichever comes first.
//!
//! Invariant: entries are in order of their deadlines, which are all equally far from their start.

use super::rlimit::RESERVED_FDS;
use super::stream::Stream;
use crate::base::num;
use mio::{Registry, Token};
use std::net::Shutdown;

/// How long a client may take to end its half, milliseconds.
const LINGER_MS: u64 = 1000;
/// How much it may send meanwhile, bytes.
const LINGER_BYTES: usize = 8 * 1024 * 1024;
/// Sockets kept at once; the oldest is closed to make room. They use descriptors that no client may.
const SOCKETS_MAX: usize = 16;
const _: () = assert!(num::u64_of(SOCKETS_MAX) <= RESERVED_FDS / 2);

/// Marks the tokens of these sockets, above those of clients.
pub const TOKEN_MIN: usize = 1 << 62;
const SERIAL_MASK: usize = (1 << 61) - 1;

#[derive(Debug)]
struct Lingering {
    stream: Stream,
    token: Token,
    until_ms: u64,
    bytes_left: usize,
    /// Whether its socket may hold more than was read.
    has_more: bool,
}

/// The sockets that wait for their clients to go.
#[derive(Debug, Default)]
pub struct Lingerers {
    sockets: Vec<Lingering>,
    serial: usize,
}

/// Whether a socket is in the poll already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// As a client's.
    Yes,
    /// It was refused before it became one.
    No,
}

impl Lingerers {
    /// Ends our half of the connection and waits for the client to end its own.
    pub fn add(
        &mut self,
        mut stream: Stream,
        registered: Registered,
        registry: &Registry,
        now_ms: u64,
    ) {
        self.serial = (self.serial + 1) & SERIAL_MASK;
        let token = Token(TOKEN_MIN | self.serial);
        let listed = match registered {
            Registered::Yes => stream.reregister(registry, token),
            Registered::No => stream.register(registry, token),
        };
        // A connection that is broken already need not be ended gently.
        if listed.and_then(|()| stream.shutdown(Shutdown::Write)).is_err() {
            return;
        }
        if self.sockets.len() == SOCKETS_MAX {
            self.sockets.remove(0);
        }
        self.sockets.push(Lingering {
            stream,
            token,
            until_ms: now_ms + LINGER_MS,
            bytes_left: LINGER_BYTES,
            has_more: true,
        });
    }

    /// Notes that a socket became readable.
    pub fn mark_readable(&mut self, token: Token) {
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.token == token) {
            socket.has_more = true;
        }
    }

    /// After how many milliseconds there is something to do; `None` if there are no sockets.
    pub fn wait_ms(&self, now_ms: u64) -> Option<u64> {
        let oldest = self.sockets.first()?;
        if self.sockets.iter().any(|socket| socket.has_more) {
            return Some(0);
        }
        Some(oldest.until_ms.saturating_sub(now_ms))
    }

    /// Reads once from each socket that has something, and closes those that are done.
    pub fn drain(&mut self, now_ms: u64, buffer: &mut [u8]) {
        self.sockets.retain_mut(|socket| {
            let ends = socket.has_more && socket.read_once(buffer) == Ends::Yes;
            !ends && now_ms < socket.until_ms
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Yes,
    No,
}

impl Lingering {
    fn read_once(&mut self, buffer: &mut [u8]) -> Ends {
        match self.stream.read(buffer) {
            Ok(0) => Ends::Yes,
            Ok(count) => match self.bytes_left.checked_sub(count) {
                Some(left) => {
                    self.bytes_left = left; // has_more stays: the end may follow at once
                    Ends::No
                }
                None => Ends::Yes,
            },
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                self.has_more = false;
                Ends::No
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ends::No,
            Err(_) => Ends::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Poll;
    use mio::net::UnixStream;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream as Peer;

    struct Bench {
        poll: Poll,
        lingerers: Lingerers,
        buffer: Vec<u8>,
    }

    impl Bench {
        fn new() -> Self {
            let poll = Poll::new().expect("a poll");
            Self { poll, lingerers: Lingerers::default(), buffer: vec![0; 64 * 1024] }
        }

        fn add(&mut self, now_ms: u64) -> Peer {
            let (peer, ours) = Peer::pair().expect("a pair");
            ours.set_nonblocking(true).expect("set");
            peer.set_nonblocking(true).expect("set");
            let stream = Stream::Unix(UnixStream::from_std(ours));
            self.lingerers.add(stream, Registered::No, self.poll.registry(), now_ms);
            peer
        }

        /// What a turn does after the poll has told of all sockets; how many are left.
        fn drain(&mut self, now_ms: u64) -> usize {
            let tokens: Vec<Token> = self.lingerers.sockets.iter().map(|s| s.token).collect();
            tokens.into_iter().for_each(|token| self.lingerers.mark_readable(token));
            self.lingerers.drain(now_ms, &mut self.buffer);
            self.lingerers.sockets.len()
        }
    }

    #[test]
    fn a_client_that_ends_its_half_is_gone() {
        let mut bench = Bench::new();
        let mut peer = bench.add(0);
        peer.write_all(b"too late").expect("sent");
        assert_eq!(bench.drain(0), 1);
        assert_eq!(peer.read(&mut [0]).expect("the server has ended its half"), 0);
        drop(peer);
        assert_eq!(bench.drain(0), 0);
    }

    #[test]
    fn patience_ends_after_a_while() {
        let mut bench = Bench::new();
        let _peer = bench.add(5);
        assert_eq!(bench.lingerers.wait_ms(5), Some(0));
        assert_eq!(bench.drain(5), 1);
        assert_eq!(bench.lingerers.wait_ms(6), Some(LINGER_MS - 1));
        assert_eq!(bench.drain(4 + LINGER_MS), 1);
        assert_eq!(bench.lingerers.wait_ms(5 + LINGER_MS), Some(0));
        assert_eq!(bench.drain(5 + LINGER_MS), 0);
        assert_eq!(bench.lingerers.wait_ms(5 + LINGER_MS), None);
    }

    #[test]
    fn patience_ends_after_so_many_bytes() {
        let mut bench = Bench::new();
        let mut peer = bench.add(0);
        let mut sent = 0;
        while bench.drain(0) == 1 {
            sent += peer.write(&[b'x'; 32 * 1024]).unwrap_or(0);
        }
        assert!(sent > LINGER_BYTES && sent < 2 * LINGER_BYTES, "{sent}");
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut bench = Bench::new();
        let mut peers: Vec<Peer> = (0..SOCKETS_MAX + 1).map(|_| bench.add(0)).collect();
        assert_eq!(bench.drain(0), SOCKETS_MAX);
        assert!(peers[0].write(b"x").is_err(), "the first is closed");
        assert!(peers[1].write(b"x").is_ok());
    }
}
