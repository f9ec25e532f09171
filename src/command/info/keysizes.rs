//! INFO keysizes: how many keys of each type have which size, in buckets of powers of two, under the names
//! of Redis 8.
//!
//! Redis counts at each change of a value. Here nothing is counted until somebody asks: then all keys are
//! looked at if there are few ([`LOOKS_MAX`]); otherwise so many, taken from all databases in proportion to
//! their keys, and what they tell is scaled to the number of keys. Keys lie in the table in the order of a
//! keyed hash, so that any run of buckets is a fair sample. The run begins at random each time.

use super::Report;
use crate::base::num;
use crate::command::Server;
use crate::store::Db;
use crate::value;
use std::fmt::Write;

/// Keys looked at for one report, about.
const LOOKS_MAX: usize = 8192;
/// A bucket for nothing, and one for each power of two.
const BUCKETS: usize = 65;
/// The fields, by what [`value::len_of`] is of.
const FIELDS: [(value::Type, &str); 5] = [
    (value::Type::String, "strings_sizes"),
    (value::Type::List, "lists_items"),
    (value::Type::Set, "sets_items"),
    (value::Type::SortedSet, "zsets_items"),
    (value::Type::Hash, "hashes_items"),
];

/// How many keys of one database, of those looked at, are of each type and size.
#[derive(Debug)]
pub(super) struct Sizes {
    counts: [[u64; BUCKETS]; FIELDS.len()],
    looked_at: usize,
    keys: usize,
}

/// Looks at keys of all databases.
pub(super) fn survey(server: &mut Server) -> Vec<Sizes> {
    let Server { keyspace, rng, .. } = server;
    let total: usize = (0..keyspace.len()).map(|db| keyspace.db(db).len()).sum();
    let dbs = (0..keyspace.len()).map(|db| keyspace.db(db));
    dbs.map(|db| {
        if total <= LOOKS_MAX {
            return Sizes::of(db, usize::MAX, 0);
        }
        // Neither product can be too large: there is no memory for so many keys.
        let share = (db.len() * LOOKS_MAX).div_ceil(total);
        Sizes::of(db, share, rng.next_u64())
    })
    .collect()
}

impl Sizes {
    /// Looks at `looks` keys of a database, and the others of the last bucket, from a cursor on.
    fn of(db: &Db, looks: usize, start: u64) -> Self {
        let counts = [[0; BUCKETS]; FIELDS.len()];
        let mut sizes = Self { counts, looked_at: 0, keys: db.len() };
        if looks >= db.len() {
            db.iter().for_each(|entry| sizes.note(&entry));
            return sizes;
        }
        let mut cursor = start;
        // A table has more keys than buckets, but where most were deleted just now.
        for _ in 0..looks {
            cursor = db.scan(cursor, |entry| sizes.note(&entry));
            if sizes.looked_at >= looks {
                break;
            }
        }
        sizes
    }

    fn note(&mut self, entry: &value::Entry) {
        self.looked_at += 1;
        let kind = value::type_of(entry);
        let field = FIELDS.iter().position(|&(field, _)| field == kind);
        if let Some(field) = field {
            self.counts[field][bucket_of(value::len_of(entry))] += 1;
        }
    }

    /// How many keys of the database a number of those looked at stands for.
    fn scaled(&self, count: u64) -> u64 {
        let (keys, looked_at) = (num::u64_of(self.keys), num::u64_of(self.looked_at));
        (count * keys + looked_at / 2) / looked_at
    }
}

/// 0 for nothing, n for a size of at least 2 to the power of n - 1, and less than twice that.
fn bucket_of(size: usize) -> usize {
    num::usize_of_u32(usize::BITS - size.leading_zeros())
}

/// The least size in a bucket, as people read it.
fn write_bucket(bucket: usize, text: &mut String) {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let power = bucket.saturating_sub(1);
    let size = if bucket == 0 { 0 } else { 1_u64 << (power % 10) };
    let _ = write!(text, "{size}{}", UNITS[power / 10]); // cannot fail
}

/// Prints the section.
pub(super) fn print(report: &mut Report<'_>) {
    for db in 0..report.sizes.len() {
        for (field, (_, name)) in FIELDS.iter().enumerate() {
            let sizes = &report.sizes[db];
            let mut text = String::new();
            for (bucket, &count) in sizes.counts[field].iter().enumerate() {
                if count > 0 {
                    if !text.is_empty() {
                        text.push(',');
                    }
                    write_bucket(bucket, &mut text);
                    let _ = write!(text, "={}", sizes.scaled(count)); // cannot fail
                }
            }
            if !text.is_empty() {
                report.field(&format!("db{db}_distrib_{name}"), text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::Bench;

    fn section(bench: &mut Bench) -> String {
        let text = String::from_utf8(bench.raw(&["INFO", "keysizes"])).expect("text");
        text.split("# Keysizes\r\n").nth(1).expect("the section").trim_end().replace("\r\n", " ")
    }

    #[track_caller]
    fn check(script: &str, expected: &str) {
        let mut bench = Bench::new();
        if !script.is_empty() {
            bench.run(script);
        }
        assert_eq!(section(&mut bench), expected, "{script}");
    }

    #[test]
    fn a_bucket_is_named_by_its_least_size() {
        let name = |size: usize| {
            let mut text = String::new();
            write_bucket(bucket_of(size), &mut text);
            text
        };
        let names: Vec<String> = [0, 1, 2, 3, 4, 7, 8, 1023, 1024, 2047, 2048].map(name).into();
        assert_eq!(names, ["0", "1", "2", "2", "4", "4", "8", "512", "1K", "1K", "2K"]);
        assert_eq!([(1 << 20) - 1, 1 << 20, 1 << 30].map(name), ["512K", "1M", "1G"]);
        assert_eq!(name(usize::MAX), "8E");
    }

    #[test]
    fn every_type_has_its_line() {
        check("", "");
        check("SET a ''; SET b 12345; SET c x", "db0_distrib_strings_sizes:0=1,1=1,4=1");
        check(
            "RPUSH l 1 2 3; SADD s a; ZADD z 1 a 2 b; HSET h a 1 b 2 c 3 d 4; XADD x * a b",
            "db0_distrib_lists_items:2=1 db0_distrib_sets_items:1=1 db0_distrib_zsets_items:2=1 \
             db0_distrib_hashes_items:4=1",
        );
        check(
            "SET a 1; SELECT 3; SET b 12; SETRANGE c 1023 x",
            "db0_distrib_strings_sizes:1=1 db3_distrib_strings_sizes:2=1,1K=1",
        );
        check("SET a 1; DEL a", "");
    }

    #[test]
    fn of_many_keys_a_sample_is_scaled() {
        let mut bench = Bench::new();
        for n in 0..40_000 {
            bench.raw(&["SET", &format!("key:{n}"), if n % 4 == 0 { "four" } else { "x" }]);
        }
        bench.run("SELECT 1; SET other x");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..5 {
            let text = section(&mut bench);
            let (first, second) = text.split_once(' ').expect("two databases");
            assert_eq!(second, "db1_distrib_strings_sizes:1=1");
            let counts = first.strip_prefix("db0_distrib_strings_sizes:").expect("the field");
            let counts: Vec<u64> = counts
                .split(',')
                .map(|pair| pair.split('=').nth(1).expect("a count").parse().expect("a number"))
                .collect();
            assert_eq!(counts.len(), 2);
            assert!((28_000..32_000).contains(&counts[0]), "{counts:?}");
            assert!((39_998..=40_002).contains(&(counts[0] + counts[1])), "{counts:?}");
            seen.insert(counts);
        }
        assert!(seen.len() > 1, "samples differ");
    }
}
