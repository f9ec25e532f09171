//! Members of large values, brought into the cache before the first command of a batch asks for them.
//!
//! Where several commands in a row name one key, its value is probably a large one: a set, say, that
//! everything is added to. Then each command waits for two places in memory that nobody could load with
//! the key. Once the value is known, all of them are loaded together.

use super::batch::Batch;
use crate::command::server::Server;
use crate::ds::dict::{Loader, Prefetch};
use crate::resp::Args;
use crate::store::Key;
use crate::value;
use std::ops::Range;

/// Commands in a row on one key from which its members are loaded ahead.
const RUN_LEN_MIN: usize = 4;
/// Members from which a value is not in the cache anyway.
const TABLE_LEN_MIN: usize = 8192;

impl Batch {
    /// Starts loading the members that commands name. Call it right before the batch is executed: they
    /// take two or three cache lines each.
    #[inline]
    pub(super) fn prefetch_members(&mut self, server: &Server, db: usize, buf: &[u8]) {
        let mut start = 0;
        while let Some(item) = self.items.get(start) {
            if item.member_at == 0 {
                start += 1;
                continue;
            }
            let hash = self.hashes_of(item).first().copied();
            let same = |at: &usize| {
                let other = &self.items[*at];
                other.member_at > 0 && self.hashes_of(other).first().copied() == hash
            };
            let end = start + (start..self.items.len()).take_while(same).count();
            if end - start >= RUN_LEN_MIN
                && let Some(hash) = hash
            {
                self.prefetch_run(server, db, buf, start..end, hash);
            }
            start = end;
        }
    }

    /// The members that these commands name in the value of one key.
    fn prefetch_run(
        &mut self,
        server: &Server,
        db: usize,
        buf: &[u8],
        run: Range<usize>,
        hash: u64,
    ) {
        let first = &self.items[run.start];
        let args = Args::new(buf, self.spans_of(first), &[]);
        let key = usize::try_from(first.keys.first).ok().and_then(|at| args.get(at));
        let Some(bytes) = key else { return };
        let Some(entry) = server.keyspace.glimpse(db, Key { bytes, hash }) else { return };
        let Some(table) = value::table_of(&entry).filter(|table| table.len() >= TABLE_LEN_MIN)
        else {
            return;
        };
        let mut hashes = std::mem::take(&mut self.members);
        hashes.clear();
        hashes.extend(self.items[run].iter().filter_map(|item| {
            let args = Args::new(buf, self.spans_of(item), &[]);
            args.get(item.member_at).map(|member| table.hash(member))
        }));
        load(table, &hashes);
        self.members = hashes;
    }
}

/// Loads the buckets of all hashes, then the items in them.
fn load(table: &dyn Loader, hashes: &[u64]) {
    for &hash in hashes {
        table.prefetch_bucket(hash);
    }
    for &hash in hashes {
        match table.prefetch_item(hash) {
            Prefetch::Done => {}
            Prefetch::Unfinished => table.prefetch_child_item(hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;
    use crate::resp::parse::{Limits, Trust};

    /// How many members are loaded for a pipeline of these commands.
    fn loaded(bench: &Bench, commands: &[&str]) -> usize {
        let mut buf = Vec::new();
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            buf.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                buf.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
        let mut batch = Batch::default();
        let limits = Limits { trust: Trust::Authenticated, bulk_len_max: 1 << 20 };
        let _ended = batch.fill(&bench.server, &buf, 0, limits, 64);
        assert_eq!(batch.items.len(), commands.len());
        batch.prefetch_members(&bench.server, 0, &buf);
        batch.members.len()
    }

    #[test]
    fn members_of_one_large_value_are_loaded_together() {
        let mut bench = Bench::new();
        for n in 0..TABLE_LEN_MIN {
            let member = format!("m{n}");
            bench.raw(&["SADD", "s", &member]);
            bench.raw(&["HSET", "h", &member, "v"]);
            bench.raw(&["ZADD", "z", "1", &member]);
        }
        bench.check("SADD small 1 2 3; SET t x", ":3 +OK");
        for (command, count) in [
            ("SADD s x", 5),
            ("SREM s m1", 5),
            ("SISMEMBER s m1", 5),
            ("HSET h m1 x", 5),
            ("HGET h m1", 5),
            ("ZADD z 1 m1", 5),
            ("ZSCORE z m1", 5),
            ("SCARD s", 0),
            ("SADD small x", 0),
            ("SADD none x", 0),
            ("SADD t x", 0),
            ("SADD s", 0),
        ] {
            assert_eq!(loaded(&bench, &[command; 5]), count, "{command}");
        }
        assert_eq!(loaded(&bench, &["SADD s x"; 3]), 0);
        assert_eq!(loaded(&bench, &["SADD s x", "SADD s y", "GET t", "SADD s z", "SADD s a"]), 0);
        let mixed = ["GET t", "SADD s x", "SADD s y", "SREM s z", "SISMEMBER s m1", "GET t"];
        assert_eq!(loaded(&bench, &mixed), 4);
    }
}
