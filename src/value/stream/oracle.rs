//! A naive stream: nodes as vectors of entries, which are encoded anew whenever bytes are asked for.
//!
//! Part of the unit tests and of the fuzz target, which both include it.

use super::{AppendError, Fields, Keep, Limits, Listpack, Log, NewId, Precision, StreamId};

type Field = Vec<u8>;

#[derive(Clone, Debug)]
struct Entry {
    id: StreamId,
    /// Fields, each followed by its value.
    texts: Vec<Field>,
    is_deleted: bool,
}

#[derive(Clone, Debug)]
struct Node {
    entries: Vec<Entry>,
    names: Vec<Field>,
    base: StreamId,
}

/// The naive stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    nodes: Vec<Node>,
    last_id: StreamId,
    max_deleted_id: StreamId,
    added: u64,
}

fn names(texts: &[Field]) -> Vec<Field> {
    texts.iter().step_by(2).cloned().collect()
}

impl Node {
    fn encoded(&self) -> Listpack {
        let mut list = Listpack::new();
        let push = |list: &mut Listpack, n: usize| list.push_back(n.to_string().as_bytes());
        let deleted = self.entries.iter().filter(|entry| entry.is_deleted).count();
        push(&mut list, self.entries.len() - deleted);
        push(&mut list, deleted);
        push(&mut list, self.names.len());
        self.names.iter().for_each(|name| list.push_back(name));
        push(&mut list, 0);
        for entry in &self.entries {
            let is_same = names(&entry.texts) == self.names;
            push(&mut list, usize::from(entry.is_deleted) + 2 * usize::from(is_same));
            list.push_back(entry.id.ms.wrapping_sub(self.base.ms).cast_signed());
            list.push_back(entry.id.seq.wrapping_sub(self.base.seq).cast_signed());
            if is_same {
                entry.texts.iter().skip(1).step_by(2).for_each(|text| list.push_back(text));
                push(&mut list, 3 + self.names.len());
            } else {
                push(&mut list, entry.texts.len() / 2);
                entry.texts.iter().for_each(|text| list.push_back(text));
                push(&mut list, 4 + entry.texts.len());
            }
        }
        list
    }

    fn live(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.is_deleted).count()
    }
}

impl Oracle {
    /// All entries there are.
    fn live(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.nodes.iter().flat_map(|node| &node.entries).filter(|entry| !entry.is_deleted)
    }

    /// IDs of all entries there are.
    pub(crate) fn ids(&self) -> Vec<StreamId> {
        self.live().map(|entry| entry.id).collect()
    }

    /// Adds an entry with this ID, unless that is too small.
    pub(crate) fn append(
        &mut self,
        id: StreamId,
        texts: &[Field],
        bytes_max: usize,
        entries_max: usize,
    ) -> Result<StreamId, AppendError> {
        if self.last_id == StreamId::MAX {
            return Err(AppendError::Exhausted);
        } else if id == StreamId::MIN {
            return Err(AppendError::ZeroId);
        } else if id <= self.last_id {
            return Err(AppendError::SmallId);
        }
        let added: usize = texts.iter().map(Vec::len).sum();
        let entry = Entry { id, texts: texts.to_vec(), is_deleted: false };
        match self.nodes.last_mut() {
            Some(node)
                if node.encoded().bytes() + added < bytes_max
                    && node.entries.len() < entries_max =>
            {
                node.entries.push(entry);
            }
            Some(_) | None => {
                self.nodes.push(Node { names: names(texts), base: id, entries: vec![entry] });
            }
        }
        self.last_id = id;
        self.added += 1;
        Ok(id)
    }

    /// Deletes an entry.
    pub(crate) fn delete(&mut self, id: StreamId) -> bool {
        for at in 0..self.nodes.len() {
            let node = &mut self.nodes[at];
            let found = node.entries.iter_mut().find(|entry| entry.id == id && !entry.is_deleted);
            if let Some(entry) = found {
                entry.is_deleted = true;
                if node.live() == 0 {
                    self.nodes.remove(at);
                }
                self.max_deleted_id = self.max_deleted_id.max(id);
                return true;
            }
        }
        false
    }

    /// Trims.
    pub(crate) fn trim(&mut self, keep: Keep, precision: Precision) -> u64 {
        let mut removed = 0;
        loop {
            let len = self.live().count();
            let Some(node) = self.nodes.first_mut() else { return removed };
            let live = u64::try_from(node.live()).expect("few");
            let left = u64::try_from(len).expect("few");
            if matches!(keep, Keep::Last(count) if left <= count)
                || matches!(precision, Precision::Nodes { limit: Some(limit) } if removed + live > limit)
            {
                return removed;
            }
            let goes = match keep {
                Keep::Last(count) => left - live >= count,
                Keep::From(id) => node.entries.last().is_some_and(|last| last.id < id),
            };
            if goes {
                self.nodes.remove(0);
                removed += live;
                continue;
            }
            if precision == Precision::Exact {
                let mut left = left;
                for entry in &mut node.entries {
                    let goes = match keep {
                        Keep::Last(count) => left > count,
                        Keep::From(id) => entry.id < id,
                    };
                    if goes && !entry.is_deleted {
                        entry.is_deleted = true;
                        left -= 1;
                        removed += 1;
                    }
                }
            }
            return removed;
        }
    }

    /// Compares everything with a log.
    ///
    /// # Panics
    /// If something differs.
    pub(crate) fn check(&self, log: &Log) {
        let nodes: Vec<_> = log.raw_nodes().map(|node| (node.base(), node.bytes())).collect();
        let encoded: Vec<_> = self.nodes.iter().map(|node| (node.base, node.encoded())).collect();
        let expected: Vec<_> = encoded.iter().map(|(id, list)| (*id, list.as_bytes())).collect();
        assert_eq!(nodes, expected);
        let counters = (log.last_id(), log.max_deleted_id(), log.entries_added(), log.node_count());
        assert_eq!(counters, (self.last_id, self.max_deleted_id, self.added, self.nodes.len()));
    }

    /// Compares what is between two IDs, read from either end.
    ///
    /// # Panics
    /// If something differs.
    pub(crate) fn check_range(&self, log: &Log, from: StreamId, to: StreamId) {
        let live: Vec<_> =
            self.live().filter(|entry| (from..=to).contains(&entry.id)).cloned().collect();
        let read = |(id, fields): (StreamId, Fields<'_>)| {
            let texts: Vec<Field> =
                fields.flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect();
            (id, texts)
        };
        let expected: Vec<_> = live.into_iter().map(|entry| (entry.id, entry.texts)).collect();
        let forward: Vec<_> = log.range(from, to).map(read).collect();
        assert_eq!(forward, expected);
        let mut backward: Vec<_> = log.range(from, to).rev().map(read).collect();
        backward.reverse();
        assert_eq!(backward, expected);
    }

    /// The directive's values as limits.
    pub(crate) fn limits(bytes_max: usize, entries_max: usize) -> Limits {
        Limits::new(bytes_max, u64::try_from(entries_max).expect("few"))
    }

    /// Adds the same entry to a log, and compares what comes of it.
    ///
    /// # Panics
    /// If that differs.
    pub(crate) fn append_to_both(
        &mut self,
        log: &mut Log,
        id: StreamId,
        texts: &[Field],
        (bytes_max, entries_max): (usize, usize),
    ) {
        let limits = Self::limits(bytes_max, entries_max);
        let fields = texts.iter().map(Vec::as_slice);
        let added = log.append(NewId::Explicit(id), 0, fields, limits);
        assert_eq!(added, self.append(id, texts, bytes_max, entries_max));
    }
}
