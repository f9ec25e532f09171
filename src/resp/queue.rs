//! Commands that wait to be executed together: their arguments one behind the other in one buffer, as
//! they came if possible, so that queueing costs a copy of bytes and no allocation for each.

use super::args::Args;
use super::parse::Span;
use crate::base::num;
use bytes::Bytes;
use std::ops::Range;

/// Offsets into the buffer are of 32 bits; arguments that would end beyond this get a buffer of their own.
const BUFFER_BYTES_MAX: usize = 1 << 30;

/// A command in the queue.
#[derive(Debug)]
struct Queued {
    tag: usize,
    spans: Range<usize>,
    hashes: Range<usize>,
}

/// Commands in the order in which they came. What they are is for the owner to know: each has a tag.
#[derive(Debug, Default)]
pub struct Queue {
    buf: Vec<u8>,
    spans: Vec<Span>,
    big: Vec<Bytes>,
    hashes: Vec<u64>,
    commands: Vec<Queued>,
    /// Bytes of all arguments.
    argument_bytes: usize,
}

impl Queue {
    /// How many commands there are.
    pub const fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Adds a command with the hashes of its keys, if they are known.
    pub fn push(&mut self, tag: usize, args: &Args<'_>, hashes: &[u64]) {
        let (span, hash) = (self.spans.len(), self.hashes.len());
        match args.wire_from() {
            Some((start, wire)) if self.buf.len() + wire.len() <= BUFFER_BYTES_MAX => {
                let shift = num::u32_of(self.buf.len(), "the buffer is bounded");
                let start = num::u32_of(start, "a read buffer is far below 4 GiB");
                let moved = |span: &Span| Span { start: span.start - start + shift, ..*span };
                self.spans.extend(args.spans().iter().map(moved));
                self.buf.extend_from_slice(wire);
            }
            Some(_) | None => (0..args.len()).for_each(|index| self.push_arg(args, index)),
        }
        self.hashes.extend_from_slice(hashes);
        self.argument_bytes += args.from(0).map(<[u8]>::len).sum::<usize>();
        let (spans, hashes) = (span..self.spans.len(), hash..self.hashes.len());
        self.commands.push(Queued { tag, spans, hashes });
    }

    fn push_arg(&mut self, args: &Args<'_>, index: usize) {
        let arg = args.at(index);
        let own = args.shared(index).cloned();
        let is_too_far = self.buf.len() + arg.len() > BUFFER_BYTES_MAX;
        let own = own.or_else(|| is_too_far.then(|| Bytes::copy_from_slice(arg)));
        if let Some(bytes) = own {
            let index = num::u32_of(self.big.len(), "spans of arguments are counted in 32 bits");
            self.spans.push(Span { start: Span::BIG, len: index });
            self.big.push(bytes);
            return;
        }
        let start = num::u32_of(self.buf.len(), "the buffer is bounded");
        self.spans.push(Span { start, len: num::u32_of(arg.len(), "it fits the buffer") });
        self.buf.extend_from_slice(arg);
    }

    /// A command: its tag, its arguments, and the hashes that came with it.
    pub fn get(&self, index: usize) -> Option<(usize, Args<'_>, &[u64])> {
        let Queued { tag, spans, hashes } = self.commands.get(index)?;
        let args = Args::new(&self.buf, &self.spans[spans.clone()], &self.big);
        Some((*tag, args, &self.hashes[hashes.clone()]))
    }

    /// The hashes of all commands.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Bytes of all arguments.
    pub const fn argument_bytes(&self) -> usize {
        self.argument_bytes
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.buf.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.hashes.capacity() * size_of::<u64>()
            + self.commands.capacity() * size_of::<Queued>()
            + self.big.iter().map(Bytes::len).sum::<usize>()
    }

    /// Leaves it empty; what it has allocated is kept.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.spans.clear();
        self.big.clear();
        self.hashes.clear();
        self.commands.clear();
        self.argument_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::OwnedArgs;
    use super::super::parse::{Limits, Parsed, Trust, parse};
    use super::*;

    fn words(queue: &Queue, index: usize) -> Vec<&[u8]> {
        queue.get(index).expect("it was pushed").1.from(0).collect()
    }

    #[test]
    fn commands_come_back_as_they_were() {
        let mut queue = Queue::default();
        let limits = Limits { bulk_len_max: 1 << 20, trust: Trust::Authenticated };
        let input = b"\0\0*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        let mut spans = Vec::new();
        let parsed = parse(input, 2, limits, &mut spans);
        assert!(matches!(parsed, Ok(Parsed::Command { .. })));
        for index in 0..3 {
            queue.push(index, &Args::new(input, &spans, &[]), &[7]);
            let owned: OwnedArgs = ["SET", "", "v"].into_iter().collect();
            queue.push(9, &owned.as_args(), &[]);
        }
        let big = [Bytes::from_static(b"long")];
        queue.push(5, &Args::new(b"", &[Span { start: Span::BIG, len: 0 }], &big), &[]);
        assert_eq!(queue.len(), 7);
        for index in 0..3 {
            assert_eq!(words(&queue, 2 * index), [&b"GET"[..], b"k"]);
            assert_eq!(words(&queue, 2 * index + 1), [&b"SET"[..], b"", b"v"]);
            let (tag, args, hashes) = queue.get(2 * index).expect("it was pushed");
            assert_eq!((tag, hashes), (index, &[7][..]));
            assert_eq!(args.wire(), Some(&input[6..]), "it can be copied as a whole again");
        }
        let (_, args, _) = queue.get(6).expect("it was pushed");
        assert_eq!(args.shared(0).map(|bytes| bytes.as_ptr()), Some(big[0].as_ptr()));
        assert_eq!(queue.argument_bytes(), 3 * 4 + 3 * 4 + 4);
        queue.clear();
        assert!(queue.is_empty() && queue.get(0).is_none());
        assert_eq!(queue.argument_bytes(), 0);
    }
}
