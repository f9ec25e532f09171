//! A run of complete commands found in one buffer, and their keys brought into the cache before the
//! first of them is executed.

use crate::base::num;
use crate::command::keys::{self, LegacyRange};
use crate::command::server::Server;
use crate::command::table::CommandId;
use crate::resp::Args;
use crate::resp::parse::{self, Incomplete, Limits, Parsed, ProtocolError, Span};
use crate::store::Prefetch;
use std::ops::Range;

/// Commands parsed ahead. Their buckets and entries, two or three cache lines each, must fit the first
/// level cache.
pub(super) const COMMANDS_MAX: usize = 64;
/// Keys of one command that are prefetched.
const KEYS_MAX: usize = 64;

/// One parsed command.
#[derive(Debug)]
pub(super) struct Item {
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Offset behind its last byte.
    pub(super) end: usize,
    /// Its command, if its name is known.
    pub(super) id: Option<CommandId>,
    /// Where its keys are.
    pub(super) keys: LegacyRange,
    /// The argument that names a member of the key's value; 0 if none does.
    pub(super) member_at: usize,
    spans: (u32, u32),
    hashes: (u32, u32),
}

/// Why a batch ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It is full, or the buffer was used up; go on at this offset.
    Full { end: usize },
    /// An inline command follows.
    Inline { start: usize, len: usize, end: usize },
    /// An incomplete command follows.
    Incomplete { at: usize, how: Incomplete },
    /// What follows can be no command.
    Failed(ProtocolError),
}

/// The commands of one batch. Kept between batches, so that nothing is allocated.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    spans: Vec<Span>,
    hashes: Vec<u64>,
    /// Hashes whose entries are not being loaded yet.
    unfinished: Vec<u64>,
    /// Hashes of members, while they are loaded.
    pub(super) members: Vec<u64>,
}

impl Batch {
    /// Parses up to `most` commands of `buf` from `at` on and hashes their keys.
    #[inline]
    pub(super) fn fill(
        &mut self,
        server: &Server,
        buf: &[u8],
        mut at: usize,
        limits: Limits,
        most: usize,
    ) -> Ended {
        self.items.clear();
        self.spans.clear();
        self.hashes.clear();
        loop {
            if at >= buf.len() || self.items.len() >= most {
                break Ended::Full { end: at };
            }
            let first = self.spans.len();
            match parse::parse(buf, at, limits, &mut self.spans) {
                Ok(Parsed::Command { end }) => {
                    self.push(server, buf, at..end, first);
                    at = end;
                }
                Ok(Parsed::Nothing { end }) => at = end,
                Ok(Parsed::Inline { start, len, end }) => break Ended::Inline { start, len, end },
                Ok(Parsed::Incomplete(how)) => break Ended::Incomplete { at, how },
                Err(error) => break Ended::Failed(error),
            }
        }
    }

    /// Whether it is worth the trouble to load the keys ahead.
    #[inline]
    pub(super) fn has_several_keys(&self) -> bool {
        self.hashes.len() > 1
    }

    /// Starts loading the buckets of all keys.
    ///
    /// This loop and those of `prefetch_entries` are as tight as they are on purpose: most prefetches
    /// miss the TLB, and the processor walks several page tables at once only for accesses that are
    /// close to each other in the program.
    #[inline]
    pub(super) fn prefetch_buckets(&self, server: &Server, db: usize) {
        for &hash in &self.hashes {
            server.keyspace.prefetch_bucket(db, hash);
        }
    }

    /// Starts loading the entries of all keys, some time after their buckets. One entry in five is
    /// behind a child bucket, which has to arrive first.
    #[inline]
    pub(super) fn prefetch_entries(&mut self, server: &Server, db: usize) {
        self.unfinished.clear();
        for &hash in &self.hashes {
            if server.keyspace.prefetch_entry(db, hash) == Prefetch::Unfinished {
                self.unfinished.push(hash);
            }
        }
        for &hash in &self.unfinished {
            server.keyspace.prefetch_child_entry(db, hash);
        }
    }

    #[inline]
    fn push(&mut self, server: &Server, buf: &[u8], place: Range<usize>, first_span: usize) {
        let args = Args::new(buf, &self.spans[first_span..], &[]);
        let id = server.commands.find(&args[0]);
        let (keys, member_at) = id.map_or((LegacyRange::default(), 0), |id| {
            let command = server.commands.get(id);
            let keys = match command.counted_at {
                0 => command.keys,
                at => keys::counted_range(&args, at),
            };
            (keys, command.member_at)
        });
        let first_hash = self.hashes.len();
        if keys.first > 0 && keys.step > 0 {
            let count = num::i32_clamped(args.len());
            let last = if keys.last < 0 { count + keys.last } else { keys.last };
            let mut at = keys.first;
            while at <= last && at < count && self.hashes.len() - first_hash < KEYS_MAX {
                let hash = server.keyspace.key(args.at(num::usize_of_i32(at))).hash;
                self.hashes.push(hash);
                at += keys.step;
            }
        }
        let invariant = "a read buffer is far below 4 GiB";
        self.items.push(Item {
            start: place.start,
            end: place.end,
            id,
            keys,
            member_at,
            spans: (num::u32_of(first_span, invariant), num::u32_of(self.spans.len(), invariant)),
            hashes: (num::u32_of(first_hash, invariant), num::u32_of(self.hashes.len(), invariant)),
        });
    }

    /// The arguments of a command.
    #[inline]
    pub(super) fn spans_of(&self, item: &Item) -> &[Span] {
        &self.spans[num::usize_of_u32(item.spans.0)..num::usize_of_u32(item.spans.1)]
    }

    /// The hashes of a command's keys.
    #[inline]
    pub(super) fn hashes_of(&self, item: &Item) -> &[u64] {
        &self.hashes[num::usize_of_u32(item.hashes.0)..num::usize_of_u32(item.hashes.1)]
    }
}
