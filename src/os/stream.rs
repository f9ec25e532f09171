//! A client's socket, TCP or Unix.
//!
//! Reads and writes go through rustix, whose system calls are instructions in line: libc's are
//! cancellation points, which costs 2 % of a request.

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::net::{self, RecvFlags, SendFlags};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// A connected socket.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// Reads what is there, at most `buf.len()` bytes; 0 at the end of the stream.
    ///
    /// # Errors
    /// As the system gives them; `WouldBlock` if nothing is there.
    #[inline]
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (count, _) = net::recv(self.as_fd(), buf, RecvFlags::empty())?;
        Ok(count)
    }

    /// Appends at most `room` bytes to `buf`, which has the capacity for them, without first filling
    /// that with zeros.
    ///
    /// # Errors
    /// As [`Stream::read`].
    pub fn read_into_spare(&mut self, buf: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        let spare = buf.spare_capacity_mut();
        let room = room.min(spare.len());
        let ((filled, _), _) = net::recv(self.as_fd(), &mut spare[..room], RecvFlags::empty())?;
        let count = filled.len();
        let len = buf.len() + count;
        // SAFETY: `recv` initialised `count` bytes after the old length, within capacity.
        unsafe { buf.set_len(len) };
        Ok(count)
    }

    /// Sends some of the bytes.
    ///
    /// # Errors
    /// As the system gives them; `WouldBlock` if the socket's buffer is full.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(net::send(self.as_fd(), bytes, SendFlags::NOSIGNAL)?)
    }

    /// Sends some of the pieces.
    ///
    /// # Errors
    /// As [`Stream::write`].
    pub fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(self.as_fd(), pieces)?)
    }

    /// Asks to be told, once for each change, when the socket becomes readable or writable.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => stream.register(registry, token, interest),
            Self::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    /// As [`Stream::register`], under another token and about reading only.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn reregister(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reregister(registry, token, Interest::READABLE),
            Self::Unix(stream) => stream.reregister(registry, token, Interest::READABLE),
        }
    }

    /// As [`Stream::register`], of a socket that is registered already; what is there by then is told.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn rename(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Tcp(stream) => stream.reregister(registry, token, interest),
            Self::Unix(stream) => stream.reregister(registry, token, interest),
        }
    }

    /// Asks to be told no more.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.deregister(registry),
            Self::Unix(stream) => stream.deregister(registry),
        }
    }

    /// Ends one or both halves of the connection.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        }
    }
}

impl AsFd for Stream {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }
}
