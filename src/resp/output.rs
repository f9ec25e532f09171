//! Replies on their way to one client.
//!
//! Small replies gather in one buffer; a long value is queued by reference, so that neither it nor its
//! neighbours are copied. Every reply type is written in the client's protocol: what RESP2 lacks takes
//! the form Redis gives it there.

use crate::base::{float, num};
use bytes::Bytes;
use std::collections::VecDeque;

/// Values from this length on are queued by reference when they can be, bytes.
pub const SHARED_LEN_MIN: usize = 16 * 1024;

/// Replies from this length on are set aside when they cannot be sent at once, bytes.
const SEALED_LEN_MIN: usize = 16 * 1024;

/// Pushes from this length on are queued by reference, bytes.
const SHARED_PUSH_LEN_MIN: usize = 2 * 1024;
/// Room for pushes that are copied, to begin with, bytes.
const COPIED_BYTES_MIN: usize = 512;

/// The protocol version a client chose with HELLO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Protocol {
    /// RESP2, what a connection starts with.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

/// A piece of output.
#[derive(Debug)]
pub enum Chunk {
    /// Encoded replies.
    Owned(Vec<u8>),
    /// A value shared with the keyspace or with other clients.
    Shared(Bytes),
}

impl Chunk {
    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// Where the length of an aggregate goes once it is known.
#[derive(Debug)]
#[must_use = "the length must be filled in"]
pub struct DeferredLen {
    chunk: usize,
    at: usize,
}

/// A point to go back to, when a reply turns out to be unwanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    chunks: usize,
    at: usize,
}

/// The replies one client has not been sent yet.
#[derive(Debug, Default)]
pub struct Output {
    /// Chunks before `buf`, oldest first.
    chunks: VecDeque<Chunk>,
    /// The end of the output, where replies are written.
    buf: Vec<u8>,
    /// Bytes of the front chunk (or of `buf`, if there is none) that were sent.
    sent: usize,
    /// Bytes of all `chunks`.
    chunk_bytes: usize,
    /// The protocol replies are written in.
    pub protocol: Protocol,
}

impl Output {
    /// Bytes not sent yet.
    #[inline]
    pub fn pending_bytes(&self) -> usize {
        self.chunk_bytes + self.buf.len() - self.sent
    }

    /// Whether everything was sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pending_bytes() == 0
    }

    /// Bytes of memory held; shared values count in full, as Redis counts them.
    pub fn memory_bytes(&self) -> usize {
        self.chunk_bytes + self.buf.capacity() + self.chunks.capacity() * size_of::<Chunk>()
    }

    /// Number of queued chunks, and capacity of the buffer replies are written to.
    pub fn shape(&self) -> (usize, usize) {
        (self.chunks.len(), self.buf.capacity())
    }

    /// Gives the output a buffer to write to, if it has none.
    #[inline]
    pub fn lend_buffer(&mut self, make: impl FnOnce() -> Vec<u8>) {
        if self.buf.capacity() == 0 {
            self.buf = make();
        }
    }

    /// Takes the buffer back once everything was sent.
    pub fn reclaim_buffer(&mut self) -> Option<Vec<u8>> {
        if !self.is_empty() || self.buf.capacity() == 0 {
            return None;
        }
        self.sent = 0;
        let mut buf = std::mem::take(&mut self.buf);
        buf.clear();
        Some(buf)
    }

    /// To be called when not everything could be sent: later replies go to another buffer if this one is
    /// long, so that none grows without end, and each is freed once it is sent.
    pub fn seal(&mut self) {
        if self.buf.len() >= SEALED_LEN_MIN {
            let buf = std::mem::take(&mut self.buf);
            self.chunk_bytes += buf.len();
            self.chunks.push_back(Chunk::Owned(buf));
        }
    }

    /// The pieces to send, in order, the first without what was sent of it.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.sent;
        let chunks = self.chunks.iter().map(Chunk::as_slice);
        chunks
            .chain(std::iter::once(self.buf.as_slice()))
            .map(move |piece| &piece[std::mem::take(&mut skip)..])
    }

    /// Notes that `count` more bytes were sent and lets go of what was sent in full.
    pub fn advance(&mut self, count: usize) {
        self.sent += count;
        while let Some(front) = self.chunks.front()
            && self.sent >= front.as_slice().len()
        {
            let len = front.as_slice().len();
            self.sent -= len;
            self.chunk_bytes -= len;
            self.chunks.pop_front();
        }
        debug_assert!(!self.chunks.is_empty() || self.sent <= self.buf.len());
        if self.chunks.is_empty() && self.sent == self.buf.len() {
            self.buf.clear();
            self.sent = 0;
        }
    }

    /// The point after what was written so far.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { chunks: self.chunks.len(), at: self.buf.len() }
    }

    /// Bytes written since the checkpoint; nothing may have been sent in between.
    pub fn bytes_since(&self, point: Checkpoint) -> usize {
        let chunks: usize =
            self.chunks.iter().skip(point.chunks).map(|chunk| chunk.as_slice().len()).sum();
        chunks + self.buf.len() - point.at
    }

    /// The error written since the checkpoint, if that is what was written; nothing may have been sent in
    /// between.
    pub fn error_since(&self, point: Checkpoint) -> Option<&[u8]> {
        let is_here = self.chunks.len() == point.chunks;
        let written = self.buf.get(point.at..).filter(|_| is_here)?;
        written.strip_prefix(b"-")
    }

    /// Drops what was written since the checkpoint; nothing may have been sent in between.
    pub fn roll_back(&mut self, to: Checkpoint) {
        while self.chunks.len() > to.chunks {
            let Some(chunk) = self.chunks.pop_back() else { return };
            self.chunk_bytes -= chunk.as_slice().len();
            self.buf = match chunk {
                Chunk::Owned(bytes) => bytes,
                Chunk::Shared(_) => Vec::new(),
            };
        }
        self.buf.truncate(to.at);
    }

    /// Drops everything that was not sent.
    pub fn clear(&mut self) {
        *self = Self { protocol: self.protocol, ..Self::default() };
    }

    /// Appends encoded bytes.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Appends a value by reference.
    pub fn raw_shared(&mut self, bytes: Bytes) {
        if !self.buf.is_empty() {
            let buf = std::mem::take(&mut self.buf);
            self.chunk_bytes += buf.len();
            self.chunks.push_back(Chunk::Owned(buf));
        }
        self.chunk_bytes += bytes.len();
        self.chunks.push_back(Chunk::Shared(bytes));
    }

    /// Appends encoded bytes that others are sent as well. The first of a client that waits for nothing
    /// else are taken by reference, as are long ones; behind others they are copied, which is cheaper
    /// than sending many pieces.
    pub fn append_shared(&mut self, bytes: &Bytes) {
        if bytes.len() >= SHARED_PUSH_LEN_MIN || (self.is_empty() && self.buf.capacity() == 0) {
            return self.raw_shared(bytes.clone());
        }
        self.seal();
        if self.buf.capacity() == 0 {
            let before = self.take_only_short();
            self.buf.reserve(COPIED_BYTES_MIN.max(before.len() + bytes.len()));
            self.raw(&before);
        }
        self.raw(bytes);
    }

    /// Takes the only chunk out if it is short and nothing of it was sent: one piece is written faster than
    /// two.
    fn take_only_short(&mut self) -> Bytes {
        let is_short = self.chunk_bytes < SHARED_PUSH_LEN_MIN && self.chunks.len() == 1;
        if !is_short || self.sent > 0 || !matches!(self.chunks.front(), Some(Chunk::Shared(_))) {
            return Bytes::new();
        }
        self.chunk_bytes = 0;
        match self.chunks.pop_front() {
            Some(Chunk::Shared(bytes)) => bytes,
            Some(Chunk::Owned(_)) | None => Bytes::new(),
        }
    }

    #[inline]
    fn head(&mut self, kind: u8, n: i64) {
        let mut digits = itoa::Buffer::new();
        let text = digits.format(n).as_bytes();
        self.buf.reserve(text.len() + 3);
        self.buf.push(kind);
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// `+text`
    pub fn simple(&mut self, text: &str) {
        self.buf.push(b'+');
        self.buf.extend_from_slice(text.as_bytes());
        self.buf.extend_from_slice(b"\r\n");
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.buf.extend_from_slice(b"+OK\r\n");
    }

    /// `-message`, the message with its code and without a line end; control bytes become spaces, since
    /// a line end would end the reply.
    pub fn error(&mut self, message: &[u8]) {
        self.buf.push(b'-');
        // As in Redis: line ends at the end go, others become blanks.
        let end = message.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let message = &message[..end.map_or(0, |last| last + 1)];
        let clean =
            message.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte });
        self.buf.extend(clean);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// `:n`
    #[inline]
    pub fn integer(&mut self, n: i64) {
        self.head(b':', n);
    }

    /// An integer reply of a count.
    #[inline]
    pub fn count(&mut self, n: usize) {
        self.head(b':', num::i64_of(n));
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.buf.reserve(bytes.len() + 32);
        self.head(b'$', num::i64_of(bytes.len()));
        self.buf.extend_from_slice(bytes);
        self.buf.extend_from_slice(b"\r\n");
    }

    /// A bulk string whose bytes are shared if they are long.
    pub fn bulk_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_LEN_MIN {
            return self.bulk(bytes);
        }
        self.head(b'$', num::i64_of(bytes.len()));
        self.raw_shared(bytes.clone());
        self.buf.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string.
    #[inline]
    pub fn bulk_integer(&mut self, n: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(n).as_bytes());
    }

    /// A bulk string of text.
    pub fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// A missing value.
    #[inline]
    pub fn null(&mut self) {
        self.buf.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// A missing array.
    pub fn null_array(&mut self) {
        self.buf.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The head of an array of `len` items.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.head(b'*', num::i64_of(len));
    }

    /// The head of a map of `pairs`; in RESP2 an array of twice as many.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(2 * pairs),
            Protocol::Resp3 => self.head(b'%', num::i64_of(pairs)),
        }
    }

    /// The head of a set; in RESP2 an array.
    pub fn set(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(len),
            Protocol::Resp3 => self.head(b'~', num::i64_of(len)),
        }
    }

    /// The head of a push; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(len),
            Protocol::Resp3 => self.head(b'>', num::i64_of(len)),
        }
    }

    /// The head of an attribute of `pairs`; RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert_eq!(self.protocol, Protocol::Resp3);
        self.head(b'|', num::i64_of(pairs));
    }

    /// A double; in RESP2 its digits as a bulk string.
    #[inline]
    pub fn double(&mut self, value: f64) {
        let start = self.buf.len();
        match self.protocol {
            Protocol::Resp2 => {
                self.buf.extend_from_slice(b"$0\r\n");
                let body = self.buf.len();
                float::format_f64(value, &mut self.buf);
                // At most two digits: see `F64_LEN_MAX`. Most scores have a length of one.
                let len = num::low_u8(num::u64_of(self.buf.len() - body));
                self.buf[start + 1] += len % 10;
                if len > 9 {
                    self.buf.insert(start + 1, b'0' + len / 10);
                }
            }
            Protocol::Resp3 => {
                self.buf.push(b',');
                float::format_f64(value, &mut self.buf);
            }
        }
        self.buf.extend_from_slice(b"\r\n");
    }

    /// A boolean; in RESP2 the integers 1 and 0.
    pub fn boolean(&mut self, value: bool) {
        self.buf.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// A number of any length, given as digits; in RESP2 a bulk string.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.text(digits),
            Protocol::Resp3 => {
                self.buf.push(b'(');
                self.buf.extend_from_slice(digits.as_bytes());
                self.buf.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A verbatim string of a three-letter format; in RESP2 a bulk string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.head(b'=', num::i64_of(text.len() + 4));
                self.buf.extend_from_slice(format.as_bytes());
                self.buf.push(b':');
                self.buf.extend_from_slice(text);
                self.buf.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Starts an aggregate whose length is not known yet.
    pub fn defer_len(&mut self) -> DeferredLen {
        DeferredLen { chunk: self.chunks.len(), at: self.buf.len() }
    }

    /// Fills in the head of an array of `len` items.
    pub fn fill_array(&mut self, deferred: DeferredLen, len: usize) {
        self.fill(deferred, b'*', len);
    }

    /// Fills in the head of a map of `pairs`.
    pub fn fill_map(&mut self, deferred: DeferredLen, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.fill(deferred, b'*', 2 * pairs),
            Protocol::Resp3 => self.fill(deferred, b'%', pairs),
        }
    }

    /// Fills in the head of a set of `len` items.
    pub fn fill_set(&mut self, deferred: DeferredLen, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.fill(deferred, b'*', len),
            Protocol::Resp3 => self.fill(deferred, b'~', len),
        }
    }

    fn fill(&mut self, deferred: DeferredLen, kind: u8, len: usize) {
        let mut head = Vec::with_capacity(16);
        head.push(kind);
        num::write_u64(&mut head, num::u64_of(len));
        head.extend_from_slice(b"\r\n");
        if deferred.chunk == self.chunks.len() {
            self.buf.splice(deferred.at..deferred.at, head);
            return;
        }
        // A shared value was queued since: what was `buf` at the start is now that chunk.
        match &mut self.chunks[deferred.chunk] {
            Chunk::Owned(bytes) => {
                self.chunk_bytes += head.len();
                bytes.splice(deferred.at..deferred.at, head);
            }
            Chunk::Shared(_) => {
                debug_assert_eq!(deferred.at, 0);
                self.chunk_bytes += head.len();
                self.chunks.insert(deferred.chunk, Chunk::Owned(head));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(output: &Output) -> Vec<u8> {
        output.pieces().flatten().copied().collect()
    }

    fn check(protocol: Protocol, write: impl FnOnce(&mut Output), expected: &[u8]) {
        let mut output = Output { protocol, ..Output::default() };
        write(&mut output);
        assert_eq!(bytes(&output).escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!(output.pending_bytes(), expected.len());
    }

    #[test]
    fn resp2_forms() {
        check(Protocol::Resp2, |o| o.map(2), b"*4\r\n");
        check(Protocol::Resp2, |o| o.null(), b"$-1\r\n");
        check(Protocol::Resp2, |o| o.double(1.5), b"$3\r\n1.5\r\n");
        check(Protocol::Resp2, |o| o.double(0.123_456_789), b"$11\r\n0.123456789\r\n");
        check(Protocol::Resp2, |o| o.boolean(true), b":1\r\n");
        check(Protocol::Resp2, |o| o.verbatim("txt", b"a"), b"$1\r\na\r\n");
        check(Protocol::Resp2, |o| o.bulk_integer(-7), b"$2\r\n-7\r\n");
    }

    #[test]
    fn resp3_forms() {
        check(Protocol::Resp3, |o| o.map(2), b"%2\r\n");
        check(Protocol::Resp3, |o| o.null_array(), b"_\r\n");
        check(Protocol::Resp3, |o| o.double(1.5), b",1.5\r\n");
        check(Protocol::Resp3, |o| o.boolean(false), b"#f\r\n");
        check(Protocol::Resp3, |o| o.verbatim("txt", b"a"), b"=5\r\ntxt:a\r\n");
        check(Protocol::Resp3, |o| o.big_number("123"), b"(123\r\n");
        check(Protocol::Resp3, |o| o.push(3), b">3\r\n");
    }

    #[test]
    fn an_error_cannot_carry_a_line_end() {
        check(Protocol::Resp2, |o| o.error(b"ERR a\r\nb"), b"-ERR a  b\r\n");
    }

    #[test]
    fn lengths_fill_in_whatever_was_queued_since() {
        let long = Bytes::from(vec![b'x'; SHARED_LEN_MIN]);
        for prefix in [&b""[..], b"+OK\r\n"] {
            let mut output = Output::default();
            output.raw(prefix);
            let len = output.defer_len();
            output.raw_shared(long.clone());
            output.integer(1);
            output.fill_array(len, 2);
            let expected = [prefix, b"*2\r\n", &long, b":1\r\n"].concat();
            assert_eq!(bytes(&output), expected);
            assert_eq!(output.pending_bytes(), expected.len());
        }
    }

    #[test]
    fn what_others_get_as_well_is_shared_or_copied() {
        let (short, long) = (Bytes::from_static(b"short"), Bytes::from(vec![b'x'; 5000]));
        for prefix in [&b""[..], b"+OK\r\n"] {
            let mut output = Output::default();
            output.raw(prefix);
            let mut expected = prefix.to_vec();
            for (bytes, pieces) in
                [(&short, 1), (&short, 1), (&long, 3), (&short, 3), (&short, 3), (&long, 5)]
            {
                output.append_shared(bytes);
                expected.extend_from_slice(bytes);
                assert!(super::tests::bytes(&output) == expected);
                assert_eq!(output.pending_bytes(), expected.len());
                assert!(output.pieces().count() <= pieces + 1, "{pieces}");
            }
            // Of a piece under way nothing is moved.
            let mut output = Output::default();
            output.append_shared(&short);
            output.advance(2);
            output.append_shared(&short);
            assert_eq!(super::tests::bytes(&output), b"ortshort");
        }
    }

    #[test]
    fn rolling_back_leaves_what_was_there() {
        let long = Bytes::from(vec![b'x'; SHARED_LEN_MIN]);
        for prefix in [&b""[..], b"+OK\r\n"] {
            let mut output = Output::default();
            output.raw(prefix);
            let point = output.checkpoint();
            output.ok();
            output.bulk_shared(&long);
            output.bulk_shared(&long);
            output.ok();
            output.roll_back(point);
            assert_eq!(bytes(&output), prefix);
            assert_eq!(output.pending_bytes(), prefix.len());
        }
    }

    #[test]
    fn a_client_that_never_catches_up_holds_no_more_than_it_is_owed() {
        let reply = [b'x'; 1000];
        let mut output = Output::default();
        output.bulk(&reply);
        let mut expected = bytes(&output);
        for turn in 0..2_000 {
            output.bulk(&reply);
            expected.extend_from_slice(&bytes(&output)[expected.len()..]);
            let sent = 1000 + turn % 2 * 14; // some reply is always under way
            assert!(bytes(&output)[..sent] == expected[..sent], "turn {turn}");
            expected.drain(..sent);
            output.advance(sent);
            output.seal();
            assert_eq!(output.pending_bytes(), expected.len());
            let spare = output.memory_bytes() - output.pending_bytes();
            assert!(spare < 4 * SEALED_LEN_MIN, "turn {turn}: {spare} bytes are idle");
        }
    }

    #[test]
    fn any_sequence_of_partial_sends_gives_all_bytes_once() {
        let long = Bytes::from(vec![b'x'; SHARED_LEN_MIN]);
        for step in [1, 5, 1000, SHARED_LEN_MIN + 1, usize::MAX] {
            let mut output = Output::default();
            output.ok();
            output.bulk_shared(&long);
            output.ok();
            let expected = bytes(&output);
            let mut got = Vec::new();
            while !output.is_empty() {
                let piece: Vec<u8> = output.pieces().flatten().copied().take(step).collect();
                output.advance(piece.len());
                got.extend(piece);
            }
            assert!(got == expected, "steps of {step}");
        }
    }
}
