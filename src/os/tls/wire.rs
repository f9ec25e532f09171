//! A socket, perhaps with TLS over it: what clients are served over, and what links to other servers
//! are made of.

use super::channel::{Channel, Greeting};
use crate::os::stream::Stream;
use crate::resp::Output;
use mio::{Registry, Token};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Pieces of output handed to the kernel at once.
const PIECES_MAX: usize = 64;

/// A connection. Without TLS every call is the socket's own, behind one test.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    tls: Option<Box<Channel>>,
}

impl Wire {
    /// Without TLS.
    #[must_use]
    pub const fn plain(stream: Stream) -> Self {
        Self { stream, tls: None }
    }

    /// With TLS, whose handshake is over or is yet to be made with [`Wire::greet`].
    #[must_use]
    pub const fn secured(stream: Stream, channel: Box<Channel>) -> Self {
        Self { stream, tls: Some(channel) }
    }

    /// For a connection that this server opens, to be made with [`Wire::greet`] once the socket is
    /// connected. The name is of no consequence but for servers that have several certificates.
    ///
    /// # Errors
    /// rustls refuses the configuration.
    pub fn client(stream: Stream, config: &Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let name = ServerName::try_from(host.to_owned())
            .or_else(|_| ServerName::try_from("localhost"))
            .map_err(io::Error::other)?;
        Ok(Self::secured(stream, Box::new(Channel::connect(config, name)?)))
    }

    /// Goes on with the handshake, which is over at once without TLS.
    ///
    /// # Errors
    /// The other end is gone, or is not what it should be; it has been told.
    pub fn greet(&mut self) -> io::Result<Greeting> {
        match &mut self.tls {
            Some(tls) => tls.greet(&mut self.stream),
            None => Ok(Greeting::Done),
        }
    }

    /// Whether there is a handshake, and it is not over.
    #[must_use]
    pub fn is_greeting(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_greeting())
    }

    /// The certificate that the other end has shown, as DER.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(|tls| tls.peer_certificate())
    }

    /// The socket.
    #[must_use]
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Reads what is there, at most `target.len()` bytes; 0 at the end of the stream.
    ///
    /// # Errors
    /// As the system gives them, and what rustls finds wrong; `WouldBlock` if nothing is there.
    #[inline]
    pub fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.read(target),
            Some(tls) => tls.read(&mut self.stream, target),
        }
    }

    /// Whether a read of so many bytes, out of so many possible, has emptied it: then an event tells of
    /// what comes next.
    #[inline]
    #[must_use]
    pub fn is_drained(&self, count: usize, room: usize) -> bool {
        match &self.tls {
            None => count < room,
            Some(tls) => !tls.has_more(),
        }
    }

    /// Appends at most `room` bytes to `target`, which has the capacity for them.
    ///
    /// # Errors
    /// As [`Wire::read`].
    pub fn read_into_spare(&mut self, target: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.read_into_spare(target, room),
            Some(tls) => tls.read_into_spare(&mut self.stream, target, room),
        }
    }

    /// Sends some of the output, at most `most` bytes; how many are done with.
    ///
    /// # Errors
    /// As the system gives them; `WouldBlock` if the socket is full.
    #[inline]
    pub fn write_output(&mut self, output: &Output, most: usize) -> io::Result<usize> {
        match &mut self.tls {
            None => write_pieces(&mut self.stream, output.pieces(), most),
            Some(tls) => tls.write_output(&mut self.stream, output),
        }
    }

    /// As [`Wire::write_output`], of pieces that are no client's output. What is not done with must be
    /// offered again, before any output, for as long as [`Wire::owes_pieces`].
    ///
    /// # Errors
    /// As [`Wire::write_output`].
    pub fn write_pieces<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
        most: usize,
    ) -> io::Result<usize> {
        match &mut self.tls {
            None => write_pieces(&mut self.stream, pieces, most),
            Some(tls) => tls.write_pieces(&mut self.stream, pieces),
        }
    }

    /// Whether some of the pieces last offered are enciphered and not sent in full.
    #[must_use]
    pub fn owes_pieces(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.owes_pieces())
    }

    /// Sends some of the bytes; how many are done with. What is not must be offered again.
    ///
    /// # Errors
    /// As [`Wire::write_output`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.write(bytes),
            Some(tls) => tls.write(&mut self.stream, bytes),
        }
    }

    /// Says that nothing more follows, if there is a way to say it; the socket stays open.
    pub fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye(&mut self.stream);
        }
    }

    /// The socket alone, after a goodbye.
    #[must_use]
    pub fn into_stream(mut self) -> Stream {
        self.say_goodbye();
        self.stream
    }

    /// Asks to be told, once for each change, when the socket becomes readable or writable.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.register(registry, token)
    }

    /// Asks to be told no more.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.stream.deregister(registry)
    }

    /// As [`Wire::register`], of a socket that is registered already.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn rename(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.rename(registry, token)
    }
}

#[inline]
fn write_pieces<'a>(
    stream: &mut Stream,
    pieces: impl Iterator<Item = &'a [u8]>,
    most: usize,
) -> io::Result<usize> {
    let mut pieces = pieces.filter(|piece| !piece.is_empty());
    let Some(first) = pieces.next() else { return Ok(0) };
    let first = &first[..first.len().min(most)];
    let Some(second) = pieces.next() else { return stream.write(first) };
    if first.len() == most {
        return stream.write(first);
    }
    let mut slices = Vec::with_capacity(PIECES_MAX);
    let mut room = most - first.len();
    slices.push(IoSlice::new(first));
    for piece in std::iter::once(second).chain(pieces) {
        if room == 0 || slices.len() == PIECES_MAX {
            break;
        }
        let piece = &piece[..piece.len().min(room)];
        room -= piece.len();
        slices.push(IoSlice::new(piece));
    }
    stream.write_vectored(&slices)
}
