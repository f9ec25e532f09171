//! A client's socket, TCP or Unix.

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

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
        match self {
            Self::Tcp(stream) => stream.read(buf),
            Self::Unix(stream) => stream.read(buf),
        }
    }

    /// Appends at most `room` bytes to `buf`, which has the capacity for them, without first filling
    /// that with zeros.
    ///
    /// # Errors
    /// As [`Stream::read`].
    pub fn read_into_spare(&mut self, buf: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        let spare = buf.spare_capacity_mut();
        let room = room.min(spare.len());
        let start: *mut libc::c_void = spare.as_mut_ptr().cast();
        let descriptor = self.as_raw_fd();
        // SAFETY: `start` has room for `room` bytes, exclusively borrowed through `buf`, and the
        // descriptor is open as long as `self`.
        let count = unsafe { libc::recv(descriptor, start, room, 0) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        let len = buf.len() + count;
        // SAFETY: the kernel initialised `count` bytes after the old length, within capacity.
        unsafe { buf.set_len(len) };
        Ok(count)
    }

    /// Sends some of the bytes.
    ///
    /// # Errors
    /// As the system gives them; `WouldBlock` if the socket's buffer is full.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    /// Sends some of the pieces.
    ///
    /// # Errors
    /// As [`Stream::write`].
    pub fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write_vectored(pieces),
            Self::Unix(stream) => stream.write_vectored(pieces),
        }
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
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }
}
