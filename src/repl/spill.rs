//! Older bytes of a stream, on disk: what a backlog gives up goes into a file, and comes back piece by piece
//! for who is still to be sent it.
//!
//! The bytes are a row of segments, the blocks that the backlog was made of. Each has a place in the file that
//! is used again when it is given up. Writing and reading are somebody else's ([`SpillFile`]): what was asked
//! for is answered in the order of asking.
//!
//! Invariant: the segments follow each other without a gap, their lengths add up to `len`, and byte `first` is
//! the first of them. A segment that is not `Stored` has its bytes in memory, or is being read.

use crate::base::num;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;

/// Distance of places in the file, bytes: a block has no more. Where a segment has fewer the file has holes.
const PLACE_BYTES: u64 = 1024 * 1024;
/// Bytes that may wait to be written. Beyond, the disk is too slow for the stream.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes read ahead of who is sent them.
const AHEAD_BYTES: u64 = 1024 * 1024;

/// What became of something that was asked for.
#[derive(Debug)]
pub enum Answer {
    /// The bytes are in the file, or why they are not.
    Written(Result<(), String>),
    /// The bytes that were read, or why they could not be.
    Read(Result<Vec<u8>, String>),
}

/// A file without a name, which somebody else writes and reads, one thing after the other.
pub trait SpillFile: Debug {
    /// Asks that bytes be written at a place.
    fn write(&mut self, at: u64, bytes: Arc<Vec<u8>>);
    /// Asks for so many bytes from a place on.
    fn read(&mut self, at: u64, len: usize);
    /// What became of the oldest thing asked for; `None` if that is not known yet.
    fn poll(&mut self) -> Option<Answer>;
}

/// What [`Spill::poll`] has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing was read.
    None,
    /// There are bytes that were not there before.
    Read,
    /// Bytes could not be read, and why: all are given up.
    Lost(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is to be written, but cannot be at present.
    Unwritten,
    Writing,
    Stored,
    Reading,
}

#[derive(Debug)]
struct Segment {
    start: u64,
    len: usize,
    place: u64,
    state: State,
    bytes: Option<Arc<Vec<u8>>>,
}

/// Segments of a stream in a file.
#[derive(Debug)]
pub struct Spill {
    file: Box<dyn SpillFile>,
    segments: VecDeque<Segment>,
    /// Number of the first segment: they are counted from the first that ever was.
    first_number: u64,
    first: u64,
    len: usize,
    limit: u64,
    /// Numbers of the segments that something was asked for, in order, and how many bytes are to be written.
    asked: VecDeque<(u64, usize)>,
    /// Numbers of stored segments with their bytes in memory.
    loaded: Vec<u64>,
    free_places: Vec<u64>,
    places: u64,
    waiting_bytes: usize,
    memory_bytes: usize,
    /// Why the disk took no bytes the last time.
    failure: Option<String>,
}

impl Spill {
    /// Nothing so far, and at most `limit` bytes; `next` is the number of the byte that will come first.
    pub fn new(file: Box<dyn SpillFile>, limit: u64, next: u64) -> Self {
        Self {
            file,
            segments: VecDeque::new(),
            first_number: 0,
            first: next,
            len: 0,
            limit,
            asked: VecDeque::new(),
            loaded: Vec::new(),
            free_places: Vec::new(),
            places: 0,
            waiting_bytes: 0,
            memory_bytes: 0,
            failure: None,
        }
    }

    /// Number of the first byte, or of the next one if there is none.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Number of the byte behind the last.
    pub const fn end(&self) -> u64 {
        self.first + num::u64_of(self.len)
    }

    /// Bytes of the stream that are in it.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps at most so many bytes from now on.
    pub const fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Bytes of memory: what is still to be written, and what was read.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes + self.segments.capacity() * size_of::<Segment>()
    }

    /// Why the disk takes no bytes at present.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Counts all bytes as coming so much later in the stream.
    pub fn rebase(&mut self, later: u64) {
        self.first += later;
        for segment in &mut self.segments {
            segment.start += later;
        }
    }

    /// Forgets all bytes; the next one has this number.
    pub fn restart(&mut self, next: u64) {
        while self.drop_first() {}
        self.first = next;
    }

    /// Adds a segment if there is room: segments before the byte `needed` may be given up for it. Hands the
    /// bytes back otherwise.
    pub fn push(&mut self, bytes: Vec<u8>, needed: u64) -> Option<Vec<u8>> {
        let len = num::u64_of(bytes.len());
        while num::u64_of(self.len) + len > self.limit && self.drop_unneeded(needed) {}
        let is_full = num::u64_of(self.len) + len > self.limit;
        let is_slow = self.waiting_bytes + bytes.len() > WAITING_BYTES_MAX;
        if is_full || is_slow || self.failure.is_some() || len > PLACE_BYTES {
            return Some(bytes);
        }
        let place = self.free_places.pop().unwrap_or_else(|| {
            self.places += 1;
            self.places - 1
        });
        let start = self.end();
        self.len += bytes.len();
        self.memory_bytes += bytes.capacity();
        let number = self.first_number + num::u64_of(self.segments.len());
        self.segments.push_back(Segment {
            start,
            len: bytes.len(),
            place,
            state: State::Unwritten,
            bytes: Some(Arc::new(bytes)),
        });
        self.ask_to_write(number);
        None
    }

    /// Gives up segments beyond the limit that hold no byte from number `needed` on.
    pub fn trim(&mut self, needed: u64) {
        while num::u64_of(self.len) > self.limit && self.drop_unneeded(needed) {}
    }

    /// Tries again to write what could not be written.
    pub fn retry(&mut self) {
        if self.failure.take().is_none() {
            return;
        }
        for number in self.first_number..self.first_number + num::u64_of(self.segments.len()) {
            if self.segment(number).is_some_and(|segment| segment.state == State::Unwritten) {
                self.ask_to_write(number);
            }
        }
    }

    /// Takes note of what was written and read.
    pub fn poll(&mut self) -> News {
        let mut news = News::None;
        while !self.asked.is_empty()
            && let Some(answer) = self.file.poll()
        {
            let (number, written_bytes) = self.asked.pop_front().expect("it was asked for");
            self.waiting_bytes -= written_bytes;
            match answer {
                Answer::Written(result) => self.written(number, result),
                Answer::Read(Ok(bytes)) => {
                    self.read(number, bytes);
                    if news == News::None {
                        news = News::Read;
                    }
                }
                Answer::Read(Err(reason)) => news = News::Lost(reason),
            }
        }
        if matches!(news, News::Lost(_)) {
            self.restart(self.end());
        }
        news
    }

    /// Whether the byte of this number can be read at once; if not, its segment is asked for.
    pub fn prepare(&mut self, from: u64) -> bool {
        let Some((number, start)) = self.find(from) else { return false };
        let (mut at, mut reached) = (number, start);
        while reached <= from.saturating_add(AHEAD_BYTES) {
            let Some(segment) = self.segment_mut(at) else { break };
            reached += num::u64_of(segment.len);
            if segment.state == State::Stored && segment.bytes.is_none() {
                segment.state = State::Reading;
                let (place, len) = (segment.place, segment.len);
                self.file.read(place * PLACE_BYTES, len);
                self.asked.push_back((at, 0));
            }
            at += 1;
        }
        self.segment(number).is_some_and(|segment| segment.bytes.is_some())
    }

    /// The bytes of one segment from number `from` on, if they are in memory.
    pub fn piece(&self, from: u64) -> Option<&[u8]> {
        let (number, start) = self.find(from)?;
        let bytes = self.segment(number)?.bytes.as_ref()?;
        bytes.get(num::usize_of(from - start)..)
    }

    /// Bytes of memory from number `from` on, and of how many segments.
    pub fn held_from(&self, from: u64) -> (usize, usize) {
        let (mut blocks, mut bytes, mut start) = (0, 0, self.end());
        for segment in self.segments.iter().rev() {
            if start <= from {
                break;
            }
            start -= num::u64_of(segment.len);
            if let Some(held) = &segment.bytes {
                blocks += 1;
                bytes += held.capacity();
            }
        }
        (blocks, bytes)
    }

    /// Gives back the memory of segments that nobody reads, or is about to: readers are at these bytes.
    pub fn release(&mut self, readers: impl Iterator<Item = u64> + Clone) {
        if self.loaded.is_empty() {
            return;
        }
        let loaded = std::mem::take(&mut self.loaded);
        for number in loaded {
            let Some(segment) = self.segment_mut(number) else { continue };
            let (start, end) = (segment.start, segment.start + num::u64_of(segment.len));
            let is_near = |from: u64| from < end && from.saturating_add(AHEAD_BYTES) >= start;
            if readers.clone().any(is_near) {
                self.loaded.push(number);
            } else if let Some(bytes) = segment.bytes.take() {
                self.memory_bytes -= bytes.capacity();
            }
        }
    }

    fn ask_to_write(&mut self, number: u64) {
        let Some(segment) = self.segment_mut(number) else { return };
        let Some(bytes) = &segment.bytes else { return };
        segment.state = State::Writing;
        let (place, bytes) = (segment.place, Arc::clone(bytes));
        self.waiting_bytes += bytes.len();
        self.asked.push_back((number, bytes.len()));
        self.file.write(place * PLACE_BYTES, bytes);
    }

    fn written(&mut self, number: u64, result: Result<(), String>) {
        let Some(segment) = self.segment_mut(number) else { return };
        match result {
            Ok(()) => {
                segment.state = State::Stored;
                self.loaded.push(number);
            }
            Err(reason) => {
                segment.state = State::Unwritten;
                self.failure = Some(reason);
            }
        }
    }

    fn read(&mut self, number: u64, bytes: Vec<u8>) {
        let Some(segment) = self.segment_mut(number) else { return };
        debug_assert_eq!(segment.len, bytes.len());
        segment.state = State::Stored;
        let capacity = bytes.capacity();
        segment.bytes = Some(Arc::new(bytes));
        self.memory_bytes += capacity;
        self.loaded.push(number);
    }

    fn segment(&self, number: u64) -> Option<&Segment> {
        self.segments.get(num::usize_of(number.checked_sub(self.first_number)?))
    }

    fn segment_mut(&mut self, number: u64) -> Option<&mut Segment> {
        self.segments.get_mut(num::usize_of(number.checked_sub(self.first_number)?))
    }

    /// The segment that has a byte, and the number of its first byte.
    fn find(&self, from: u64) -> Option<(u64, u64)> {
        if from < self.first || from >= self.end() {
            return None;
        }
        let index =
            self.segments.partition_point(|segment| segment.start <= from).checked_sub(1)?;
        Some((self.first_number + num::u64_of(index), self.segments.get(index)?.start))
    }

    fn drop_unneeded(&mut self, needed: u64) -> bool {
        let first_len = self.segments.front().map(|segment| num::u64_of(segment.len));
        first_len.is_some_and(|len| self.first + len <= needed) && self.drop_first()
    }

    fn drop_first(&mut self) -> bool {
        let Some(segment) = self.segments.pop_front() else { return false };
        self.first_number += 1;
        self.first += num::u64_of(segment.len);
        self.len -= segment.len;
        self.free_places.push(segment.place);
        if let Some(bytes) = segment.bytes {
            self.memory_bytes -= bytes.capacity();
        }
        true
    }
}

#[cfg(any(test, fuzzing))]
impl Spill {
    /// Whether the invariant holds.
    pub fn check_invariants(&self) {
        let mut at = self.first;
        let (mut held, mut places) = (0, self.free_places.clone());
        for segment in &self.segments {
            assert_eq!(segment.start, at);
            at += num::u64_of(segment.len);
            held += segment.bytes.as_ref().map_or(0, |bytes| bytes.capacity());
            assert_eq!(
                segment.bytes.is_none(),
                segment.state == State::Reading || !self.is_loaded(at)
            );
            places.push(segment.place);
        }
        assert_eq!((at, held), (self.end(), self.memory_bytes));
        let waiting: usize = self.asked.iter().map(|(_, written_bytes)| written_bytes).sum();
        assert_eq!(waiting, self.waiting_bytes);
        places.sort_unstable();
        assert!(
            places.into_iter().eq(0..self.places),
            "each place belongs to one segment or is free"
        );
    }

    /// Whether the segment that ends at a byte has its bytes in memory.
    fn is_loaded(&self, end: u64) -> bool {
        self.find(end - 1).is_some_and(|(number, _)| {
            let is_stored = self.segment(number).is_some_and(|one| one.state == State::Stored);
            !is_stored || self.loaded.contains(&number)
        })
    }
}

/// A file in memory, for tests.
#[cfg(any(test, fuzzing))]
#[derive(Debug, Default)]
pub struct FakeFile {
    bytes: std::collections::BTreeMap<u64, Vec<u8>>,
    answers: VecDeque<Answer>,
    /// How many things are answered before the disk is full; `None` for all.
    pub room: Option<usize>,
    /// Whether nothing can be read.
    pub is_broken: bool,
}

#[cfg(any(test, fuzzing))]
impl SpillFile for FakeFile {
    fn write(&mut self, at: u64, bytes: Arc<Vec<u8>>) {
        let has_room = self.room != Some(0);
        if has_room {
            self.room = self.room.map(|room| room - 1);
            self.bytes.insert(at, bytes.to_vec());
        }
        self.answers.push_back(Answer::Written(match has_room {
            true => Ok(()),
            false => Err("No space left on device".to_owned()),
        }));
    }

    fn read(&mut self, at: u64, len: usize) {
        let bytes = self.bytes.get(&at).filter(|_| !self.is_broken);
        let bytes = bytes.and_then(|bytes| bytes.get(..len));
        let bytes = bytes.map(<[u8]>::to_vec).ok_or_else(|| "Input/output error".to_owned());
        self.answers.push_back(Answer::Read(bytes));
    }

    fn poll(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::repl::Backlog;

    const SIZE: usize = 64 * 1024;

    fn spilling(file: FakeFile, limit: u64) -> Backlog {
        let mut backlog = Backlog::new(SIZE, 1);
        backlog.spill_to(Box::new(file), limit);
        backlog
    }

    fn poll(backlog: &mut Backlog) -> News {
        backlog.spill_mut().expect("it spills").poll()
    }

    fn release(backlog: &mut Backlog, readers: &[u64]) {
        backlog.spill_mut().expect("it spills").release(readers.iter().copied());
    }

    fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
        (0..len).map(|_| num::low_u8(rng.next_u64())).collect()
    }

    #[test]
    fn slow_readers_get_every_byte_and_hold_up_no_memory() {
        let mut rng = Rng::seeded(11);
        let mut backlog = spilling(FakeFile::default(), 1 << 40);
        let (mut all, mut readers) = (Vec::new(), [1, 1, 1]);
        for _ in 0..3000 {
            let len = rng.below_usize(5000);
            let more = bytes(&mut rng, len);
            backlog.append(&more);
            all.extend(more);
            backlog.trim(readers.into_iter().min().expect("there are three"));
            for (reader, speed) in readers.iter_mut().zip([300, 2600, 9000]) {
                if backlog.prepare(*reader) {
                    let piece = backlog.pieces(*reader).next().unwrap_or_default();
                    let taken = &piece[..piece.len().min(num::usize_of(rng.below(speed)))];
                    let at = num::usize_of(*reader - 1);
                    assert_eq!(taken, &all[at..at + taken.len()]);
                    *reader += num::u64_of(taken.len());
                }
            }
            poll(&mut backlog);
            release(&mut backlog, &readers);
            backlog.check_invariants();
            let memory = backlog.memory_bytes()
                - backlog.spill().map_or(0, |one| one.segments.capacity() * 48);
            assert!(memory < SIZE + 3 * (1 << 20) + 3 * SIZE, "{memory}");
        }
        assert!(readers[0] < 1_000_000 && backlog.spilled_len() > 6_000_000);
        assert!(readers[2] + 20_000 > backlog.next(), "one was fast enough");
        release(&mut backlog, &[]);
        assert!(
            backlog.memory_bytes()
                < 2 * SIZE + backlog.spill().map_or(0, |one| one.segments.capacity() * 64)
        );
    }

    #[test]
    fn beyond_its_limit_it_gives_up_what_nobody_needs() {
        let mut backlog = spilling(FakeFile::default(), 200_000);
        for _ in 0..100 {
            backlog.append(&[b'x'; 10_000]);
            backlog.trim(u64::MAX);
            poll(&mut backlog);
            release(&mut backlog, &[]);
            backlog.check_invariants();
        }
        let kept = backlog.next() - backlog.first();
        assert!((200_000..200_000 + 2 * 82_000).contains(&kept), "{kept}");
        let needed = backlog.first();
        assert!(
            !backlog.prepare(needed) && poll(&mut backlog) == News::Read && backlog.prepare(needed)
        );
        for _ in 0..100 {
            backlog.append(&[b'x'; 10_000]);
            backlog.trim(needed);
            poll(&mut backlog);
        }
        assert_eq!(backlog.first(), needed);
        assert!(backlog.spilled_len() <= 200_000 && backlog.unspilled_from(needed) > 900_000);
        backlog.trim(u64::MAX);
        backlog.check_invariants();
        assert!(backlog.unspilled_from(needed) < 82_000);
        backlog.stop_spilling(u64::MAX);
        assert!(backlog.spill().is_none() && backlog.first() > needed);
    }

    #[test]
    fn a_full_disk_takes_the_rest_later() {
        let mut backlog = spilling(FakeFile { room: Some(3), ..FakeFile::default() }, 1 << 30);
        let fill = |backlog: &mut Backlog| {
            for _ in 0..20 {
                backlog.append(&[b'x'; 10_000]);
                backlog.trim(1);
                poll(backlog);
                release(backlog, &[1]);
                backlog.check_invariants();
            }
        };
        fill(&mut backlog);
        assert_eq!(backlog.spill().and_then(Spill::failure), Some("No space left on device"));
        assert!(backlog.spilled_len() < 100_000, "nothing more goes there");
        let spill = backlog.spill_mut().expect("it spills");
        spill.retry();
        assert_eq!(spill.failure(), None);
        assert_eq!(spill.poll(), News::None);
        assert!(spill.failure().is_some(), "it is still full");
        fill(&mut backlog);
        assert!(backlog.holds(1) && backlog.unspilled_from(1) > 300_000);
        backlog.trim(u64::MAX);
        backlog.check_invariants();
        assert!(!backlog.holds(1), "nobody needs it, and it would not be whole");
    }

    #[test]
    fn what_cannot_be_read_is_given_up() {
        let mut backlog = spilling(FakeFile { is_broken: true, ..FakeFile::default() }, 1 << 30);
        backlog.append(&[b'x'; 500_000]);
        backlog.trim(1);
        poll(&mut backlog);
        release(&mut backlog, &[]);
        assert!(!backlog.prepare(1));
        assert_eq!(poll(&mut backlog), News::Lost("Input/output error".to_owned()));
        backlog.check_invariants();
        assert!(!backlog.holds(1) && backlog.spilled_len() == 0);
        let first = backlog.first();
        assert_eq!(backlog.pieces(first).map(<[u8]>::len).sum::<usize>(), backlog.len());
        backlog.rebase(1000);
        backlog.append(&[b'y'; 100_000]);
        backlog.trim(u64::MAX);
        backlog.check_invariants();
        assert_eq!((backlog.first(), backlog.spilled_len() > 0), (first + 1000, true));
    }
}
