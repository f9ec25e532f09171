//! One connection's TLS: bytes of the socket in, bytes of the client out, and the other way.
//!
//! rustls keeps no buffers here. What was read is deciphered in one buffer that all connections share and
//! goes from there to where the reader wants it; what is to be sent is enciphered into another. A
//! connection owns bytes only while a record is incomplete, or while its socket takes no more.
//!
//! Bytes of a client's output count as sent once the last byte of their records is in the kernel: until
//! then they stay in the output, so that whoever looks there sees that not all is done.

use crate::os::stream::Stream;
use crate::resp::Output;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{ClientConfig, ServerConfig};
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// Bytes of a socket deciphered at once.
const READ_BYTES: usize = 64 * 1024;
/// Bytes enciphered at once: four records of the largest size.
const WRITE_BYTES: usize = 64 * 1024;
/// What the records add, at most: four heads, numbers, paddings and seals.
const WRITE_OVERHEAD: usize = 1024;
/// What the first byte of who speaks TLS is: a record of the handshake.
const HANDSHAKE: u8 = 22;
/// Bytes that the other end may send until it is known, certificates included.
const GREETING_BYTES_MAX: usize = 64 * 1024;
/// Pieces of output shorter than this are put together before they are enciphered.
const RECORD_BYTES: usize = 16 * 1024;

/// Buffers that all connections of the thread share.
struct Scratch {
    input: Box<[u8]>,
    plain: Vec<u8>,
    output: Box<[u8]>,
}

thread_local! {
    static SCRATCH: RefCell<Option<Box<Scratch>>> = const { RefCell::new(None) };
}

fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        work(scratch.get_or_insert_with(|| {
            Box::new(Scratch {
                input: vec![0; READ_BYTES].into_boxed_slice(),
                plain: Vec::with_capacity(WRITE_BYTES),
                output: vec![0; WRITE_BYTES + WRITE_OVERHEAD].into_boxed_slice(),
            })
        }))
    })
}

enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// The state of one connection.
pub struct Channel {
    side: Side,
    /// The start of a record whose end is yet to come.
    incoming: Vec<u8>,
    /// What the socket did not take yet.
    outgoing: Vec<u8>,
    /// Bytes of output that are sent once `outgoing` is.
    covered: usize,
    /// Whether those are no client's output.
    owes_pieces: bool,
    /// Deciphered bytes that found no room.
    early: Vec<u8>,
    /// Bytes received before the other end was known.
    greeting_bytes: usize,
    /// Whether rustls may hold more than the socket tells.
    is_unsettled: bool,
    /// Whether there may be more to read, though nothing will tell.
    has_more: bool,
    /// Whether the other end has said that it will send nothing more.
    is_over: bool,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("has_more", &self.has_more).finish_non_exhaustive()
    }
}

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// Both ends are known.
    Done,
    /// The socket will tell when it can go on.
    Waits,
    /// It can go on at once.
    More,
}

/// Where deciphered bytes go.
enum Sink<'a> {
    /// Into a slice, after so many.
    Slice(&'a mut [u8], usize),
    /// Behind what a buffer holds: so many at most.
    Spare(&'a mut Vec<u8>, usize),
    /// Nowhere: none are wanted.
    Nothing,
}

impl Sink<'_> {
    /// Takes what it has room for; the rest.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        match self {
            Self::Slice(target, filled) => {
                let room = bytes.len().min(target.len() - *filled);
                let (taken, rest) = bytes.split_at(room);
                target[*filled..*filled + room].copy_from_slice(taken);
                *filled += room;
                rest
            }
            Self::Spare(target, room) => {
                let (taken, rest) = bytes.split_at(bytes.len().min(*room));
                target.extend_from_slice(taken);
                *room -= taken.len();
                rest
            }
            Self::Nothing => bytes,
        }
    }
}

/// What one step of rustls led to.
enum Step {
    Again,
    /// There is nothing to do but to read or to write.
    Idle,
    /// There are bytes that are not wanted now.
    Plain,
    /// Nothing more will come.
    Over,
}

/// What is written while rustls is driven.
struct Drains<'a, 'b> {
    sink: &'a mut Sink<'b>,
    early: &'a mut Vec<u8>,
    outgoing: &'a mut Vec<u8>,
}

/// Deals with one state; how many bytes of the input are done with.
fn deal_with<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    drains: &mut Drains<'_, '_>,
) -> (usize, Result<Step, rustls::Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let state = match state {
        Ok(state) => state,
        Err(error) => return (discard, Err(error)),
    };
    let step = match state {
        ConnectionState::ReadTraffic(_) if matches!(drains.sink, Sink::Nothing) => Step::Plain,
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        drains.early.extend_from_slice(drains.sink.take(record.payload));
                    }
                    Err(error) => return (discard, Err(error)),
                }
            }
            Step::Again
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let start = drains.outgoing.len();
            if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                drains.outgoing.resize(start + size.required_size, 0);
                // It has the room that it asked for.
                let _ = data.encode(&mut drains.outgoing[start..]);
            }
            Step::Again
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Step::Again
        }
        ConnectionState::PeerClosed => Step::Over,
        // Early data are never accepted.
        ConnectionState::BlockedHandshake
        | ConnectionState::WriteTraffic(_)
        | ConnectionState::Closed
        | ConnectionState::ReadEarlyData(_)
        | _ => Step::Idle,
    };
    (discard, Ok(step))
}

impl Channel {
    /// For a client that has connected.
    ///
    /// # Errors
    /// rustls refuses the configuration.
    pub fn accept(config: &Arc<ServerConfig>) -> io::Result<Self> {
        let side = UnbufferedServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Ok(Self::new(Side::Server(side)))
    }

    /// For a connection that this server opens.
    ///
    /// # Errors
    /// rustls refuses the configuration.
    pub fn connect(config: &Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        let side =
            UnbufferedClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Self::new(Side::Client(side)))
    }

    const fn new(side: Side) -> Self {
        Self {
            side,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            covered: 0,
            owes_pieces: false,
            early: Vec::new(),
            greeting_bytes: 0,
            is_unsettled: true,
            has_more: false,
            is_over: false,
        }
    }

    /// Whether the handshake is not over.
    #[must_use]
    pub fn is_greeting(&self) -> bool {
        match &self.side {
            Side::Server(side) => side.is_handshaking(),
            Side::Client(side) => side.is_handshaking(),
        }
    }

    /// The certificate that the other end has shown, as DER.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        let certificates = match &self.side {
            Side::Server(side) => side.peer_certificates(),
            Side::Client(side) => side.peer_certificates(),
        };
        certificates.and_then(|chain| chain.first()).map(AsRef::as_ref)
    }

    /// Whether a read is worth while though the socket will not tell of it.
    #[inline]
    #[must_use]
    pub const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether bytes wait for room in the socket.
    #[must_use]
    pub const fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Bytes of memory that it owns besides what rustls does.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.incoming.capacity() + self.outgoing.capacity() + self.early.capacity()
    }

    /// One step of rustls.
    fn step(
        &mut self,
        input: &mut [u8],
        sink: &mut Sink<'_>,
    ) -> (usize, Result<Step, rustls::Error>) {
        let Self { side, early, outgoing, .. } = self;
        let mut drains = Drains { sink, early, outgoing };
        match side {
            Side::Server(side) => deal_with(side.process_tls_records(input), &mut drains),
            Side::Client(side) => deal_with(side.process_tls_records(input), &mut drains),
        }
    }

    /// Lets rustls do what it can with the input; how much of it is done with.
    fn drive(&mut self, input: &mut [u8], sink: &mut Sink<'_>) -> io::Result<usize> {
        let mut at = 0;
        loop {
            let (discard, step) = self.step(&mut input[at..], sink);
            at += discard;
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Over) => self.is_over = true,
                Ok(Step::Idle | Step::Plain) => return Ok(at),
                Err(error) => {
                    // The next step is the alert that tells the other end, if there is one.
                    let _ = self.step(&mut input[at..], sink);
                    return Err(io::Error::new(ErrorKind::InvalidData, error));
                }
            }
            if self.is_over {
                return Ok(at);
            }
        }
    }

    /// Reads the socket once and deciphers what came. Whether the socket had its end.
    fn take_in(&mut self, stream: &mut Stream, sink: &mut Sink<'_>) -> io::Result<Came> {
        with_scratch(|scratch| {
            let kept = self.incoming.len();
            let input = &mut scratch.input;
            input[..kept].copy_from_slice(&self.incoming);
            let got = match stream.read(&mut input[kept..]) {
                Ok(0) if kept == input.len() => {
                    return Err(io::Error::new(ErrorKind::InvalidData, "a record without end"));
                }
                Ok(0) => return Ok(Came::End),
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.is_unsettled => 0,
                Err(error) => return Err(error),
            };
            self.is_unsettled = false;
            self.has_more = kept + got == input.len();
            if self.is_greeting() {
                let is_first = self.greeting_bytes == 0 && got > 0;
                if is_first && matches!(self.side, Side::Server(_)) && input[0] != HANDSHAKE {
                    // An alert would be a riddle to who does not speak TLS.
                    return Err(io::Error::new(ErrorKind::InvalidData, "no TLS"));
                }
                self.greeting_bytes += got;
            }
            let driven = self.drive(&mut input[..kept + got], sink);
            let used = driven.as_ref().map_or(kept + got, |used| *used);
            let rest = &input[used..kept + got];
            if rest.is_empty() {
                self.incoming = Vec::new();
            } else {
                self.incoming.clear();
                self.incoming.extend_from_slice(rest);
            }
            driven.map(|_| Came::Bytes)
        })
    }

    /// Goes on with the handshake.
    ///
    /// # Errors
    /// The other end is gone, or is not what it should be; it has been told.
    pub fn greet(&mut self, stream: &mut Stream) -> io::Result<Greeting> {
        if !self.send_rest(stream)? {
            return Ok(Greeting::Waits);
        }
        let came = self.take_in(stream, &mut Sink::Nothing);
        let sent = self.send_rest(stream);
        match came {
            Ok(Came::Bytes) => {}
            Ok(Came::End) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Greeting::Waits),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Greeting::More),
            Err(error) => return Err(error),
        }
        sent?;
        if self.is_over {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if !self.is_greeting() {
            self.is_unsettled = true; // commands may have come with the end of the handshake
            self.has_more = true;
            return Ok(Greeting::Done);
        }
        if self.greeting_bytes > GREETING_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidData, "a handshake without end"));
        }
        Ok(if self.has_more { Greeting::More } else { Greeting::Waits })
    }

    /// Reads into a slice; 0 at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; what the system gives; what rustls finds wrong.
    pub fn read(&mut self, stream: &mut Stream, target: &mut [u8]) -> io::Result<usize> {
        let mut sink = Sink::Slice(target, 0);
        self.read_to(stream, &mut sink)?;
        let Sink::Slice(_, filled) = sink else { return Ok(0) };
        self.outcome(filled)
    }

    /// Appends at most `room` bytes to a buffer.
    ///
    /// # Errors
    /// As [`Channel::read`].
    pub fn read_into_spare(
        &mut self,
        stream: &mut Stream,
        target: &mut Vec<u8>,
        room: usize,
    ) -> io::Result<usize> {
        let before = target.len();
        let mut sink = Sink::Spare(target, room);
        self.read_to(stream, &mut sink)?;
        self.outcome(target.len() - before)
    }

    fn read_to(&mut self, stream: &mut Stream, sink: &mut Sink<'_>) -> io::Result<()> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.early.extend_from_slice(sink.take(&early));
            self.has_more = true; // the socket was not asked
            return Ok(());
        }
        if self.is_over {
            return Ok(());
        }
        let came = self.take_in(stream, sink);
        if !self.outgoing.is_empty() && self.covered == 0 {
            // An answer of rustls itself; if the socket does not take it now, it goes with what is next.
            let _ = self.send_rest(stream);
        }
        match came? {
            Came::Bytes => {}
            Came::End => self.is_over = true,
        }
        self.has_more |= self.is_over || !self.early.is_empty();
        Ok(())
    }

    /// What a read that filled so many bytes has to say.
    fn outcome(&self, filled: usize) -> io::Result<usize> {
        match filled {
            0 if self.is_over => Ok(0),
            0 if self.has_more => Err(ErrorKind::Interrupted.into()),
            0 => Err(ErrorKind::WouldBlock.into()),
            filled => Ok(filled),
        }
    }

    /// Sends what the socket did not take before; whether it has taken all.
    fn send_rest(&mut self, stream: &mut Stream) -> io::Result<bool> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match stream.write(&self.outgoing[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.outgoing.drain(..sent);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.outgoing = Vec::new();
        Ok(true)
    }

    /// Sends some of the output; how many bytes of it are sent in full.
    ///
    /// # Errors
    /// `WouldBlock` if the socket is full; what the system gives.
    pub fn write_output(&mut self, stream: &mut Stream, output: &Output) -> io::Result<usize> {
        self.send_pieces(stream, output.pieces())
    }

    /// As [`Channel::write_output`], of pieces that are no client's output.
    ///
    /// # Errors
    /// As [`Channel::write_output`].
    pub fn write_pieces<'a>(
        &mut self,
        stream: &mut Stream,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<usize> {
        let sent = self.send_pieces(stream, pieces);
        self.owes_pieces = self.covered > 0;
        sent
    }

    /// Whether what was last offered to [`Channel::write_pieces`] is enciphered and not sent in full.
    #[must_use]
    pub const fn owes_pieces(&self) -> bool {
        self.owes_pieces
    }

    fn send_pieces<'a>(
        &mut self,
        stream: &mut Stream,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<usize> {
        if self.has_unsent() {
            if !self.send_rest(stream)? {
                return Err(ErrorKind::WouldBlock.into());
            }
            if self.covered > 0 {
                return Ok(std::mem::take(&mut self.covered));
            }
        }
        with_scratch(|scratch| {
            let Scratch { plain, output: target, .. } = scratch;
            plain.clear();
            let mut pieces = pieces.filter(|piece| !piece.is_empty());
            let Some(first) = pieces.next() else { return Ok(0) };
            let second = if first.len() < RECORD_BYTES { pieces.next() } else { None };
            let bytes = if let Some(second) = second {
                plain.extend_from_slice(first);
                for piece in std::iter::once(second).chain(pieces) {
                    let room = WRITE_BYTES - plain.len();
                    plain.extend_from_slice(&piece[..piece.len().min(room)]);
                    if piece.len() >= room {
                        break;
                    }
                }
                &plain[..]
            } else {
                &first[..first.len().min(WRITE_BYTES)]
            };
            self.send(stream, bytes, target)
        })
    }

    /// Sends some bytes; how many are sent in full. They, and no others, are to be offered again until
    /// they are.
    ///
    /// # Errors
    /// As [`Channel::write_output`].
    pub fn write(&mut self, stream: &mut Stream, bytes: &[u8]) -> io::Result<usize> {
        if self.has_unsent() {
            if !self.send_rest(stream)? {
                return Err(ErrorKind::WouldBlock.into());
            }
            if self.covered > 0 {
                return Ok(std::mem::take(&mut self.covered));
            }
        }
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES)];
        with_scratch(|scratch| self.send(stream, bytes, &mut scratch.output))
    }

    fn send(&mut self, stream: &mut Stream, bytes: &[u8], target: &mut [u8]) -> io::Result<usize> {
        let len = self.encipher(Outgoing::Data(bytes), target)?;
        if !self.outgoing.is_empty() {
            // What rustls had to say first.
            self.outgoing.extend_from_slice(&target[..len]);
        } else {
            let sent = match stream.write(&target[..len]) {
                Ok(sent) if sent == len => return Ok(bytes.len()),
                Ok(sent) => sent,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
                {
                    0
                }
                Err(error) => return Err(error),
            };
            self.outgoing = target[sent..len].to_vec();
        }
        if self.send_rest(stream)? {
            return Ok(bytes.len());
        }
        self.covered = bytes.len();
        Err(ErrorKind::WouldBlock.into())
    }

    /// Enciphers; how many bytes that gave.
    fn encipher(&mut self, what: Outgoing<'_>, target: &mut [u8]) -> io::Result<usize> {
        let Self { side, incoming, early, outgoing, .. } = self;
        let mut sink = Sink::Slice(&mut [], 0);
        let drains = Drains { sink: &mut sink, early, outgoing };
        match side {
            Side::Server(side) => encipher(side, what, incoming, target, drains),
            Side::Client(side) => encipher(side, what, incoming, target, drains),
        }
    }
}

/// What is to be enciphered.
#[derive(Clone, Copy)]
enum Outgoing<'a> {
    Data(&'a [u8]),
    /// That nothing more follows.
    End,
}

/// What a socket had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Bytes,
    End,
}

/// What both sides of a connection have in common.
trait Engine {
    type Data;
    fn step<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Engine for UnbufferedServerConnection {
    type Data = ServerConnectionData;
    fn step<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

impl Engine for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    fn step<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

/// Enciphers as soon as rustls is ready to; how many bytes that gave.
fn encipher<E: Engine>(
    engine: &mut E,
    what: Outgoing<'_>,
    incoming: &mut Vec<u8>,
    target: &mut [u8],
    mut drains: Drains<'_, '_>,
) -> io::Result<usize> {
    loop {
        let UnbufferedStatus { discard, state } = engine.step(incoming);
        let state = match state {
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                let enciphered = match what {
                    Outgoing::Data(bytes) => traffic.encrypt(bytes, target),
                    Outgoing::End => traffic.queue_close_notify(target),
                };
                incoming.drain(..discard);
                return enciphered.map_err(io::Error::other);
            }
            state => state,
        };
        let (discard, step) = deal_with(UnbufferedStatus { discard, state }, &mut drains);
        incoming.drain(..discard);
        match step {
            // That nothing more will come is known already: reading tells first.
            Ok(Step::Again | Step::Plain | Step::Over) => {}
            Ok(Step::Idle) => return Err(ErrorKind::NotConnected.into()),
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
    }
}

impl Channel {
    /// Says that nothing more follows, if that can be said now.
    pub fn say_goodbye(&mut self, stream: &mut Stream) {
        if self.has_unsent() || self.is_greeting() {
            return;
        }
        let mut target = [0; 128];
        if let Ok(len) = self.encipher(Outgoing::End, &mut target) {
            self.outgoing.extend_from_slice(&target[..len]);
            // If the socket does not take it, the other end finds the stream cut off, which it is.
            let _ = self.send_rest(stream);
        }
    }
}
