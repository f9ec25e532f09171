//! The data as the shortest log that makes it: what a rewritten append-only file consists of when
//! `aof-use-rdb-preamble` is off.
//!
//! Runs in a forked child: no threads, no locks, no log.

use super::manifest::BaseFormat;
use crate::base::{float, num};
use crate::ds::listpack::Digits;
use crate::persist::Progress;
use crate::store::Keyspace;
use crate::value::list::Direction;
use crate::value::{Entry, HashRef, ListRef, SetRef, SortedSetRef, Str, Stream};
use bytes::Bytes;
use std::io::{self, Write};
use std::time::Duration;

/// Elements that one command adds at most.
const ITEMS_MAX: usize = 64;
/// Bytes written at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// Longest text of a number: `-1.7976931348623157e+308`.
const NUMBER_LEN_MAX: usize = 32;

/// How a base is written: what [`rewrite`] and its like are told.
#[derive(Clone, Debug)]
pub struct RewriteOptions<'a> {
    /// The time to begin with, Unix seconds, with `aof-timestamp-enabled`.
    pub timestamp: Option<i64>,
    /// Source code of the libraries of functions.
    pub libraries: &'a [Bytes],
    /// `rdb-key-save-delay`: microseconds to wait after each key; if negative, one microsecond after
    /// as many keys.
    pub key_delay_us: i64,
    /// Waits.
    pub sleep: fn(Duration),
    /// Counts, and may stop it.
    pub progress: Option<&'a Progress>,
}

/// The base that `aof-use-rdb-preamble` asks for.
pub const fn base_format(config: &crate::config::Config) -> BaseFormat {
    if config.aof_use_rdb_preamble { BaseFormat::Dump } else { BaseFormat::Commands }
}

/// The annotation of a time, Unix seconds.
pub fn write_timestamp(unix_s: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"#TS:");
    num::write_i64(out, unix_s);
    out.extend_from_slice(b"\r\n");
}

/// Writes commands that make the data of a keyspace; how many keys there are.
///
/// # Errors
/// Those of `out`, or `Interrupted` if the progress was cancelled.
pub fn rewrite<W: Write>(
    keyspace: &Keyspace,
    options: &RewriteOptions<'_>,
    out: W,
) -> io::Result<u64> {
    let mut log = Log { out, buf: Vec::with_capacity(BUFFER_BYTES), progress: options.progress };
    if let Some(unix_s) = options.timestamp {
        write_timestamp(unix_s, &mut log.buf);
    }
    for library in options.libraries {
        log.command(&[b"FUNCTION", b"LOAD", library])?;
    }
    let mut keys: u64 = 0;
    for number in 0..keyspace.len() {
        let db = keyspace.db(number);
        if db.is_empty() {
            continue;
        }
        log.command(&[b"SELECT", number.to_string().as_bytes()])?;
        for entry in db.iter() {
            log.entry(&entry)?;
            keys += 1;
            if let Some(progress) = options.progress {
                progress.add_keys(1);
                if progress.is_cancelled() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
            }
            if options.key_delay_us != 0 {
                log.flush()?;
                delay(options, keys);
            }
        }
    }
    log.flush()?;
    log.out.flush()?;
    Ok(keys)
}

#[cold]
fn delay(options: &RewriteOptions<'_>, keys: u64) {
    let micros = options.key_delay_us.unsigned_abs();
    if options.key_delay_us > 0 {
        (options.sleep)(Duration::from_micros(micros));
    } else if keys.is_multiple_of(micros) {
        (options.sleep)(Duration::from_micros(1));
    }
}

/// A log in the making.
pub(super) struct Log<'a, W> {
    out: W,
    buf: Vec<u8>,
    progress: Option<&'a Progress>,
}

impl<W: Write> Log<'_, W> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buf)?;
        if let Some(progress) = self.progress {
            progress.add_bytes(num::u64_of(self.buf.len()));
        }
        self.buf.clear();
        Ok(())
    }

    pub(super) fn count(&mut self, mark: u8, count: usize) {
        self.buf.push(mark);
        num::write_u64(&mut self.buf, num::u64_of(count));
        self.buf.extend_from_slice(b"\r\n");
    }

    pub(super) fn word(&mut self, word: &[u8]) -> io::Result<()> {
        self.count(b'$', word.len());
        if word.len() >= BUFFER_BYTES {
            self.flush()?;
            self.out.write_all(word)?;
            if let Some(progress) = self.progress {
                progress.add_bytes(num::u64_of(word.len()));
            }
        } else {
            self.buf.extend_from_slice(word);
        }
        self.buf.extend_from_slice(b"\r\n");
        if self.buf.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    pub(super) fn integer(&mut self, n: i64) -> io::Result<()> {
        let mut text = Vec::with_capacity(NUMBER_LEN_MAX);
        num::write_i64(&mut text, n);
        self.word(&text)
    }

    pub(super) fn command(&mut self, words: &[&[u8]]) -> io::Result<()> {
        self.count(b'*', words.len());
        words.iter().try_for_each(|word| self.word(word))
    }

    /// Begins a command that adds elements: the one at `index` of `len` is its first.
    fn begin(&mut self, name: &[u8], key: &[u8], words_each: usize, left: usize) -> io::Result<()> {
        self.count(b'*', 2 + words_each * left.min(ITEMS_MAX));
        self.word(name)?;
        self.word(key)
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let key = entry.key();
        if let Some(string) = Str::of(entry) {
            string.with_bytes(|bytes| self.command(&[b"SET", key, bytes]))?;
        } else if let Some(list) = ListRef::of(entry) {
            self.list(key, list)?;
        } else if let Some(set) = SetRef::of(entry) {
            self.set(key, set)?;
        } else if let Some(set) = SortedSetRef::of(entry) {
            self.sorted_set(key, set)?;
        } else if let Some(hash) = HashRef::of(entry) {
            self.hash(key, hash)?;
        } else if let Some(stream) = Stream::of(entry) {
            self.stream(key, stream)?;
        }
        if let Some(at_ms) = entry.expiry() {
            self.count(b'*', 3);
            self.word(b"PEXPIREAT")?;
            self.word(key)?;
            self.integer(at_ms)?;
        }
        Ok(())
    }

    fn list(&mut self, key: &[u8], list: ListRef<'_>) -> io::Result<()> {
        let (len, mut index, mut result) = (list.len(), 0, Ok(()));
        list.for_each(0, len, Direction::Forward, |element| {
            if result.is_ok() {
                result = (|| {
                    if index % ITEMS_MAX == 0 {
                        self.begin(b"RPUSH", key, 1, len - index)?;
                    }
                    element.with_text(|text| self.word(text))
                })();
            }
            index += 1;
        });
        result
    }

    fn set(&mut self, key: &[u8], set: SetRef<'_>) -> io::Result<()> {
        let len = set.len();
        for (index, member) in set.iter().enumerate() {
            if index % ITEMS_MAX == 0 {
                self.begin(b"SADD", key, 1, len - index)?;
            }
            member.with_text(|text| self.word(text))?;
        }
        Ok(())
    }

    fn sorted_set(&mut self, key: &[u8], set: SortedSetRef<'_>) -> io::Result<()> {
        let len = set.len();
        let mut score_text = Vec::with_capacity(NUMBER_LEN_MAX);
        for (index, (member, score)) in set.iter().enumerate() {
            if index % ITEMS_MAX == 0 {
                self.begin(b"ZADD", key, 2, len - index)?;
            }
            score_text.clear();
            float::format_f64_shortest(score, &mut score_text);
            self.word(&score_text)?;
            member.with_text(|text| self.word(text))?;
        }
        Ok(())
    }

    fn hash(&mut self, key: &[u8], hash: HashRef<'_>) -> io::Result<()> {
        let len = hash.len();
        let mut digits = Digits::new();
        for (index, field) in hash.iter().enumerate() {
            if index % ITEMS_MAX == 0 {
                self.begin(b"HMSET", key, 2, len - index)?;
            }
            self.word(field.name.text(&mut digits))?;
            self.word(field.value.text(&mut digits))?;
        }
        for field in hash.iter() {
            let Some(at_ms) = field.expiry else { continue };
            self.count(b'*', 6);
            self.word(b"HPEXPIREAT")?;
            self.word(key)?;
            self.integer(at_ms)?;
            self.word(b"FIELDS")?;
            self.word(b"1")?;
            self.word(field.name.text(&mut digits))?;
        }
        Ok(())
    }
}
