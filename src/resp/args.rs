//! A command's arguments where they lie: most in the buffer they were read into, long ones in
//! reference-counted buffers of their own, which a value may keep without a copy.

use super::parse::Span;
use crate::base::num;
use bytes::Bytes;
use std::ops::Index;

/// The arguments of one command; argument 0 is its name.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    buf: &'a [u8],
    spans: &'a [Span],
    big: &'a [Bytes],
}

impl<'a> Args<'a> {
    /// Arguments at `spans` of `buf`; spans marked [`Span::BIG`] refer to `big`.
    #[inline]
    pub const fn new(buf: &'a [u8], spans: &'a [Span], big: &'a [Bytes]) -> Self {
        Self { buf, spans, big }
    }

    /// How many there are, the name included.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "there is always a name")]
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// The argument at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(index)?;
        if span.start == Span::BIG {
            return Some(&self.big[num::usize_of_u32(span.len)]);
        }
        let start = num::usize_of_u32(span.start);
        Some(&self.buf[start..start + num::usize_of_u32(span.len)])
    }

    /// The argument at `index`, which there must be; unlike indexing, with the arguments' own lifetime.
    #[inline]
    pub fn at(&self, index: usize) -> &'a [u8] {
        self.get(index).expect("arity is checked before a handler runs")
    }

    /// The buffer of the argument at `index` if it has one of its own.
    #[inline]
    pub fn shared(&self, index: usize) -> Option<&'a Bytes> {
        let span = self.spans.get(index)?;
        (span.start == Span::BIG).then(|| &self.big[num::usize_of_u32(span.len)])
    }

    /// All arguments from `start` on.
    pub fn from(&self, start: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let args = *self;
        (start.min(args.len())..args.len()).map(move |index| args.at(index))
    }

    /// The same with bytes of their own; long ones that have a buffer of their own are shared.
    pub fn to_owned(&self) -> OwnedArgs {
        let mut owned = OwnedArgs::default();
        for index in 0..self.len() {
            match self.shared(index) {
                Some(bytes) => owned.push_shared(bytes.clone()),
                None => owned.push(self.at(index)),
            }
        }
        owned
    }

    /// The arguments with their lengths as they came, if they lie one behind the other just as RESP
    /// writes them.
    #[inline]
    pub fn wire(&self) -> Option<&'a [u8]> {
        self.wire_from().map(|(_, wire)| wire)
    }

    /// Where the arguments are in the buffer.
    pub(super) const fn spans(&self) -> &'a [Span] {
        self.spans
    }

    /// As [`Args::wire`], with the offset in the buffer at which that begins.
    #[inline]
    pub(super) fn wire_from(&self) -> Option<(usize, &'a [u8])> {
        let first = self.spans.first()?;
        let head_len = |span: &Span| 3 + num::digits(u64::from(span.len));
        let start = num::usize_of_u32(first.start).checked_sub(head_len(first))?;
        let mut at = start;
        for span in self.spans {
            let (head, body) = self.buf.get(at..)?.split_at_checked(head_len(span))?;
            let is_head = matches!(head, [b'$', digits @ .., b'\r', b'\n']
                if num::parse_u64(digits) == Some(u64::from(span.len)));
            // An argument of its own names no place in the buffer.
            if !is_head || at + head.len() != num::usize_of_u32(span.start) {
                return None;
            }
            let len = num::usize_of_u32(span.len);
            if body.get(len..len + 2) != Some(b"\r\n") {
                return None;
            }
            at += head.len() + len + 2;
        }
        Some((start, &self.buf[start..at]))
    }

    /// Bytes of the command as RESP writes it.
    pub fn wire_len(&self) -> usize {
        let head_len = |n: usize| 3 + num::digits(num::u64_of(n));
        let args = self.from(0).map(|arg| head_len(arg.len()) + arg.len() + 2);
        head_len(self.len()) + args.sum::<usize>()
    }

    /// No less than [`Args::wire_len`], found without a look at each argument. RESP adds at most
    /// `head_len_max` bytes to each, and to the whole.
    #[inline]
    pub fn wire_len_max(&self, head_len_max: usize) -> usize {
        let of_big: usize = self.big.iter().map(Bytes::len).sum();
        self.buf.len() + of_big + head_len_max * (self.spans.len() + 1)
    }

    /// The same without the first `count` arguments.
    #[must_use]
    pub fn skip(&self, count: usize) -> Self {
        Self { spans: &self.spans[count..], ..*self }
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// Arguments that own their bytes: an inline command, a queued one, one made by the server itself.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgs {
    buf: Vec<u8>,
    spans: Vec<Span>,
    big: Vec<Bytes>,
}

impl OwnedArgs {
    /// Takes over parts collected elsewhere.
    pub(super) const fn from_parts(buf: Vec<u8>, spans: Vec<Span>, big: Vec<Bytes>) -> Self {
        Self { buf, spans, big }
    }

    /// Adds an argument.
    pub fn push(&mut self, arg: &[u8]) {
        let invariant = "arguments are bounded by the query buffer limit";
        let start = num::u32_of(self.buf.len(), invariant);
        self.spans.push(Span { start, len: num::u32_of(arg.len(), invariant) });
        self.buf.extend_from_slice(arg);
    }

    /// Adds a long argument by reference.
    fn push_shared(&mut self, bytes: Bytes) {
        let index = num::u32_of(self.big.len(), "spans of arguments are counted in 32 bits");
        self.spans.push(Span { start: Span::BIG, len: index });
        self.big.push(bytes);
    }

    /// A view of them.
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.buf, &self.spans, &self.big)
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.buf.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.big.iter().map(Bytes::len).sum::<usize>()
    }
}

impl<A: AsRef<[u8]>> FromIterator<A> for OwnedArgs {
    fn from_iter<I: IntoIterator<Item = A>>(args: I) -> Self {
        let mut owned = Self::default();
        for arg in args {
            owned.push(arg.as_ref());
        }
        owned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_are_shared_not_copied() {
        let spans = [Span { start: 0, len: 3 }, Span { start: Span::BIG, len: 0 }];
        let big = [Bytes::from_static(b"value")];
        let args = Args::new(b"SET", &spans, &big);
        assert_eq!((&args[0], &args[1]), (&b"SET"[..], &b"value"[..]));
        assert!(args.shared(0).is_none());
        assert_eq!(args.shared(1).map(|bytes| bytes.as_ptr()), Some(big[0].as_ptr()));
        assert_eq!(args.from(1).collect::<Vec<_>>(), [b"value"]);
        assert_eq!(args.skip(1).at(0), b"value");
        let owned = args.to_owned();
        let owned = owned.as_args();
        assert_eq!((owned.len(), owned.at(0), owned.at(1)), (2, &b"SET"[..], &b"value"[..]));
        assert_eq!(owned.shared(1).map(|bytes| bytes.as_ptr()), Some(big[0].as_ptr()));
    }

    #[test]
    fn arguments_lie_as_they_came_or_they_do_not() {
        use super::super::parse::{Limits, Parsed, Trust, parse};
        let limits = Limits { bulk_len_max: 1 << 20, trust: Trust::Authenticated };
        let check = |input: &[u8], expected: Option<&[u8]>| {
            let mut spans = Vec::new();
            let found = parse(input, 2, limits, &mut spans);
            assert!(matches!(found, Ok(Parsed::Command { .. })), "{}", input.escape_ascii());
            let wire = Args::new(input, &spans, &[]).wire();
            assert_eq!(wire, expected, "{}", input.escape_ascii());
        };
        let long = [b"\0\0*2\r\n$0\r\n\r\n$10\r\n0123456789\r\n".as_slice(), b"*1"].concat();
        check(&long, Some(&long[6..long.len() - 2]));
        // Redis skips the byte after CR and those after an argument without a look.
        check(b"\0\0*1\r\n$1\rxa\r\n", None);
        check(b"\0\0*2\r\n$1\r\nayy$1\r\nb\r\n", None);
        check(b"\0\0*2\r\n$1\r\na\r\n$1\r\nbyy", None);
        let owned: OwnedArgs = ["$3\r\nabc\r\n", "GET"].into_iter().collect();
        assert_eq!(owned.as_args().wire(), None);
        let span = Span { start: Span::BIG, len: 0 };
        assert_eq!(Args::new(b"$0\r\n\r\n", &[span], &[Bytes::new()]).wire(), None);
    }

    #[test]
    fn lengths_are_those_of_resp() {
        let args: OwnedArgs = ["GET", "k"].into_iter().collect();
        assert_eq!(args.as_args().wire_len(), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".len());
        let spans = [Span { start: Span::BIG, len: 0 }];
        let big = [Bytes::from_static(&[b'x'; 1234])];
        let args = Args::new(b"", &spans, &big);
        assert_eq!(args.wire_len(), 4 + 7 + 1234 + 2);
        assert!(args.wire_len_max(16) >= args.wire_len());
    }

    #[test]
    fn owned_arguments_read_back() {
        let owned: OwnedArgs = ["GET", "", "k"].into_iter().collect();
        let words: Vec<&[u8]> = owned.as_args().from(0).collect();
        assert_eq!(words, [&b"GET"[..], b"", b"k"]);
    }
}
