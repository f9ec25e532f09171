//! The whole keyspace as a file.
//!
//! ```text
//! REDIS0010                           and the version
//! AUX name text                       several
//! FUNCTION text                       for each library
//! SELECT_DB index  RESIZE_DB keys volatile     for each database that is not empty
//!   [EXPIRE_TIME_MS time] [IDLE seconds | FREQ byte] type key value     for each key
//! EOF checksum
//! ```
//! Keys that have expired and were not noticed yet are written like others, as Redis does: who reads
//! them knows the time.

use super::format::{VERSION_FIELD_EXPIRY, VERSION_WRITTEN, opcode};
use super::save_value::Layout;
use super::write::{Checksum, Compression, Writer};
use crate::base::num;
use crate::persist::Progress;
use crate::store::{AccessPolicy, Db, Keyspace};
use crate::value::Entry;
use bytes::Bytes;
use std::io;
use std::time::Duration;

/// How many keys are written before the progress is told, unless each is waited for.
const KEYS_PER_REPORT: u64 = 64;

/// How many keys ahead values that are not in their entries are loaded.
const KEYS_AHEAD: usize = 8;

/// Whether the access clock of each key is written, which is of use if keys are evicted by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is not.
    Omitted,
    /// Idle time or frequency, whichever the keyspace's policy keeps.
    Written,
}

/// Which keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All.
    All,
    /// None: it is about something else.
    None,
}

/// How a snapshot is written, and what besides keys is in it.
#[derive(Clone, Debug)]
pub struct SaveOptions<'a> {
    /// Names and texts about the file, in this order.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// `rdbcompression`
    pub compression: Compression,
    /// `rdbchecksum`
    pub checksum: Checksum,
    /// `rdb-key-save-delay`: microseconds to wait after each key; if negative, one microsecond after
    /// as many keys.
    pub key_delay_us: i64,
    /// Waits.
    pub sleep: fn(Duration),
    /// The libraries of functions, as text.
    pub libraries: &'a [Bytes],
    /// Whether the keys are written.
    pub keys: Keys,
    /// What is said of accesses.
    pub access: Access,
    /// Counts, and may stop it.
    pub progress: Option<&'a Progress>,
}

impl Default for SaveOptions<'_> {
    fn default() -> Self {
        Self {
            aux: Vec::new(),
            compression: Compression::Lzf,
            checksum: Checksum::Crc64,
            key_delay_us: 0,
            sleep: |_| (),
            libraries: &[],
            keys: Keys::All,
            access: Access::Omitted,
            progress: None,
        }
    }
}

/// Writes all databases to `out`, in large pieces, in the oldest version of the format that holds them;
/// returns how many keys there were.
///
/// # Errors
/// Those of `out`, or `Interrupted` if the progress was cancelled.
pub fn save<W: io::Write>(
    keyspace: &Keyspace,
    options: &SaveOptions<'_>,
    out: W,
) -> io::Result<u64> {
    let out = Writer::new(out, options.compression, options.checksum, options.progress);
    let keys_per_report = if options.key_delay_us == 0 { KEYS_PER_REPORT } else { 1 };
    let mut saver = Saver { out, options, policy: keyspace.policy(), keys: 0, keys_per_report };
    saver.head(version(keyspace))?;
    let databases = match options.keys {
        Keys::All => keyspace.len(),
        Keys::None => 0,
    };
    for index in 0..databases {
        saver.database(index, keyspace.db(index))?;
    }
    saver.out.byte(opcode::EOF);
    saver.out.finish()?;
    if let Some(progress) = options.progress {
        progress.add_keys(saver.keys % keys_per_report);
    }
    Ok(saver.keys)
}

/// The oldest version that holds all values. O(databases).
fn version(keyspace: &Keyspace) -> u32 {
    if keyspace.field_volatile_len() > 0 { VERSION_FIELD_EXPIRY } else { VERSION_WRITTEN }
}

struct Saver<'a, W> {
    out: Writer<'a, W>,
    options: &'a SaveOptions<'a>,
    policy: AccessPolicy,
    keys: u64,
    keys_per_report: u64,
}

impl<W: io::Write> Saver<'_, W> {
    fn head(&mut self, version: u32) -> io::Result<()> {
        self.out.raw(format!("REDIS{version:04}").as_bytes())?;
        for (name, text) in &self.options.aux {
            self.out.byte(opcode::AUX);
            self.out.string(name)?;
            self.out.string(text)?;
        }
        for library in self.options.libraries {
            self.out.byte(opcode::FUNCTION);
            self.out.string(library)?;
        }
        Ok(())
    }

    fn database(&mut self, index: usize, db: &Db) -> io::Result<()> {
        if db.is_empty() {
            return Ok(());
        }
        self.out.byte(opcode::SELECT_DB);
        self.out.len(index);
        self.out.byte(opcode::RESIZE_DB);
        self.out.len(db.len());
        self.out.len(db.volatile_len());
        let mut ahead = db.iter().skip(KEYS_AHEAD);
        for entry in db.iter() {
            if let Some(later) = ahead.next() {
                later.prefetch_payload();
            }
            self.entry(&entry)?;
            self.count();
        }
        Ok(())
    }

    #[inline]
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        if let Some(at_ms) = entry.expiry() {
            self.out.byte(opcode::EXPIRE_TIME_MS);
            self.out.time_ms(at_ms);
        }
        if self.options.access == Access::Written {
            self.access(entry.access());
        }
        let layout = Layout::of(entry);
        self.out.byte(layout.kind());
        self.out.string(entry.key())?;
        layout.write(&mut self.out)
    }

    fn access(&mut self, access: u32) {
        match self.policy {
            AccessPolicy::Lru { .. } => {
                self.out.byte(opcode::IDLE);
                self.out.number(self.policy.idle_s(access).map_or(0, u64::from));
            }
            AccessPolicy::Lfu { .. } => {
                self.out.byte(opcode::FREQ);
                let frequency = self.policy.frequency(access).map_or(0, u64::from);
                self.out.byte(num::low_u8(frequency));
            }
        }
    }

    #[inline]
    fn count(&mut self) {
        self.keys += 1;
        if let Some(progress) = self.options.progress
            && self.keys.is_multiple_of(self.keys_per_report)
        {
            progress.add_keys(self.keys_per_report);
        }
        if self.options.key_delay_us != 0 {
            self.wait();
        }
    }

    #[cold]
    fn wait(&self) {
        let micros = self.options.key_delay_us.unsigned_abs();
        if self.options.key_delay_us > 0 {
            (self.options.sleep)(Duration::from_micros(micros));
        } else if self.keys.is_multiple_of(micros) {
            (self.options.sleep)(Duration::from_micros(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crc64::crc64;
    use crate::base::hash::HashKey;
    use crate::base::rng::Rng;
    use crate::store::KeepTtl;
    use crate::value::string;
    use std::cell::Cell;

    /// Keys, each with its database and expiry.
    fn keyspace(keys: &[(usize, &str, Option<i64>)]) -> Keyspace {
        let mut keyspace = Keyspace::new(16, HashKey::new(1, 2), Rng::seeded(3));
        keyspace.set_now(1000);
        for &(db, name, expiry) in keys {
            let key = keyspace.key(name.as_bytes());
            keyspace.set(db, key, string::new_value(b"v"), expiry, KeepTtl::No);
        }
        keyspace
    }

    /// The file without its checksum, which is checked.
    #[track_caller]
    fn saved(keyspace: &Keyspace, options: &SaveOptions<'_>) -> String {
        let mut file = Vec::new();
        save(keyspace, options, &mut file).expect("memory");
        let (body, checksum) = file.split_last_chunk().expect("a checksum");
        let expected = match options.checksum {
            Checksum::None => 0,
            Checksum::Crc64 => crc64(body),
        };
        assert_eq!(u64::from_le_bytes(*checksum), expected);
        body.escape_ascii().to_string()
    }

    #[test]
    fn an_empty_file_is_a_head_and_an_end() {
        let mut options = SaveOptions::default();
        assert_eq!(saved(&keyspace(&[]), &options), r"REDIS0010\xff");
        options.checksum = Checksum::None;
        options.aux =
            vec![(b"redis-ver".into(), b"7.4.0".into()), (b"redis-bits".into(), b"64".into())];
        let libraries = [Bytes::from_static(b"#!lua name=a")];
        options.libraries = &libraries;
        assert_eq!(
            saved(&keyspace(&[]), &options),
            r"REDIS0010\xfa\tredis-ver\x057.4.0\xfa\nredis-bits\xc0@\xf5\x0c#!lua name=a\xff"
        );
    }

    #[test]
    fn databases_begin_with_their_number_and_sizes() {
        let keyspace = keyspace(&[(0, "key", None), (9, "e", Some(5000))]);
        assert_eq!(
            saved(&keyspace, &SaveOptions::default()),
            r"REDIS0010\xfe\x00\xfb\x01\x00\x00\x03key\x01v\xfe\t\xfb\x01\x01\xfc\x88\x13\x00\x00\x00\x00\x00\x00\x00\x01e\x01v\xff"
        );
    }

    #[test]
    fn accesses_are_written_if_they_matter() {
        let mut keyspace = keyspace(&[(0, "k", Some(i64::MAX))]);
        keyspace.set_now(70_500);
        let options = SaveOptions { access: Access::Written, ..SaveOptions::default() };
        let expiry = r"\xfc\xff\xff\xff\xff\xff\xff\xff\x7f";
        let around = |access: &str| {
            format!(r"REDIS0010\xfe\x00\xfb\x01\x01{expiry}{access}\x00\x01k\x01v\xff")
        };
        assert_eq!(saved(&keyspace, &options), around(r"\xf8@E"));
        assert_eq!(saved(&keyspace, &SaveOptions::default()), around(""));
        keyspace.set_policy(AccessPolicy::Lfu { minutes: 0, log_factor: 10, decay_minutes: 0 });
        assert_eq!(saved(&keyspace, &options), around(r"\xf9\x01"));
    }

    #[test]
    fn progress_counts_every_key_and_can_stop() {
        let names: Vec<String> = (0..150).map(|n| format!("k{n}")).collect();
        let keys: Vec<_> = names.iter().map(|name| (0, &**name, None)).collect();
        let keyspace = keyspace(&keys);
        for key_delay_us in [0, 5, -50] {
            thread_local!(static SLEPT_US: Cell<u128> = const { Cell::new(0) });
            SLEPT_US.set(0);
            let progress = Progress::new();
            let options = SaveOptions {
                progress: Some(&progress),
                key_delay_us,
                sleep: |time| SLEPT_US.set(SLEPT_US.get() + time.as_micros()),
                ..SaveOptions::default()
            };
            let mut file = Vec::new();
            assert_eq!(save(&keyspace, &options, &mut file).expect("memory"), 150);
            assert_eq!((progress.keys(), progress.bytes()), (150, num::u64_of(file.len())));
            let expected = if key_delay_us == 5 {
                750
            } else if key_delay_us == 0 {
                0
            } else {
                3
            };
            assert_eq!(SLEPT_US.get(), expected);
            progress.cancel();
            let error = save(&keyspace, &options, io::sink()).expect_err("cancelled");
            assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        }
    }
}
